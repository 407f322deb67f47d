// The inputs that a command line names, and where the output of each goes.
#pragma once

#include <string>
#include <vector>

namespace nowcell {

struct NamedInput {
    std::string path;
    std::string folder;  ///< of its outputs
};

struct InputList {
    std::vector<NamedInput> inputs;
    bool several = false;  ///< each has a folder of its own in the output folder
};

/// A word is a file, a folder, or a pattern with * ? [ ] whose files are taken in natural order. A folder is one source
/// where its files are frames of one (pictures, HDF5, SEVIR); else each of its files that can be read is an input.
/// Where the words name more than one input, or a pattern, each gets a folder in `output` by its own name ("radar.h5":
/// output/radar), with a number behind names that come again.
/// Throws Error(usage) for a pattern that fits no file, and an input that is named twice.
InputList list_inputs(const std::vector<std::string>& words, const std::string& output);

}  // namespace nowcell

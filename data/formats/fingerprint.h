// Recognises a data file again.
#pragma once

#include <string>
#include <vector>

namespace nowcell {

/// XXH3-64 of the size and of up to 16 evenly spaced blocks of 1 MiB, as 16 hexadecimal digits: cheap on files of any
/// size, and every byte counts up to 16 MiB. Throws Error(data) when the file cannot be read.
std::string fingerprint(const std::string& path);

/// The same of many files: of their names without the folder, their sizes, and the content of up to 16 of them.
std::string fingerprint(const std::vector<std::string>& paths);

}  // namespace nowcell

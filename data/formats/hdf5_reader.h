// One dataset of an HDF5 file as frames; folders of such files and SEVIR are made of it.
#pragma once

#include "data/formats/frame_layout.h"
#include "data/formats/frame_reader.h"
#include "data/formats/hdf5_file.h"
#include "data/formats/hdf5_values.h"

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <utility>
#include <vector>

namespace nowcell {

/// How the frames of a dataset lie and what their numbers mean.
struct Hdf5Frames {
    FrameLayout layout;
    Hdf5Values values;
    Hdf5Description data;
};

/// As FrameReader::read; `recording` is the index along n, 0 where the layout has none. `buffer` is kept from call to
/// call. Throws Error(data) too when the dataset is not, or no longer, like frames.data.
std::int64_t read_frames(const Hdf5File& file, const Hdf5Frames& frames, const std::string& dataset,
                         std::int64_t recording, std::int64_t first, std::int64_t count, float* out,
                         std::vector<char>& buffer);

/// The dataset that options.dataset names, or the only one with numbers in 3 to 5 dimensions; where there is none, the
/// image of a radar file (KNMI, ODIM), and with `flat` the only one of two dimensions. Throws Error(data) with what is
/// there instead.
std::string choose_dataset(const Hdf5File& file, const SourceOptions& options, bool flat = false);

/// Layout and values of a dataset, and what they say, in `info`; info.path and info.dataset are set. With `flat` two
/// dimensions are one frame.
Hdf5Frames describe_dataset(const Hdf5File& file, const std::string& layout, SourceInfo& info, bool flat = false);

/// True when the frames of `data` have the size and type of others.
bool is_alike(const Hdf5Frames& others, const Hdf5Description& data);

/// Throws Error(data) when the frames of `data`, found in the file `path`, have another size or type than others.
void check_alike(const Hdf5Frames& others, const Hdf5Description& data, const std::string& path);

/// The vector with the times of the frames: the scale of dimension t, or one named "time" beside the frames.
std::string time_axis_of(const Hdf5File& file, const std::string& dataset, const FrameLayout& layout);

/// What libhdf5 may keep of decompressed chunks, in bytes, where `files` are open at a time.
std::int64_t cache_bytes(const ReaderLimits& limits, std::int64_t files = 1);

/// Files that were read last; the others are closed.
class Hdf5OpenFiles {
 public:
    struct Opened {
        Hdf5File file;
        Hdf5Frames frames;
    };
    using Describe = std::function<Hdf5Frames(const Hdf5File& file, const std::string& path)>;

    /// `describe` is called once for each opening.
    Hdf5OpenFiles(const ReaderLimits& limits, Describe describe);

    /// Valid until the next call. Throws Error(data).
    const Opened& open(const std::string& path);

 private:
    std::int64_t cache_bytes_;
    Describe describe_;
    std::list<std::pair<std::string, Opened>> opened_;  ///< the last one read first
};

}  // namespace nowcell

// One dataset of an HDF5 file as frames; folders of such files and SEVIR are made of it.
#pragma once

#include "data/formats/frame_layout.h"
#include "data/formats/frame_reader.h"
#include "data/formats/hdf5_file.h"
#include "data/formats/hdf5_values.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// Reads and decodes blocks of datasets that are alike; the buffer is kept from call to call.
class Hdf5Frames {
 public:
    Hdf5Frames(FrameLayout layout, Hdf5Values values) : layout_(std::move(layout)), values_(std::move(values)) {}

    /// As FrameReader::read; `recording` is the index along n, 0 where the layout has none.
    std::int64_t read(const Hdf5File& file, const std::string& dataset, std::int64_t recording, std::int64_t first,
                      std::int64_t count, float* out);

    const FrameLayout& layout() const { return layout_; }
    const Hdf5Values& values() const { return values_; }

 private:
    FrameLayout layout_;
    Hdf5Values values_;
    std::vector<char> buffer_;
};

/// The dataset that options.dataset names, or the only one of `least` to 5 dimensions with numbers; where none has
/// three, the image of a radar file (KNMI, ODIM). Throws Error(data) with what is there instead.
std::string choose_dataset(const Hdf5File& file, const SourceOptions& options, std::size_t least = 3);

/// Layout and values of a dataset, and what they say, in `info`; info.path and info.dataset are set.
Hdf5Frames describe_dataset(const Hdf5File& file, const std::string& dataset, const std::string& layout,
                            SourceInfo& info);

}  // namespace nowcell

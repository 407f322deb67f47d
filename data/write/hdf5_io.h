// Datasets and attributes into HDF5 files, and whole datasets back.
#pragma once

#include "data/formats/hdf5_file.h"

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace nowcell {

/// Text or number attached to a dataset or to the file.
using Attribute = std::variant<std::string, double, std::vector<double>>;

/// A dataset to write.
struct Hdf5Dataset {
    std::string name;                      ///< "/frames"
    torch::Tensor values;                  ///< integer of 8 to 64 bits, float32 or float64, contiguous, any rank >= 1
    std::vector<std::int64_t> chunk = {};  ///< empty: contiguous storage
    std::map<std::string, Attribute> attributes = {};
    bool compress = true;  ///< chunks: shuffle + gzip + Fletcher32
};

/// Writes a new HDF5 file, complete or not at all: temporary file, fsync, rename. Earliest file format, so that every
/// reader opens it. The file is put together in memory, since libhdf5 does not survive a disk that fills up.
/// Throws Error(output) when it cannot be written, leaving nothing behind.
void write_hdf5(const std::string& path, const std::vector<Hdf5Dataset>& datasets,
                const std::map<std::string, Attribute>& file_attributes);

/// A whole dataset in the type that it is stored in; the byte order is this machine's. Throws Error(data).
torch::Tensor read_hdf5(const std::string& path, const std::string& dataset);

}  // namespace nowcell

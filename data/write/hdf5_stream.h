// HDF5 files that are larger than memory: datasets written block by block.
#pragma once

#include "data/write/hdf5_io.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// One axis of the datasets, as NetCDF-4 knows it: a dimension scale.
struct Hdf5Dimension {
    std::string name;
    std::int64_t size = 0;
    std::vector<double> values = {};  ///< coordinates; empty: a dimension without
    std::map<std::string, Attribute> attributes = {};
};

/// A dataset to be filled. Compressed with shuffle, deflate 4 and Fletcher32.
struct Hdf5Target {
    std::string name;  ///< "/frames"
    torch::ScalarType type = torch::kFloat32;
    std::vector<std::string> dimensions;  ///< names of the dimensions, outermost first
    std::vector<std::int64_t> chunk;
    std::optional<double> fill = {};  ///< _FillValue, in the dataset's own type
    std::map<std::string, Attribute> attributes = {};
    bool scales = true;  ///< dimensions are attached; a dimension holds no more than some thousand datasets
};

/// An HDF5 file being written. Not thread-safe by itself, but it takes the lock of libhdf5.
class Hdf5Stream {
 public:
    /// temporary: what is written; path: for messages.
    Hdf5Stream(const std::string& temporary, const std::string& path);
    ~Hdf5Stream();
    Hdf5Stream(const Hdf5Stream&) = delete;
    Hdf5Stream& operator=(const Hdf5Stream&) = delete;

    void add(const Hdf5Dimension& dimension);
    void add(const Hdf5Target& target);  ///< its dimensions have been added before

    /// Writes a block of a dataset at a position; each chunk should be written by one call. Makes sure first that the
    /// disk has room for it uncompressed: libhdf5 does not survive a disk that fills up.
    /// Throws Error(output) with needed and free bytes.
    void write(const std::string& name, const std::vector<std::int64_t>& start, const torch::Tensor& block);

    /// Writes what is left and closes the file.
    void close(const std::map<std::string, Attribute>& file_attributes);

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Writes a file through a stream, complete or not at all: temporary file beside it, fsync, rename; `fill` adds, writes
/// and closes. Throws Error(output), leaving nothing behind.
void stream_hdf5(const std::string& path, const std::function<void(Hdf5Stream&)>& fill);

}  // namespace nowcell

// The one door to libhdf5: datasets of frames in, datasets and attributes out.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
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

/// A dataset as its file describes it.
struct Hdf5Description {
    std::string name;  ///< "/frames"
    std::string type;  ///< "uint16", "float32", "string", "compound", ...
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> chunk;  ///< empty: not chunked
    std::string filters;              ///< "shuffle, gzip 6" or "none"
    std::int64_t stored_bytes = 0;    ///< in the file, compressed
    bool numeric = false;             ///< an integer or a real number that read() takes
};

/// An HDF5 file opened for reading. Plugins are loaded only when the user has set HDF5_PLUGIN_PATH; external and
/// virtual storage is refused, so no other file is ever read. Thread-safe: one lock serialises every call of libhdf5.
/// All members throw Error(data).
class Hdf5File {
 public:
    explicit Hdf5File(const std::string& path);
    ~Hdf5File();

    /// All datasets, in the order of their names.
    std::vector<Hdf5Description> list() const;

    bool has(const std::string& dataset) const;

    /// Opens a dataset and checks what could hurt: filters, storage outside the file, absurd sizes.
    Hdf5Description describe(const std::string& dataset) const;

    /// An attribute of a dataset as text; absent: nullopt. Numbers are written out.
    std::optional<std::string> text(const std::string& dataset, const std::string& attribute) const;

    /// An attribute of a dataset as numbers; text is parsed; absent: empty.
    std::vector<double> numbers(const std::string& dataset, const std::string& attribute) const;

    /// A block of a dataset, in the type that holds its values exactly: uint8 ... int64, float32 or float64.
    torch::Tensor read(const std::string& dataset, const std::vector<std::int64_t>& start,
                       const std::vector<std::int64_t>& count) const;

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// "[744,33,49]"
std::string shape_text(const std::vector<std::int64_t>& shape);

/// "/frames [744,33,49] uint16, /time [744] float64", cut off when long.
std::string list_text(const std::vector<Hdf5Description>& datasets);

/// Version of the library in use, "1.10.8".
std::string hdf5_version();

}  // namespace nowcell

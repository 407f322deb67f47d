// The door to libhdf5 for reading: datasets, attributes, and the checks that come before.
#pragma once

#include "data/formats/stored.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// A dataset as its file describes it.
struct Hdf5Description {
    std::string name;  ///< "/frames"
    std::string type;  ///< "uint16", "float32", "bool", "string", "compound", ...
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> chunk;     ///< empty: not chunked
    std::string filters;                 ///< "shuffle, gzip 6" or "none"
    std::int64_t stored_bytes = 0;       ///< in the file, compressed
    bool numeric = false;                ///< an integer, enumerated or real number, which read() takes
    StoredType stored = StoredType::u8;  ///< how read() returns a number: the narrowest type that holds it exactly
    bool swapped = false;                ///< the bytes of a number come in the other order than this machine's
    bool as_stored = false;              ///< libhdf5 converts nothing
};

/// An HDF5 file opened for reading. Plugins are loaded only when the user has set HDF5_PLUGIN_PATH; external and
/// virtual storage is refused, so no other file is ever read. Thread-safe: one lock serialises every call of libhdf5.
/// All members throw Error(data).
class Hdf5File {
 public:
    /// cache_bytes: what libhdf5 may keep of decompressed chunks.
    explicit Hdf5File(const std::string& path, std::int64_t cache_bytes = std::int64_t{256} << 20);
    ~Hdf5File();
    Hdf5File(Hdf5File&& other) noexcept;

    const std::string& path() const;

    /// Datasets in the order of their names; at most 65,536 objects of the file are looked at.
    std::vector<Hdf5Description> list() const;

    bool has(const std::string& dataset) const;

    /// Opens a dataset and checks what could hurt: filters, storage outside the file, absurd sizes.
    Hdf5Description describe(const std::string& dataset) const;

    /// An attribute of a dataset or group as text; absent: nullopt. Numbers are written out.
    std::optional<std::string> text(const std::string& object, const std::string& attribute) const;

    /// An attribute of a dataset or group as numbers; text is parsed; absent: empty.
    std::vector<double> numbers(const std::string& object, const std::string& attribute) const;

    /// True when an attribute holds real numbers rather than integers or text.
    bool is_real(const std::string& object, const std::string& attribute) const;

    /// Path of the first dimension scale of each dimension: "/time", "/lat"; "" where there is none.
    std::vector<std::string> scales(const std::string& dataset) const;

    /// Copies a block of a dataset into `out`, in C order, each number as description.stored and .swapped say.
    void read(const std::string& dataset, const std::vector<std::int64_t>& start,
              const std::vector<std::int64_t>& count, void* out) const;

    /// A vector of numbers, such as a time axis. Throws Error(data) on more than 2^24.
    std::vector<double> vector(const std::string& dataset) const;

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// "/frames [744,33,49] uint16, /time [744] float64", cut off when long.
std::string list_text(const std::vector<Hdf5Description>& datasets);

/// Version of the library in use, "1.10.8".
std::string hdf5_version();

}  // namespace nowcell

// libhdf5 as C++: owned handles, one lock, no error stack on stderr. Included by data/hdf5_*.cpp only.
#pragma once

#define H5_USE_110_API
#include <hdf5.h>

#include "data/hdf5_io.h"

#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace nowcell {

/// An identifier that closes itself; negative means that the call which made it failed.
class Hdf5Handle {
 public:
    using Close = herr_t (*)(hid_t);

    Hdf5Handle() = default;
    Hdf5Handle(hid_t id, Close close) : id_(id), close_(close) {}
    Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
    Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
        std::swap(id_, other.id_);
        std::swap(close_, other.close_);
        return *this;
    }
    ~Hdf5Handle() {
        if (id_ >= 0) close_(id_);
    }

    explicit operator bool() const { return id_ >= 0; }
    hid_t id() const { return id_; }

 private:
    hid_t id_ = -1;
    Close close_ = nullptr;
};

/// Held during every call of libhdf5: not every build of it is thread-safe. Silences its error stack, which is a
/// setting per thread, and keeps it from loading plugins that the user did not ask for.
class Hdf5Lock {
 public:
    Hdf5Lock();

 private:
    std::lock_guard<std::recursive_mutex> guard_;
};

/// What stands behind an Hdf5File; datasets stay open so that their chunk caches do.
struct Hdf5File::Impl {
    struct Open {
        Hdf5Handle set;
        Hdf5Description description;
    };

    std::string path;
    std::int64_t bytes = 0;  ///< size of the file
    Hdf5Handle links;        ///< access to names: refuses to leave the file
    Hdf5Handle file;
    std::map<std::string, Open> open;
};

/// The innermost description on libhdf5's error stack: why the last call failed. Empty when it left none.
std::string hdf5_reason();

/// Throws Error(output) with hdf5_reason(): `step` of writing `path` failed.
[[noreturn]] void fail_hdf5_write(const std::string& path, const std::string& step);

/// Attaches attributes to a dataset or a file that is being written to `path`. Throws Error(output).
void put_hdf5_attributes(hid_t object, const std::map<std::string, Attribute>& values, const std::string& path);

/// The type of libhdf5 for tensors of a type; negative when there is none.
hid_t native_hdf5_type(torch::ScalarType type);

/// What a dataset says about itself, without a judgement.
Hdf5Description describe_hdf5(hid_t set, const std::string& name);

/// Throws Error(data) for storage in other files, an unavailable filter, or a size that the file cannot back.
void check_hdf5(hid_t set, const Hdf5Description& data, std::int64_t file_bytes, const std::string& path);

}  // namespace nowcell

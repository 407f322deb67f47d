// libhdf5 as C++: owned handles, one lock, no error stack on stderr. Included by hdf5_*.cpp only.
#pragma once

#define H5_USE_110_API
#include <hdf5.h>
#include <hdf5_hl.h>

#include "data/formats/hdf5_file.h"

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

/// The innermost description on libhdf5's error stack: why the last call failed. Empty when it left none.
std::string hdf5_reason();

/// The type of libhdf5 for numbers in memory.
hid_t native_hdf5_type(StoredType type);

/// What a dataset says about itself, without a judgement.
Hdf5Description describe_hdf5(hid_t set, const std::string& name);

/// Throws Error(data): libhdf5 could not do `what` ("open", "read /frames") with a file.
[[noreturn]] void fail_hdf5(const std::string& path, const std::string& what);

/// Throws Error(data) for storage in other files, an unavailable filter, or a size that the file cannot back.
void check_hdf5(hid_t set, const Hdf5Description& data, std::int64_t file_bytes, const std::string& path);

}  // namespace nowcell

#include "data/formats/hdf5_handle.h"

#include "src/error.h"

#include <fmt/format.h>

#include <cstdlib>

namespace nowcell {
namespace {

std::recursive_mutex& mutex() {
    static std::recursive_mutex instance;
    return instance;
}

void set_up_thread() {
    static const bool once = [] {
        H5dont_atexit();  // cleaning up after a damaged file can crash, and nothing is left to be written
        // A plugin is code from a folder that the environment names; only a user who names one wants it.
        if (std::getenv("HDF5_PLUGIN_PATH") == nullptr) H5PLset_loading_state(0);
        return true;
    }();
    static_cast<void>(once);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

}  // namespace

Hdf5Lock::Hdf5Lock() : guard_(mutex()) { set_up_thread(); }

std::string hdf5_reason() {
    const auto first = [](unsigned, const H5E_error2_t* entry, void* text) -> herr_t {
        if (entry->desc != nullptr) *static_cast<std::string*>(text) = entry->desc;
        return 1;  // the innermost entry comes first and is enough
    };
    std::string reason;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first, &reason);
    return reason;
}

hid_t native_hdf5_type(StoredType type) {
    switch (type) {
        case StoredType::u8: return H5T_NATIVE_UINT8;
        case StoredType::i8: return H5T_NATIVE_INT8;
        case StoredType::u16: return H5T_NATIVE_UINT16;
        case StoredType::i16: return H5T_NATIVE_INT16;
        case StoredType::u32: return H5T_NATIVE_UINT32;
        case StoredType::i32: return H5T_NATIVE_INT32;
        case StoredType::u64: return H5T_NATIVE_UINT64;
        case StoredType::i64: return H5T_NATIVE_INT64;
        case StoredType::f64: return H5T_NATIVE_DOUBLE;
        default: return H5T_NATIVE_FLOAT;  // f16 is read as it is stored
    }
}

// Row 11 of the error table when the reason speaks of versions, else what libhdf5 says.
void fail_hdf5(const std::string& path, const std::string& what) {
    const std::string reason = hdf5_reason();
    if (reason.find("version") != std::string::npos) {
        throw Error(ExitCode::data,
                    fmt::format("{} uses a format newer than HDF5 {} can read ({})", path, hdf5_version(), reason), "",
                    "write it with libver='earliest', or run h5repack where it was made");
    }
    throw Error(
        ExitCode::data,
        fmt::format("cannot {}: {} is damaged or incomplete{}", what, path, reason.empty() ? "" : " (" + reason + ")"),
        "", "copy or download the file again; 'h5debug' and 'h5dump -H' say more");
}

std::string hdf5_version() {
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    const Hdf5Lock lock;
    H5get_libversion(&major, &minor, &release);
    return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace nowcell

// Files made with libhdf5 itself, for what write_hdf5 does not write.
#pragma once

#include "data/formats/frame_reader.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

#define H5_USE_110_API
#include <hdf5.h>
#include <hdf5_hl.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// `make` gets the file's identifier.
inline std::string raw_file(const std::string& path, const std::function<void(hid_t)>& make) {
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    REQUIRE(file >= 0);
    make(file);
    REQUIRE(H5Fclose(file) >= 0);
    return path;
}

inline std::string raw_file(const TemporaryFolder& folder, const std::function<void(hid_t)>& make) {
    return raw_file(folder.path("raw.h5"), make);
}

inline hid_t raw_dataset(hid_t file, const std::string& name, hid_t type, const std::vector<hsize_t>& shape,
                         hid_t layout = H5P_DEFAULT) {
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t set = H5Dcreate2(file, name.c_str(), type, space, links, layout, H5P_DEFAULT);
    H5Pclose(links);
    H5Sclose(space);
    REQUIRE(set >= 0);
    return set;
}

/// The same with values; libhdf5 converts them.
inline hid_t raw_values(hid_t file, const std::string& name, hid_t type, const std::vector<hsize_t>& shape,
                        const std::vector<double>& values, hid_t layout = H5P_DEFAULT) {
    const hid_t set = raw_dataset(file, name, type, shape, layout);
    REQUIRE(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
    return set;
}

inline void raw_attribute(hid_t object, const char* name, hid_t type, const void* value) {
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    REQUIRE(H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
}

inline void text_attribute(hid_t object, const char* name, const std::string& text) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, text.size() + 1);
    raw_attribute(object, name, type, text.c_str());
    H5Tclose(type);
}

/// In the type `stored`.
inline void number_attribute(hid_t object, const char* name, const std::vector<double>& values,
                             hid_t stored = H5T_NATIVE_DOUBLE) {
    const hsize_t count = values.size();
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t attribute = H5Acreate2(object, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    REQUIRE(H5Awrite(attribute, H5T_NATIVE_DOUBLE, values.data()) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
}

inline hid_t raw_group(hid_t file, const std::string& name) {
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t group = H5Gcreate2(file, name.c_str(), links, H5P_DEFAULT, H5P_DEFAULT);
    H5Pclose(links);
    REQUIRE(group >= 0);
    return group;
}

/// IEEE half precision, which libhdf5 1.10 has no name for. The caller closes it.
inline hid_t half_type(bool big_endian) {
    const hid_t type = H5Tcopy(big_endian ? H5T_IEEE_F32BE : H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

inline std::unique_ptr<FrameReader> opened(const std::string& path, const std::string& dataset = "",
                                           const std::string& layout = "auto") {
    SourceOptions options;
    options.path = path;
    options.dataset = dataset;
    options.layout = layout;
    return open_frames(options);
}

/// All frames of a recording.
inline std::vector<float> frames_of_recording(FrameReader& reader, std::int64_t recording = 0) {
    const SourceInfo& info = reader.info();
    const std::int64_t frames = info.frames[static_cast<std::size_t>(recording)];
    std::vector<float> out(static_cast<std::size_t>(frames * info.channels * info.height * info.width));
    reader.read(recording, 0, frames, out.data());
    return out;
}

}  // namespace nowcell

// What writers of HDF5 share. Included by data/hdf5_*.cpp only.
#pragma once

#include "data/formats/hdf5_handle.h"
#include "data/write/hdf5_io.h"

#include <map>
#include <string>

namespace nowcell {

/// Throws Error(output) with hdf5_reason(): `step` of writing `path` failed.
[[noreturn]] void fail_hdf5_write(const std::string& path, const std::string& step);

/// The type of libhdf5 for tensors of a type; negative when there is none.
hid_t hdf5_type(torch::ScalarType type);

/// Attaches attributes to a dataset or a file that is being written to `path`. Throws Error(output).
void put_hdf5_attributes(hid_t object, const std::map<std::string, Attribute>& values, const std::string& path);

}  // namespace nowcell

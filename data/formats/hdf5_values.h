// What the stored numbers of an HDF5 dataset mean.
#pragma once

#include "data/formats/hdf5_file.h"
#include "data/formats/source_info.h"
#include "data/formats/stored.h"

#include <string>

namespace nowcell {

/// Scale, offset, missing values and units of a dataset.
struct Hdf5Values {
    Packing packing;
    StoredType type = StoredType::u8;  ///< as stored, or its unsigned kin where the file says _Unsigned
    std::string units = "1";
};

/// By the conventions of NetCDF (scale_factor, _FillValue, valid_range, ...), ODIM (what/gain, nodata) and KNMI
/// (calibration/calibration_formulas). Throws Error(data) on attributes that cannot be used.
Hdf5Values hdf5_values(const Hdf5File& file, const Hdf5Description& data, const std::string& path);

/// Puts them into `info`: stored_type, units, scale, offset, has_fill, fill.
void describe_values(const Hdf5Values& values, const Hdf5Description& data, SourceInfo& info);

/// True when the NetCDF library wrote the file.
bool is_netcdf(const Hdf5File& file, const std::string& dataset);

/// "/a/b" of "/a/b/c"; "" of "/a".
std::string parent_of(const std::string& name);

}  // namespace nowcell

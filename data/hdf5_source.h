// Frames in an HDF5 or NetCDF-4 file.
#pragma once

#include "data/frame_source.h"

#include <memory>

namespace nowcell {

/// Opens a file that is known to be HDF5; open_source decides that. Throws Error(data) as open_source does.
std::unique_ptr<FrameSource> open_hdf5_source(const SourceOptions& options);

}  // namespace nowcell

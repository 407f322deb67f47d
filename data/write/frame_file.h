// Sources of frames written as HDF5 or NumPy.
#pragma once

#include "data/frame_source.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// What a file of frames was written as.
struct FrameFile {
    std::string stored_type;                 ///< "uint16"
    std::vector<std::int64_t> shape;         ///< of one dataset where there are many
    std::vector<std::int64_t> chunk;         ///< empty: contiguous
    std::vector<std::string> datasets = {};  ///< empty for NumPy
    double read_amplification = 1.0;         ///< of a window
};

/// What a chunk of HDF5 holds.
struct ChunkOptions {
    std::int64_t window = 20;  ///< frames that are read together
    std::int64_t frames = 20;  ///< of one recording in a chunk, with all rows where that is no more than 16 MiB
};

/// Writes all frames as HDF5 that h5py and NetCDF-4 read, in bounded memory: "/frames" (T,H,W), (N,T,H,W) or
/// (N,T,H,W,C), or "/recording_0001", ... when recordings differ in length; recordings are cut where time jumps. Stored
/// integers, scale, offset and fill are kept where every value comes back exactly, else float32 with NaN is written and
/// a line of the log says so. Throws Error(output), leaving nothing behind, and Error(data) for an unreadable source.
FrameFile write_frames_hdf5(const std::string& path, const FrameSource& source, const ChunkOptions& chunk,
                            const std::string& history);

/// The same as a NumPy array (T,H,W), (N,T,H,W) or (N,T,H,W,C), which has no place for scale, units and time: float32
/// in physical units, or the stored integers where they are the values. Recordings must have one length.
FrameFile write_frames_npy(const std::string& path, const FrameSource& source);

}  // namespace nowcell

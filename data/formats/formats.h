// One opener per format; open_frames chooses. All throw as open_frames does and leave cropping to it.
#pragma once

#include "data/formats/frame_reader.h"

#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// One recording as the files that hold its frames, in order.
struct FrameFiles {
    std::string name;
    std::vector<std::string> paths;
};

std::unique_ptr<FrameReader> open_hdf5(const SourceOptions& options);       ///< HDF5 and NetCDF-4
std::unique_ptr<FrameReader> open_npy(const SourceOptions& options);        ///< NumPy's array
std::unique_ptr<FrameReader> open_npz(const SourceOptions& options);        ///< NumPy's archive of arrays
std::unique_ptr<FrameReader> open_idx(const SourceOptions& options);        ///< MNIST's format, also gzipped
std::unique_ptr<FrameReader> open_animation(const SourceOptions& options);  ///< GIF
std::unique_ptr<FrameReader> open_video(const SourceOptions& options);      ///< what FFmpeg reads

/// SEVIR: a catalogue beside HDF5 files. `catalogue`: path of the CSV; options.dataset is the image type.
std::unique_ptr<FrameReader> open_sevir(const SourceOptions& options, const std::string& catalogue);

/// HDF5 files of one frame each, such as a weather radar writes.
std::unique_ptr<FrameReader> open_hdf5_files(const SourceOptions& options, const std::vector<FrameFiles>& recordings);

/// PNG, JPEG, TIFF and PGM/PPM files of one frame each; a single file is one recording of one frame.
std::unique_ptr<FrameReader> open_pictures(const SourceOptions& options, const std::vector<FrameFiles>& recordings);

}  // namespace nowcell

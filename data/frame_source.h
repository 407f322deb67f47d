// Random access to recordings of frames, whatever file they come from.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// How to find the frames in a file.
struct SourceOptions {
    std::string path;
    std::string dataset;            ///< empty: the only 3-D to 5-D dataset of the file
    std::string layout = "auto";    ///< "auto" | "nthw" | "nthwc" | "thw" | "thwc"
    std::string missing = "error";  ///< what a missing or non-finite value does: "error" | "zero" | "keep" (as NaN)
    double step_s = 0.0;            ///< time between frames where the file does not say; 0: unknown
};

/// What a source holds; filled when it is opened, before any frame is read.
struct SourceInfo {
    std::string path;
    std::string dataset;      ///< "/frames"
    std::string layout;       ///< as recognised: "nthw", ...
    std::string stored_type;  ///< "uint16"
    std::string units;        ///< of the values read() returns; "1" when the file names none
    std::string filters;      ///< "shuffle, gzip 6" or "none"
    std::vector<std::int64_t> stored_shape;
    std::vector<std::int64_t> chunk_shape;  ///< empty: contiguous
    std::vector<std::int64_t> frames;       ///< frames of each recording, T
    std::int64_t channels = 0;
    std::int64_t height = 0;
    std::int64_t width = 0;
    double scale = 1.0;  ///< value = stored * scale + offset
    double offset = 0.0;
    bool has_fill = false;
    double fill = 0.0;        ///< stored value that means "missing"
    double step_s = 0.0;      ///< seconds between frames; 0 when the file does not say
    std::string start;        ///< time of the first frame as the file writes it; may be empty
    std::string fingerprint;  ///< hash of size and sampled content: the same data has the same one
};

/// Recordings of frames. Reading is lazy and thread-safe.
class FrameSource {
 public:
    virtual ~FrameSource() = default;

    virtual const SourceInfo& info() const = 0;

    /// Frames [first, first + count) of a recording: (count,C,H,W) float32 in physical units.
    /// A missing value follows SourceOptions::missing.
    /// Throws Error(data) on an unreadable file, or with the position of the first missing value.
    virtual torch::Tensor read(std::int64_t recording, std::int64_t first, std::int64_t count) const = 0;
};

/// Opens a file of frames. So far HDF5, which covers NetCDF-4.
/// Throws Error(data): no such file, not HDF5 (says what it looks like), no such dataset (lists what is there),
/// unfit rank, unavailable filter.
std::unique_ptr<FrameSource> open_source(const SourceOptions& options);

}  // namespace nowcell

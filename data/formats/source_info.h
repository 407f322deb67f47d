// What users say about a source of frames, and what a source says about itself. Free of LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nowcell {

/// What a reader process may use.
struct ReaderLimits {
    std::int64_t memory = std::int64_t{1} << 30;  ///< bytes a reader may allocate, and one request may ask for
    double request_s = 8.0;                       ///< seconds after which a request is given up
};

/// How to find the frames in a file or a folder.
struct SourceOptions {
    std::string path;
    std::string dataset;          ///< of HDF5 and .npz, the image type of SEVIR; empty: the only one that fits
    std::string layout = "auto";  ///< "auto", or the dimensions in their stored order: "thw", "nthwc", "nhwt", ...
    std::string missing =
        "error";  ///< what a missing or non-finite value does: "error" | "zero" | "mask" | "hold" (both: as NaN)
    double step_s = 0.0;                     ///< time between frames where the file does not say; 0: unknown
    std::vector<std::int64_t> rows = {};     ///< [begin, end) of each frame; empty: all
    std::vector<std::int64_t> columns = {};  ///< [begin, end)
    std::string trust = "readers";           ///< "readers": files are read in processes of their own; "direct": here
    int readers = 0;                         ///< reader processes; 0: one per core, at most 4
    ReaderLimits limits = {};
    std::function<void()> alive = {};  ///< called while a slow opening makes progress; may be empty
};

/// What a source holds; filled when it is opened, before any frame is read.
struct SourceInfo {
    std::string path;
    std::string dataset;                     ///< "/frames"
    std::string format;                      ///< "HDF5", "NetCDF-4", "NumPy", "folder of PNG", ...
    std::string layout;                      ///< as recognised: "nthw", ...; one frame a file: "hw", "hwc"
    std::string stored_type;                 ///< "uint16"
    std::string units;                       ///< of the values read() returns; "1" when the file names none
    std::string filters;                     ///< "shuffle, gzip 6" or "none"
    std::vector<std::int64_t> stored_shape;  ///< of one file where there are many
    std::vector<std::int64_t> chunk_shape;   ///< empty: contiguous
    std::vector<std::int64_t> frames;        ///< frames of each recording, T
    std::int64_t channels = 0;
    std::int64_t height = 0;  ///< after options.rows
    std::int64_t width = 0;   ///< after options.columns
    double scale = 1.0;       ///< value = stored * scale + offset
    double offset = 0.0;
    bool has_fill = false;
    double fill = 0.0;          ///< the first stored value that means "missing"
    double step_s = 0.0;        ///< seconds between frames; 0 when the file does not say
    std::string start;          ///< time of the first frame as the file writes it; may be empty
    std::string calendar;       ///< of the time axis: "standard", "360_day", ...; empty: none is named
    std::string fingerprint;    ///< hash of size and sampled content: the same data has the same one
    std::string channel_order;  ///< "RGB", "RGBA", "grey"; empty where channels have no colours
    std::int64_t files = 1;     ///< read from
    /// For each recording the frames in front of which time jumps, ascending; windows do not reach across one.
    /// Empty when no recording has any.
    std::vector<std::vector<std::int64_t>> breaks;
    std::vector<std::string> notes;  ///< what a user should know: what was guessed, dropped, or is slow
    std::int64_t first_row = 0;      ///< of the stored frame that row 0 is
    std::int64_t first_column = 0;
};

}  // namespace nowcell

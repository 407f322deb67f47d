// Decoded frames, from this process or from reader processes. Free of LibTorch.
#pragma once

#include "data/formats/source_info.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// Frames [first, first + count) of a recording.
struct FrameRange {
    std::int64_t recording = 0;
    std::int64_t first = 0;
    std::int64_t count = 0;
};

/// Ranges decoded one behind the other, (count,C,H,W) float32 each; what is missing is NaN.
struct Fetched {
    std::shared_ptr<float> values;
    std::int64_t missing = 0;
};

/// An opened source that is asked for many ranges at a time. Thread-safe.
class FrameFetcher {
 public:
    virtual ~FrameFetcher() = default;

    virtual const SourceInfo& info() const = 0;

    /// The ranges are valid. Throws Error(data).
    virtual Fetched fetch(const std::vector<FrameRange>& ranges) = 0;
};

/// Reads in this process: a file that crashes its library takes the program with it.
std::unique_ptr<FrameFetcher> open_direct(const SourceOptions& options);

/// Reads in options.readers processes `nowcell-reader`, which start when there is work for them. One that crashes,
/// hangs or asks for too much memory is an Error(data) about the file; the next request starts another.
/// Throws also Error(device) when the reader program is not found or cannot be started.
std::unique_ptr<FrameFetcher> open_readers(const SourceOptions& options);

/// Path of the program nowcell-reader: beside the library, or what NOWCELL_READER names. Throws Error(device) when
/// there is none.
std::string reader_program();

/// Reader processes that options ask for.
int reader_count(const SourceOptions& options);

}  // namespace nowcell

// Frames on standard input: .npy arrays one behind the other.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// An array of a pipe, and what a line of JSON in front of it said.
struct PipedFrame {
    std::vector<std::int64_t> shape;
    torch::Tensor values;             ///< (C,H,W) float32, NaN for what is not finite; undefined where it is not wanted
    std::optional<std::string> when;  ///< "time" of the line: a date; a number as text
};

/// Reads arrays as numpy.save writes them, (H,W) or (C,H,W) of any type of numbers, each optionally behind a line
/// {"time": "2026-01-01T12:05"} or {"time": 17}. Nothing that it reads is trusted. Holds one frame at a time.
class NpyPipe {
 public:
    /// descriptor: stays the caller's.
    explicit NpyPipe(int descriptor) : descriptor_(descriptor) {}

    /// Waits at most so long, less when a signal comes, for bytes. Whether there are some, or the end is reached.
    bool wait(double seconds) const;

    /// Takes in what is there; the next frame once it is whole. `wanted`: whether the values of an array of that shape
    /// are; the bytes of others are passed over. Throws Error(data) on a damaged header or line, and on an end within.
    std::optional<PipedFrame> read(const std::function<bool(const std::vector<std::int64_t>&)>& wanted);

    bool ended() const { return ended_ && buffer_.size() == at_; }

    /// Whether something of a further frame has come.
    bool waiting() const { return at_ < buffer_.size() || (!ended_ && wait(0.0)); }

 private:
    bool more(std::size_t bytes);
    bool pass_line();
    [[noreturn]] void fail(const std::string& why) const;

    int descriptor_;
    bool ended_ = false;
    std::vector<char> buffer_;
    std::size_t at_ = 0;         // what lies before is done with
    std::int64_t skip_ = 0;      // bytes to pass over
    std::int64_t position_ = 0;  // in the pipe, of buffer_[at_]
    std::optional<std::string> when_;
    std::optional<PipedFrame> passed_;  // the array whose bytes are passed over
};

}  // namespace nowcell

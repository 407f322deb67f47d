// Batches of windows in an order that is a pure function of (seed, epoch, position).
#pragma once

#include "data/frame_source.h"
#include "data/windows.h"

#include <cstdint>
#include <future>
#include <vector>

namespace nowcell {

/// A batch in physical units.
struct Batch {
    torch::Tensor past;      ///< (B,P,C,H,W) float32: the last P = max(T_in, history) known frames, oldest first
    torch::Tensor target;    ///< (B,T_out,C,H,W) float32
    std::int64_t first = 0;  ///< position of the first sample in the epoch
};

/// The order of `count` samples in an epoch: a permutation that depends on its arguments alone.
std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::int64_t epoch);

/// Reads the frames of some windows: past of max(input_steps, history) frames, and the targets.
/// With `targets` false, target stays undefined and only the past is read.
Batch read_windows(const FrameSource& source, const WindowOptions& options, const std::vector<Window>& windows,
                   bool targets = true);

/// Serves one epoch after another, reading one batch ahead on a thread.
class Loader {
 public:
    Loader(const FrameSource& source, WindowOptions options, std::vector<Window> windows, std::int64_t batch,
           bool shuffle, std::uint64_t seed);
    ~Loader();

    std::int64_t batches() const;  ///< per epoch; the last one may be smaller
    std::int64_t samples() const;  ///< per epoch

    void start_epoch(std::int64_t epoch);
    bool next(Batch& batch);  ///< false at the end of the epoch; rethrows what reading threw

 private:
    void read_ahead();

    const FrameSource& source_;
    WindowOptions options_;
    std::vector<Window> windows_;
    std::int64_t batch_;
    bool shuffle_;
    std::uint64_t seed_;
    std::vector<std::int64_t> order_;
    std::int64_t position_ = 0;
    std::future<Batch> pending_;
};

}  // namespace nowcell

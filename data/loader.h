// Batches of windows in an order that is a pure function of (seed, epoch, position).
#pragma once

#include "data/augment.h"
#include "data/frame_source.h"
#include "data/windows.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace nowcell {

/// A batch in physical units; a missing value is NaN.
struct Batch {
    torch::Tensor past;      ///< (B,P,C,H,W) float32: the last P = max(T_in, history) known frames, oldest first
    torch::Tensor target;    ///< (B,T_out,C,H,W) float32
    torch::Tensor valid;     ///< (B,T_out,C,H,W) bool, which targets are known; undefined: all are
    torch::Tensor taught;    ///< pairs: (B,T_in-1+T_out,C,H,W), what follows each frame; target is its end
    torch::Tensor later;     ///< pairs: (B,T_out-1,C,H,W), frames of the source after the past
    torch::Tensor guides;    ///< (B,T_out,...) what LoaderOptions::guides made of the past; undefined without it
    std::int64_t first = 0;  ///< position of the first sample in the epoch
};

/// The order of `count` samples in an epoch: a permutation that depends on its arguments alone.
std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::int64_t epoch);

/// Reads the frames of some windows, in one FrameSource::read_batch: past of max(input_steps, history) steps, and the
/// targets; those of pairs in another one. With `targets` false, target stays undefined and only the past is read.
/// Throws Error(internal) for pairs from a source without target().
Batch read_windows(const FrameSource& source, const WindowOptions& options, const std::vector<Window>& windows,
                   bool targets = true);

/// How a Loader serves.
struct LoaderOptions {
    std::int64_t batch = 16;
    bool shuffle = false;
    std::uint64_t seed = 0;     ///< of order and augmentation
    std::int64_t prefetch = 2;  ///< batches read ahead, the one that is being read included, >= 1
    bool pin = false;           ///< in page-locked memory, from which CUDA copies while it computes
    AugmentOptions augment = {};
    /// Called on the reading thread with the past of each batch and the lead times to come: work that needs no weights,
    /// done while the network learns from the batch before. Empty: nothing is done.
    std::function<torch::Tensor(const torch::Tensor& past, std::int64_t horizon)> guides = {};
};

/// Serves one epoch after another, reading ahead on a thread. One thread may call it.
class Loader {
 public:
    /// source must outlive the loader. Throws Error(usage) on a batch or prefetch below 1, or as AugmentOptions::check.
    Loader(const FrameSource& source, WindowOptions window, std::vector<Window> windows, LoaderOptions options);
    ~Loader();  ///< waits for the batch that is being read
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    std::int64_t batches() const;  ///< of a whole epoch; the last one may be smaller
    std::int64_t samples() const;  ///< per epoch

    /// Begins an epoch at any sample, as if those before it had been served: what follows is the same. Batches end
    /// where those of a whole epoch end.
    void start_epoch(std::int64_t epoch, std::int64_t position = 0);
    bool next(Batch& batch);  ///< false at the end of the epoch; rethrows what reading threw, then the epoch is over

    double waited_s() const { return waited_s_; }  ///< spent in next() since the epoch began

 private:
    void stop();
    void read_ahead(std::int64_t epoch, std::int64_t position);
    Batch read(std::int64_t epoch, std::int64_t first, std::int64_t end) const;
    bool put(Batch batch);  // false: nobody wants it any more

    const FrameSource& source_;
    WindowOptions window_;
    std::vector<Window> windows_;
    LoaderOptions options_;
    std::vector<std::int64_t> order_;
    double waited_s_ = 0.0;

    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Batch> ready_;     // with mutex_, as all that follows
    std::exception_ptr failure_;  // after the last ready batch
    bool done_ = true;
    bool stopping_ = false;
};

}  // namespace nowcell

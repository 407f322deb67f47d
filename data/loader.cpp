#include "data/loader.h"

#include "data/counter_random.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace nowcell {
namespace {

// SplitMix64 (Steele, Lea & Flood 2014): a counter and a finaliser, the same on every machine, unlike std::shuffle.
class SplitMix64 {
 public:
    explicit SplitMix64(std::uint64_t state) : state_(state) {}

    std::uint64_t next() { return mix(state_ += 0x9E3779B97F4A7C15ULL); }

    // Uniform in [0, bound): numbers from the incomplete last cycle are thrown away.
    std::uint64_t below(std::uint64_t bound) {
        const std::uint64_t skipped = (0 - bound) % bound;
        std::uint64_t value = next();
        while (value < skipped) value = next();
        return value % bound;
    }

    static std::uint64_t mix(std::uint64_t value) { return CounterRandom::mix(value); }

 private:
    std::uint64_t state_;
};

}  // namespace

std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(std::max<std::int64_t>(0, count)));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    SplitMix64 random(SplitMix64::mix(SplitMix64::mix(seed) ^ static_cast<std::uint64_t>(epoch)));
    for (std::size_t last = order.size(); last > 1; --last) std::swap(order[last - 1], order[random.below(last)]);
    return order;
}

Batch read_windows(const FrameSource& source, const WindowOptions& options, const std::vector<Window>& windows,
                   bool targets) {
    const std::int64_t steps = std::max(options.input_steps, options.history);
    const std::int64_t future = targets ? options.output_steps : 0;
    std::vector<torch::Tensor> past;
    std::vector<torch::Tensor> target;
    for (const Window& window : windows) {
        const std::int64_t first = window.start + options.input_steps - steps;
        const torch::Tensor frames = source.read(window.recording, first, steps + future);
        past.push_back(frames.slice(0, 0, steps));
        if (targets) target.push_back(frames.slice(0, steps));
    }
    return {torch::stack(past), targets ? torch::stack(target) : torch::Tensor(), 0};
}

Loader::Loader(const FrameSource& source, WindowOptions options, std::vector<Window> windows, std::int64_t batch,
               bool shuffle, std::uint64_t seed)
    : source_(source), options_(options), windows_(std::move(windows)), batch_(batch), shuffle_(shuffle), seed_(seed) {
    if (batch_ < 1) throw Error(ExitCode::usage, fmt::format("train.batch must be at least 1, got {}", batch_));
}

Loader::~Loader() {
    if (pending_.valid()) pending_.wait();
}

std::int64_t Loader::batches() const { return (samples() + batch_ - 1) / batch_; }

std::int64_t Loader::samples() const { return static_cast<std::int64_t>(windows_.size()); }

void Loader::start_epoch(std::int64_t epoch) {
    if (pending_.valid()) pending_.wait();
    pending_ = {};
    order_ = epoch_order(samples(), seed_, epoch);
    if (!shuffle_) std::iota(order_.begin(), order_.end(), std::int64_t{0});
    position_ = 0;
    read_ahead();
}

bool Loader::next(Batch& batch) {
    if (!pending_.valid()) return false;
    batch = pending_.get();
    read_ahead();
    return true;
}

void Loader::read_ahead() {
    if (position_ >= samples()) return;
    const std::int64_t end = std::min(position_ + batch_, samples());
    std::vector<Window> windows;
    for (std::int64_t i = position_; i < end; ++i) {
        windows.push_back(windows_[static_cast<std::size_t>(order_[static_cast<std::size_t>(i)])]);
    }
    pending_ = std::async(std::launch::async, [this, first = position_, windows = std::move(windows)] {
        Batch batch = read_windows(source_, options_, windows);
        batch.first = first;
        return batch;
    });
    position_ = end;
}

}  // namespace nowcell

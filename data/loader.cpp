#include "data/loader.h"

#include "data/counter_random.h"
#include "data/missing.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
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

// The steps of each window, (B,T,C,H,W): contiguous ranges of frames, then every frame_step-th of them.
torch::Tensor read_steps(const FrameSource& source, const WindowOptions& options, const std::vector<Window>& windows,
                         std::int64_t steps) {
    std::vector<FrameRange> ranges;
    for (const Window& window : windows) {
        ranges.push_back({window.recording, options.first_frame(window.start), options.reach(steps)});
    }
    return source.read_batch(ranges).slice(1, 0, std::nullopt, options.frame_step);
}

// The steps of some windows: frames of the source, and of pairs the targets that follow its input and later frames.
struct Sequences {
    torch::Tensor frames;  // (B,T,C,H,W)
    torch::Tensor taught;  // (B,T_in-1+T_out,C,H,W), or undefined
};

Sequences read_sequences(const FrameSource& source, const WindowOptions& options, const std::vector<Window>& windows) {
    const std::int64_t steps = options.past_steps() + options.steps() - options.input_steps;
    Sequences read{read_steps(source, options, windows, steps), {}};
    if (!options.paired) return read;
    if (source.target() == nullptr) throw Error(ExitCode::internal, "pairs of a source without targets");
    WindowOptions own = options;
    own.history = 0;
    read.taught = read_steps(*source.target(), own, windows, options.steps());
    return read;
}

// A batch of whole sequences: views, or copies where it would keep the frames between its steps.
Batch cut(const Sequences& read, std::int64_t past, std::int64_t output_steps) {
    const auto part = [](const torch::Tensor& frames, std::int64_t begin, std::optional<std::int64_t> end) {
        const torch::Tensor cut = frames.slice(1, begin, end);
        return frames.is_contiguous() ? cut : cut.contiguous();
    };
    Batch batch;
    batch.past = part(read.frames, 0, past);
    if (read.taught.defined()) {
        batch.taught = read.taught;
        batch.later = part(read.frames, past, std::nullopt);
        batch.target = part(read.taught, read.taught.size(1) - output_steps, std::nullopt);
    } else {
        batch.target = part(read.frames, past, std::nullopt);
    }
    batch.valid = known_values(batch.target);
    return batch;
}

// The view of each sample of an epoch, the same for what it shows and what it teaches.
Sequences looked_at(const Sequences& read, const LoaderOptions& options, std::int64_t epoch, std::int64_t first) {
    std::vector<torch::Tensor> frames;
    std::vector<torch::Tensor> taught;
    for (std::int64_t i = 0; i < read.frames.size(0); ++i) {
        const View view =
            draw_view(options.augment, read.frames.size(3), read.frames.size(4), options.seed, epoch, first + i);
        frames.push_back(look(read.frames[i], view, options.augment));
        if (read.taught.defined()) taught.push_back(look(read.taught[i], view, options.augment));
    }
    return {torch::stack(frames), taught.empty() ? torch::Tensor() : torch::stack(taught)};
}

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
    const std::int64_t past = options.past_steps();
    if (targets) return cut(read_sequences(source, options, windows), past, options.output_steps);
    Batch batch;
    batch.past = read_steps(source, options, windows, past).contiguous();
    return batch;
}

Loader::Loader(const FrameSource& source, WindowOptions window, std::vector<Window> windows, LoaderOptions options)
    : source_(source), window_(window), windows_(std::move(windows)), options_(std::move(options)) {
    const auto positive = [](const char* name, std::int64_t value) {
        if (value < 1) throw Error(ExitCode::usage, fmt::format("{} must be at least 1, got {}", name, value));
    };
    positive("train.batch", options_.batch);
    positive("data.prefetch", options_.prefetch);
    options_.augment.check(source.info());
    if (options_.augment.reverse_time && window_.paired) {
        throw Error(ExitCode::usage, "data.augment has \"reverse-time\", but data.target has only what comes after", "",
                    "leave one of them out");
    }
}

Loader::~Loader() { stop(); }

std::int64_t Loader::batches() const { return (samples() + options_.batch - 1) / options_.batch; }

std::int64_t Loader::samples() const { return static_cast<std::int64_t>(windows_.size()); }

void Loader::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Loader::start_epoch(std::int64_t epoch, std::int64_t position) {
    stop();
    ready_.clear();
    failure_ = nullptr;
    done_ = stopping_ = false;
    waited_s_ = 0.0;
    order_ = epoch_order(samples(), options_.seed, epoch);
    if (!options_.shuffle) std::iota(order_.begin(), order_.end(), std::int64_t{0});
    thread_ = std::thread([this, epoch, position] { read_ahead(epoch, position); });
}

bool Loader::next(Batch& batch) {
    const auto start = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty() || done_; });
    waited_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (ready_.empty()) {
        if (const std::exception_ptr failure = std::exchange(failure_, nullptr)) std::rethrow_exception(failure);
        return false;
    }
    batch = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return true;
}

bool Loader::put(Batch batch) {
    std::unique_lock lock(mutex_);
    ready_.push_back(std::move(batch));
    changed_.notify_all();
    // Room for the next one is made before it is read, so that at most `prefetch` batches exist here.
    changed_.wait(lock, [&] { return stopping_ || static_cast<std::int64_t>(ready_.size()) < options_.prefetch; });
    return !stopping_;
}

void Loader::read_ahead(std::int64_t epoch, std::int64_t position) {
    std::exception_ptr failure;
    try {
        std::int64_t end = 0;
        for (std::int64_t first = position; first < samples(); first = end) {
            end = std::min((first / options_.batch + 1) * options_.batch, samples());
            if (!put(read(epoch, first, end))) break;
        }
    } catch (...) {
        failure = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    failure_ = failure;
    done_ = true;
    changed_.notify_all();
}

Batch Loader::read(std::int64_t epoch, std::int64_t first, std::int64_t end) const {
    std::vector<Window> windows;
    for (std::int64_t i = first; i < end; ++i) {
        windows.push_back(windows_[static_cast<std::size_t>(order_[static_cast<std::size_t>(i)])]);
    }
    Sequences read = read_sequences(source_, window_, windows);
    if (options_.augment.any()) read = looked_at(read, options_, epoch, first);
    Batch batch = cut(read, window_.past_steps(), window_.output_steps);
    batch.first = first;
    if (options_.guides) batch.guides = options_.guides(batch.past, window_.output_steps);
    if (options_.pin) {
        for (torch::Tensor* tensor :
             {&batch.past, &batch.target, &batch.valid, &batch.taught, &batch.later, &batch.guides}) {
            if (tensor->defined()) *tensor = tensor->pin_memory();
        }
    }
    return batch;
}

}  // namespace nowcell

#include "cells/cpu/sequence.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace nowcell::cpu {
namespace {

int row_count(const Layer& layer, const Kernels& kernels) {
    return layer.batch * ((layer.height + kernels.outputs - 1) / kernels.outputs);
}

Range share(int all, int worker, int count) {
    return {static_cast<int>(static_cast<std::int64_t>(all) * worker / count),
            static_cast<int>(static_cast<std::int64_t>(all) * (worker + 1) / count)};
}

// A frame in the arena, with a border of zeros.
class Room {
 public:
    Room() = default;
    Room(const Layer& layer, int depth, int border) : layer_(&layer), depth_(depth), border_(border) {}

    void plan(Arena& arena) {
        if (layer_ != nullptr) arena.plan(&memory_, static_cast<std::size_t>(layer_->batch * item()) + kSpare);
    }
    /// Once placed.
    Frame frame() {
        if (memory_ == nullptr) return {};
        return {memory_ + border_ * (row() + depth_), item(), row(), depth_};
    }
    void clear() {
        if (memory_ == nullptr) return;
        std::memset(memory_, 0, sizeof(float) * (static_cast<std::size_t>(layer_->batch * item()) + kSpare));
    }

 private:
    static constexpr std::size_t kSpare = 16;  // vectors may read beyond the end
    std::ptrdiff_t row() const { return static_cast<std::ptrdiff_t>(layer_->width + 2 * border_) * depth_; }
    std::ptrdiff_t item() const { return (layer_->height + 2 * border_) * row(); }

    const Layer* layer_ = nullptr;
    int depth_ = 0, border_ = 0;
    float* memory_ = nullptr;
};

using Task = std::function<void(int worker)>;

// What the passes share.
class Pass {
 protected:
    Pass(const Layer& layer, const Kernels& kernels, const Workers& workers, const Parallel& parallel, Arena& arena)
        : layer_(layer), kernels_(kernels), workers_(workers), parallel_(parallel), arena_(arena) {}

    Range pixels(int worker) const { return share(layer_.batch * layer_.pixels(), worker, workers_.count); }
    Range rows(int worker) const {
        if (!workers_.apart) return share(row_count(layer_, kernels_), worker, workers_.count);
        const int each = row_count(layer_, kernels_) / layer_.batch;
        const Range items = share(layer_.batch, worker, workers_.count);
        return {items.begin * each, items.end * each};
    }

    /// Whether a pixel sees itself alone: a kernel of 1.
    bool apart_in_space() const { return layer_.kernel == 1; }
    /// Rows of a worker, a few at a time, so that what one kernel leaves the next finds in the cache.
    template <class Use>  // use(rows, pixels)
    void each_chunk(int worker, const Use& use) const {
        const int few = std::max(1, 512 / layer_.width);
        const Range all = rows(worker);
        for (int row = all.begin; row < all.end; row += few) {
            const int end = std::min(all.end, row + few);
            use(Range{row, end}, Range{row * layer_.width, end * layer_.width});
        }
    }

    /// The frames of a step as they are, if they are channels last.
    Frame in_place(const Frames& frames, int step, int depth) const {
        if (!frames || !frames.channels_last) return {};
        return {frames.data + step * frames.step, frames.batch, static_cast<std::ptrdiff_t>(layer_.width) * depth,
                depth};
    }
    /// Whether the kernels can read them where they are.
    bool usable(const Frames& frames) const { return frames.channels_last && kernels_.border == 0; }

    template <class Use>  // use(b, Range of pixels in the frame)
    void each_item(Range all, const Use& use) const {
        const int size = layer_.pixels();
        for (int p = all.begin; p < all.end;) {
            const int b = p / size;
            const int end = std::min(all.end, (b + 1) * size);
            use(b, Range{p - b * size, end - b * size});
            p = end;
        }
    }
    // A row of the frame at a time if it has a border: use(first pixel, first float, count).
    template <class Use>
    void each_run(const Frame& frame, int b, Range run, const Use& use) const {
        const int width = layer_.width;
        if (frame.row == static_cast<std::ptrdiff_t>(width) * frame.depth) {
            use(run.begin, frame.at(b, 0, 0) + static_cast<std::ptrdiff_t>(run.begin) * frame.depth,
                run.end - run.begin);
            return;
        }
        for (int p = run.begin; p < run.end;) {
            const int end = std::min(run.end, (p / width + 1) * width);
            use(p, frame.at(b, p / width, p % width), end - p);
            p = end;
        }
    }

    void copy_in(const Frames& from, int step, const Frame& to, Range all) const {
        each_item(all, [&](int b, Range run) {
            const float* const source = from.data + b * from.batch + step * from.step;
            each_run(to, b, run, [&](int p, float* target, int count) {
                if (from.channels_last) {
                    std::memcpy(target, source + static_cast<std::ptrdiff_t>(p) * to.depth,
                                sizeof(float) * static_cast<std::size_t>(count * to.depth));
                } else {
                    kernels_.to_last(source + p, layer_.pixels(), to.depth, target, {0, count});
                }
            });
        });
    }
    void copy_out(const Frame& from, const Frames& to, int step, Range all) const {
        each_item(all, [&](int b, Range run) {
            float* const target = to.data + b * to.batch + step * to.step;
            each_run(from, b, run, [&](int p, const float* source, int count) {
                if (to.channels_last) {
                    std::memcpy(target + static_cast<std::ptrdiff_t>(p) * from.depth, source,
                                sizeof(float) * static_cast<std::size_t>(count * from.depth));
                } else {
                    kernels_.to_first(source, from.depth, target + p, layer_.pixels(), {0, count});
                }
            });
        });
    }

    /// One after the other: all workers end a task before the next begins, unless they are apart.
    void perform(const std::vector<Task>& tasks) const {
        if (workers_.apart) {
            parallel_(workers_.count, [&](int worker) {
                for (const Task& task : tasks) task(worker);
            });
            return;
        }
        for (const Task& task : tasks) parallel_(workers_.count, task);
    }

    const float* kept(const Kept& keep, int step) const {
        return keep.data == nullptr ? nullptr : keep.data + static_cast<std::ptrdiff_t>(step) * layer_.batch;
    }

    const Layer& layer_;
    const Kernels& kernels_;
    const Workers& workers_;
    const Parallel& parallel_;
    Arena& arena_;
    std::vector<Scratch> scratch_;
};

class Forward : Pass {
 public:
    Forward(const Layer& layer, const Kernels& kernels, const Workers& workers, const Parallel& parallel, Arena& arena,
            const ForwardCall& call)
        : Pass(layer, kernels, workers, parallel, arena), call_(call) {
        const int border = kernels.border;
        scratch_.resize(static_cast<std::size_t>(workers.count));
        for (Scratch& s : scratch_) arena.plan(&s.memory, kernels.scratch(layer).forward);
        if (!usable(call.x)) x_ = Room(layer, layer.channels, border);
        if (!usable(call.h)) {
            h_[0] = Room(layer, layer.filters, border);
            h_[1] = Room(layer, layer.filters, border);
        }
        if (call.h_first) h_first_ = Room(layer, layer.filters, border);
        if (!call.c || call.c_every > 1 || call.c_first) c_ = Room(layer, layer.filters, 0);
        for (Room* room : rooms()) room->plan(arena);
        arena.place();
        if (border > 0) {
            for (Room* room : rooms()) room->clear();
        }
    }

    void run() {
        std::vector<Task> tasks = {[this](int w) {
            if (call_.h_first) copy_in(call_.h_first, 0, h_first_.frame(), pixels(w));
            if (call_.c_first) copy_in(call_.c_first, 0, c_.frame(), pixels(w));
        }};
        for (int t = 0; t < call_.steps; ++t) {
            if (apart_in_space()) {
                tasks.push_back([=, this](int w) {
                    each_chunk(w, [&](Range rows, Range pixels) { step_in_place(t, w, rows, pixels); });
                });
            } else {
                if (!usable(call_.x)) tasks.push_back([=, this](int w) { copy_in(call_.x, t, x_.frame(), pixels(w)); });
                tasks.push_back([=, this](int w) { step(t, w, rows(w)); });
                if (!call_.h.channels_last) {
                    tasks.push_back([=, this](int w) { copy_out(h_at(t), call_.h, t, pixels(w)); });
                }
            }
            if (call_.c && call_.c_every > 1 && (t + 1) % call_.c_every == 0) {
                tasks.push_back([=, this](int w) { copy_out(c_.frame(), call_.c, t / call_.c_every, pixels(w)); });
            }
        }
        tasks.push_back([this](int w) {
            copy_out(h_at(call_.steps - 1), call_.h_last, 0, pixels(w));
            copy_out(c_at(call_.steps - 1), call_.c_last, 0, pixels(w));
        });
        perform(tasks);
    }

 private:
    std::array<Room*, 5> rooms() { return {&x_, &h_[0], &h_[1], &h_first_, &c_}; }

    Frame h_at(int t) { return usable(call_.h) ? in_place(call_.h, t, layer_.filters) : h_[t % 2].frame(); }
    Frame c_at(int t) { return call_.c && call_.c_every == 1 ? in_place(call_.c, t, layer_.filters) : c_.frame(); }

    void step_in_place(int t, int worker, Range rows, Range pixels) {
        if (!usable(call_.x)) copy_in(call_.x, t, x_.frame(), pixels);
        step(t, worker, rows);
        if (!call_.h.channels_last) copy_out(h_at(t), call_.h, t, pixels);
    }

    void step(int t, int worker, Range rows) {
        ForwardStep s;
        s.x = usable(call_.x) ? in_place(call_.x, t, layer_.channels) : x_.frame();
        s.h_old = t > 0 ? h_at(t - 1) : h_first_.frame();
        if (t > 0) {
            s.c_old = c_at(t - 1);
        } else if (call_.c_first) {
            s.c_old = c_.frame();
        }
        s.h = h_at(t);
        if (call_.h.channels_last && !usable(call_.h)) {
            s.h_copy = s.h;
            s.h = in_place(call_.h, t, layer_.filters);
        }
        s.c = c_at(t);
        s.gates = in_place(call_.gates, t, 4 * layer_.filters);
        s.stream_gates = true;
        s.keep_h = kept(call_.keep_h, t);
        s.keep_c = kept(call_.keep_c, t);
        kernels_.forward(layer_, s, rows, scratch_[static_cast<std::size_t>(worker)]);
    }

    const ForwardCall& call_;
    Room x_, h_[2], h_first_, c_;
};

class Backward : Pass {
 public:
    Backward(const Layer& layer, const Kernels& kernels, const Workers& workers, const Parallel& parallel, Arena& arena,
             const BackwardCall& call)
        : Pass(layer, kernels, workers, parallel, arena), call_(call), sizes_(kernels.scratch(layer)) {
        const int border = kernels.border;
        const int filters = layer.filters;
        scratch_.resize(static_cast<std::size_t>(workers.count));
        // Gates computed again must not touch what waits for the product of the weight gradients.
        const std::size_t memory = sizes_.backward + (call.gates ? 0 : sizes_.forward);
        for (Scratch& s : scratch_) {
            arena.plan(&s.memory, memory);
            arena.plan(&s.gradients, sizes_.weight_sums + point_sums());
        }
        if (!usable(call.x)) x_ = Room(layer, layer.channels, border);
        if (!usable(call.h)) h_old_ = Room(layer, filters, border);
        if (call.h_first) h_first_ = Room(layer, filters, border);
        if (call.c_first) c_first_ = Room(layer, filters, 0);
        if (!call.gates) {
            gates_ = Room(layer, 4 * filters, 0);
            for (Room& room : again_) room = Room(layer, filters, 0);
        }
        if (call.c_every > 1) c_.assign(static_cast<std::size_t>(call.c_every), Room(layer, filters, 0));
        if (call.d_h && !call.d_h.channels_last) d_out_ = Room(layer, filters, 0);
        d_h_ = Room(layer, filters, 0);
        d_c_ = Room(layer, filters, 0);
        d_gates_ = Room(layer, 4 * filters, border);
        if (call.d_x && !call.d_x.channels_last) d_x_ = Room(layer, layer.channels, 0);
        for (Room* room : rooms()) room->plan(arena);
        arena.place();
        if (border > 0) {
            for (Room* room : {&x_, &h_old_, &h_first_, &d_gates_}) room->clear();
        }
    }

    void run() {
        std::vector<Task> tasks = {[this](int w) { begin(w); }};
        const bool seams = !workers_.apart && kernels_.seam > 0;
        for (int t = call_.steps - 1; t >= 0; --t) {
            if (call_.c_every > 1 && (t == call_.steps - 1 || (t + 1) % call_.c_every == 0)) {
                for (int before = t - t % call_.c_every; before < t; ++before) {
                    tasks.push_back([=, this](int w) { prepare(before, pixels(w)); });
                    tasks.push_back([=, this](int w) { compute_again(before, w, rows(w)); });
                }
            }
            if (apart_in_space()) {
                tasks.push_back([=, this](int w) {
                    each_chunk(w, [&](Range rows, Range pixels) { step_in_place(t, w, rows, pixels); });
                });
                continue;
            }
            tasks.push_back([=, this](int w) { prepare(t, pixels(w)); });
            if (!call_.gates) tasks.push_back([=, this](int w) { compute_again(t, w, rows(w)); });
            tasks.push_back([=, this](int w) { kernels_.gate_gradients(layer_, step(t), pixels(w), scratch(w)); });
            tasks.push_back([=, this](int w) {
                Range range = rows(w);
                if (seams && w > 0) range.begin += kernels_.seam;
                kernels_.backward(layer_, step(t), range, scratch(w));
            });
            if (seams) {
                tasks.push_back([=, this](int w) {
                    if (w == 0) return;
                    const int first = rows(w).begin;
                    kernels_.backward(layer_, step(t), {first, first + kernels_.seam}, scratch(w));
                });
            }
            tasks.push_back([=, this](int w) { leave(t, pixels(w)); });
        }
        perform(tasks);
        finish();
    }

 private:
    std::vector<Room*> rooms() {
        std::vector<Room*> all = {&x_,        &h_old_, &h_first_, &c_first_, &gates_,   &again_[0],
                                  &again_[1], &d_out_, &d_h_,     &d_c_,     &d_gates_, &d_x_};
        for (Room& room : c_) all.push_back(&room);
        return all;
    }
    Scratch& scratch(int worker) { return scratch_[static_cast<std::size_t>(worker)]; }
    std::size_t peephole_sums() const {
        if (call_.d_peephole == nullptr && layer_.peephole == nullptr) return 0;
        return static_cast<std::size_t>(3 * layer_.filters * (layer_.peephole_pixel == 0 ? 1 : layer_.pixels()));
    }
    std::size_t point_sums() const {
        constexpr std::size_t kSpare = 16;
        return static_cast<std::size_t>(4 * layer_.filters) + peephole_sums() + kSpare;
    }

    void begin(int worker) {
        Scratch& s = scratch(worker);
        std::memset(s.gradients, 0, sizeof(float) * (sizes_.weight_sums + point_sums()));
        const Range own = pixels(worker);
        if (call_.h_first) copy_in(call_.h_first, 0, h_first_.frame(), own);
        if (call_.c_first) copy_in(call_.c_first, 0, c_first_.frame(), own);
        start(call_.d_h_last, d_h_.frame(), own);
        start(call_.d_c_last, d_c_.frame(), own);
    }
    void start(const Frames& from, const Frame& to, Range own) {
        if (from) {
            copy_in(from, 0, to, own);
        } else {
            std::memset(to.data + static_cast<std::ptrdiff_t>(own.begin) * to.depth, 0,
                        sizeof(float) * static_cast<std::size_t>((own.end - own.begin) * to.depth));
        }
    }

    void step_in_place(int t, int worker, Range rows, Range pixels) {
        prepare(t, pixels);
        if (!call_.gates) compute_again(t, worker, rows);
        kernels_.gate_gradients(layer_, step(t), pixels, scratch(worker));
        kernels_.backward(layer_, step(t), rows, scratch(worker));
        leave(t, pixels);
    }

    void leave(int t, Range own) {
        if (call_.d_x && !call_.d_x.channels_last) copy_out(d_x_.frame(), call_.d_x, t, own);
    }

    void prepare(int t, Range own) {
        if (!usable(call_.x)) copy_in(call_.x, t, x_.frame(), own);
        if (!usable(call_.h) && t > 0) copy_in(call_.h, t - 1, h_old_.frame(), own);
        if (call_.d_h && !call_.d_h.channels_last) copy_in(call_.d_h, t, d_out_.frame(), own);
    }

    ConstFrame x_at(int t) { return usable(call_.x) ? in_place(call_.x, t, layer_.channels) : x_.frame(); }
    ConstFrame h_before(int t) {
        if (t == 0) return h_first_.frame();
        return usable(call_.h) ? in_place(call_.h, t - 1, layer_.filters) : h_old_.frame();
    }
    // The c of a step: as saved, or computed again from the last one that was.
    Frame c_of(int t) {
        const int every = call_.c_every;
        if (every == 1) return in_place(call_.c, t, layer_.filters);
        return (t + 1) % every == 0 ? in_place(call_.c, t / every, layer_.filters)
                                    : c_[static_cast<std::size_t>(t % every)].frame();
    }
    Frame c_before(int t) { return t == 0 ? c_first_.frame() : c_of(t - 1); }

    void compute_again(int t, int worker, Range rows) {
        ForwardStep s;
        s.x = x_at(t);
        s.h_old = h_before(t);
        s.c_old = c_before(t);
        s.h = again_[0].frame();
        s.c = call_.c_every > 1 && (t + 1) % call_.c_every != 0 ? c_of(t) : again_[1].frame();
        s.gates = gates_.frame();
        s.keep_h = kept(call_.keep_h, t);
        s.keep_c = kept(call_.keep_c, t);
        Scratch own;
        own.memory = scratch(worker).memory + sizes_.backward;
        kernels_.forward(layer_, s, rows, own);
    }

    BackwardStep step(int t) {
        BackwardStep s;
        s.x = x_at(t);
        s.h_old = h_before(t);
        s.c_old = c_before(t);
        s.c = c_of(t);
        s.gates = call_.gates ? in_place(call_.gates, t, 4 * layer_.filters) : gates_.frame();
        if (call_.d_h) s.d_out = call_.d_h.channels_last ? in_place(call_.d_h, t, layer_.filters) : d_out_.frame();
        s.d_h = d_h_.frame();
        s.d_c = d_c_.frame();
        s.d_gates = d_gates_.frame();
        if (call_.d_x) s.d_x = call_.d_x.channels_last ? in_place(call_.d_x, t, layer_.channels) : d_x_.frame();
        s.keep_h = kept(call_.keep_h, t);
        s.keep_c = kept(call_.keep_c, t);
        s.weights = call_.weights.input != nullptr;
        return s;
    }

    void finish() {
        parallel_(workers_.count, [this](int w) {
            if (call_.weights.input != nullptr) kernels_.flush(layer_, scratch(w));
            if (call_.d_h_first) copy_out(d_h_.frame(), call_.d_h_first, 0, pixels(w));
            if (call_.d_c_first) copy_out(d_c_.frame(), call_.d_c_first, 0, pixels(w));
        });
        if (call_.weights.input != nullptr) {
            parallel_(workers_.count, [this](int w) {
                kernels_.finish(layer_, scratch_.data(), workers_.count, call_.weights,
                                share(layer_.depth(), w, workers_.count));
            });
        }
        sum_points(call_.d_bias, 0, static_cast<std::size_t>(4 * layer_.filters));
        sum_points(call_.d_peephole, static_cast<std::size_t>(4 * layer_.filters), peephole_sums());
    }
    void sum_points(float* to, std::size_t first, std::size_t count) const {
        for (std::size_t i = 0; to != nullptr && i < count; ++i) {
            to[i] = 0.0F;
            for (const Scratch& s : scratch_) to[i] += s.gradients[sizes_.weight_sums + first + i];
        }
    }

    const BackwardCall& call_;
    ScratchSize sizes_;
    Room x_, h_old_, h_first_, c_first_, gates_, again_[2], d_out_, d_h_, d_c_, d_gates_, d_x_;
    std::vector<Room> c_;  // of the steps between two saved ones
};

}  // namespace

Workers workers_for(const Layer& layer, const Kernels& kernels, int threads) {
    if (threads <= 1) return {1, true};
    if (layer.batch % threads == 0) return {threads, true};
    const int least = std::max(1, 2 * kernels.seam);
    const int count = std::clamp(row_count(layer, kernels) / least, 1, threads);
    return {count, count == 1};
}

void run_forward(const Layer& layer, const Kernels& kernels, const Workers& workers, const Parallel& parallel,
                 Arena& arena, const ForwardCall& call) {
    Forward(layer, kernels, workers, parallel, arena, call).run();
}

void run_backward(const Layer& layer, const Kernels& kernels, const Workers& workers, const Parallel& parallel,
                  Arena& arena, const BackwardCall& call) {
    Backward(layer, kernels, workers, parallel, arena, call).run();
}

}  // namespace nowcell::cpu

#include "src/read_out.h"

#include <ATen/ATen.h>

#include <deque>

namespace nowcell {
namespace {

// The steps of a call, one after the other, and what the head sees of them.
class Steps {
 public:
    Steps(LayerStack& stack, Head& head, const HeadHistory& history)
        : stack_(stack), head_(head), seen_(static_cast<std::size_t>(head.past())) {
        if (!history.hidden.defined()) return;
        for (std::int64_t i = 0; i < head.past(); ++i) {
            seen_[static_cast<std::size_t>(i)] = FrameView(history.hidden.narrow(1, i, 1));
        }
    }

    /// x: (B,1,C,H,W).
    void read(const torch::Tensor& x, std::vector<State>& states) {
        const FrameView hidden = resized(stack_.step(x, states), size_of(x));
        // What is seen again later must not be computed from states that are gone by then.
        add(head_.past() + head_.ahead() > 0 ? FrameView(hidden.whole(stack_.tile())) : hidden);
    }
    void add(const FrameView& hidden) { seen_.push_back(hidden); }
    /// The output of a step whose steps ahead have been added; undefined before.
    torch::Tensor output() {
        if (static_cast<std::int64_t>(seen_.size()) <= head_.past() + head_.ahead()) return {};
        const torch::Tensor frame = head_.in_tiles({seen_.begin(), seen_.end()}, stack_.tile());
        seen_.pop_front();
        return frame;
    }
    /// Forgets what the next output would see first.
    void skip() { seen_.pop_front(); }
    /// What the head remembers of all steps so far.
    void remember(HeadHistory& history) const {
        if (head_.past() == 0) return;
        std::vector<torch::Tensor> frames;
        for (auto step = seen_.end() - head_.past(); step != seen_.end(); ++step) {
            frames.push_back(step->defined() ? step->whole(stack_.tile()) : torch::Tensor());
        }
        for (torch::Tensor& frame : frames) {
            if (!frame.defined()) frame = at::zeros_like(frames.back());
        }
        history.hidden = at::cat(frames, 1);
    }

 private:
    LayerStack& stack_;
    Head& head_;
    std::deque<FrameView> seen_;
};

// The frames from step `first` on.
torch::Tensor in_tiles(LayerStack& stack, Head& head, const torch::Tensor& x, std::int64_t first,
                       std::vector<State>& states, HeadHistory& history) {
    Steps steps(stack, head, history);
    std::vector<torch::Tensor> frames;
    const auto take = [&](std::int64_t step) {
        if (step < 0) return;
        if (step < first) return steps.skip();
        if (const torch::Tensor frame = steps.output(); frame.defined()) frames.push_back(frame);
    };
    for (std::int64_t t = 0; t < x.size(1); ++t) {
        steps.read(x.narrow(1, t, 1), states);
        take(t - head.ahead());
    }
    steps.remember(history);
    for (std::int64_t t = x.size(1); t < x.size(1) + head.ahead(); ++t) {
        steps.add({});
        take(t - head.ahead());
    }
    return frames.size() == 1 ? frames.front() : at::cat(frames, 1);
}

torch::Tensor last_step(const torch::Tensor& x) { return x.narrow(1, x.size(1) - 1, 1); }

}  // namespace

torch::Tensor read_out(LayerStack& stack, Head& head, const torch::Tensor& x, std::vector<State>& states,
                       HeadHistory& history) {
    if (!stack.tiled()) return head.forward(stack.forward(x, states), size_of(x), history);
    return in_tiles(stack, head, x, stack.gives_last_only() ? x.size(1) - 1 : 0, states, history);
}

torch::Tensor read_out_last(LayerStack& stack, Head& head, const torch::Tensor& x, std::vector<State>& states,
                            HeadHistory& history) {
    if (!stack.tiled()) return head.last(stack.forward(x, states), size_of(x), history);
    return in_tiles(stack, head, x, x.size(1) - 1, states, history);
}

torch::Tensor read_out_state(LayerStack& stack, Head& head, const torch::Tensor& x, std::vector<State>& states) {
    HeadHistory none;
    if (!stack.tiled()) return head.forward(last_step(stack.forward(x, states)), size_of(x), none);
    if (x.size(1) > 1) read_in(stack, x.narrow(1, 0, x.size(1) - 1), states);
    return in_tiles(stack, head, last_step(x), 0, states, none);
}

void read_in(LayerStack& stack, const torch::Tensor& x, std::vector<State>& states) {
    if (!stack.tiled()) {
        stack.forward(x, states);
        return;
    }
    for (std::int64_t t = 0; t < x.size(1); ++t) stack.step(x.narrow(1, t, 1), states);
}

}  // namespace nowcell

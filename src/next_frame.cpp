#include "src/read_out.h"
#include "src/strategy.h"

#include <ATen/ATen.h>

namespace nowcell {
namespace {

// Whether every sample is shown the true frame at every step of [first, first + steps).
bool all_true(const torch::Tensor& shown, std::int64_t first, std::int64_t steps) {
    return !shown.defined() || shown.narrow(1, first, steps).all().item<bool>();
}

class NextFrame final : public SequenceModel {
 public:
    NextFrame(std::int64_t channels, const ModelOptions& options, const std::optional<FrameSize>& frame)
        : SequenceModel(channels, options, frame),
          last_only_(!options.layers.back().return_sequences),
          stack_(register_module("stack", make_stack(1))),
          head_(register_module("head", make_head(*stack_))) {}

    Supervised supervised(const Lesson& lesson) override {
        const torch::Tensor& input = lesson.input;
        check_frames(input, "input", channels());
        check_shown(lesson);
        const torch::Tensor level = level_of(input, options());
        if (last_only_) return taught_last(lesson, level);
        const std::int64_t steps = input.size(1) + lesson.target.size(1) - 1;
        const torch::Tensor shown = fold(lowered(at::cat({input, later_frames(lesson)}, 1).narrow(1, 0, steps), level));
        const torch::Tensor taught = at::cat({input, lesson.target}, 1).narrow(1, 1, steps);
        std::vector<State> states;
        HeadHistory history;
        const torch::Tensor next = all_true(lesson.shown, 0, steps) ? step(shown, states, history)
                                                                    : sampled(shown, lesson.shown, states, history);
        return {raised(unfold(next), level), taught, 1};
    }

 private:
    // memory.last: the forecast of the frame after those read.
    void read(const torch::Tensor& frames, SequenceMemory& memory) override {
        const torch::Tensor known = fold(lowered(frames, memory.level));
        memory.last = read_out_last(*stack_, *head_, known, memory.states, memory.history);
    }

    torch::Tensor next(SequenceMemory& memory, const torch::Tensor&) override {
        if (memory.leads > 0) memory.last = step(memory.last, memory.states, memory.history);
        return raised(unfold(memory.last), memory.level);
    }

    torch::Tensor step(const torch::Tensor& frames, std::vector<State>& states, HeadHistory& history) {
        return read_out(*stack_, *head_, frames, states, history);
    }

    Supervised taught_last(const Lesson& lesson, const torch::Tensor& level) {
        const std::int64_t steps = lesson.input.size(1);
        TORCH_CHECK_VALUE(all_true(lesson.shown, 0, steps),
                          "a network whose last layer returns no sequence has no forecasts of its input to be shown");
        std::vector<State> states;
        HeadHistory history;
        const torch::Tensor next = unfold(step(fold(lowered(lesson.input, level)), states, history));
        return {raised(next, level), lesson.target.narrow(1, 0, 1), steps};
    }

    // Step by step, as what a step sees may be the forecast of the one before; frames: (B,T,C,H,W), folded.
    torch::Tensor sampled(const torch::Tensor& frames, const torch::Tensor& shown, std::vector<State>& states,
                          HeadHistory& history) {
        std::vector<torch::Tensor> forecasts = {step(frames.narrow(1, 0, 1), states, history)};
        for (std::int64_t s = 1; s < frames.size(1); ++s) {
            const torch::Tensor frame = shown_frame(shown.select(1, s), frames.narrow(1, s, 1), forecasts.back());
            forecasts.push_back(step(frame, states, history));
        }
        return at::cat(forecasts, 1);
    }

    bool last_only_;
    std::shared_ptr<LayerStack> stack_;
    std::shared_ptr<Head> head_;
};

}  // namespace

std::shared_ptr<SequenceModel> make_next_frame(std::int64_t channels, const ModelOptions& options,
                                               const std::optional<FrameSize>& frame) {
    return std::make_shared<NextFrame>(channels, options, frame);
}

}  // namespace nowcell

#include "src/sequence_model.h"

#include "cells/cuda_graph.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace nowcell {
namespace {

torch::Tensor last_frame(const torch::Tensor& frames) { return frames.narrow(1, frames.size(1) - 1, 1); }

// What is subtracted from every frame that the network sees, (B,1,C,H,W); undefined: nothing.
torch::Tensor level_of(const torch::Tensor& input, const ModelOptions& options) {
    return options.relative ? last_frame(input) : torch::Tensor();
}

torch::Tensor lowered(const torch::Tensor& frames, const torch::Tensor& level) {
    return level.defined() ? frames - level : frames;
}

torch::Tensor raised(const torch::Tensor& frames, const torch::Tensor& level) {
    return level.defined() ? frames + level : frames;
}

// Whether every sample is shown the true frame at every step of [first, first + steps).
bool all_true(const torch::Tensor& shown, std::int64_t first, std::int64_t steps) {
    return !shown.defined() || shown.narrow(1, first, steps).all().item<bool>();
}

// Per sample the true frame where `shown` (B) says so, else its own forecast; both (B,1,C,H,W).
torch::Tensor mixed(const torch::Tensor& shown, const torch::Tensor& truth, const torch::Tensor& own) {
    if (shown.all().item<bool>()) return truth;
    if (!shown.any().item<bool>()) return own;
    return at::where(shown.to(own.device()).view({-1, 1, 1, 1, 1}), truth, own);
}

void check_shown(const Lesson& lesson) {
    if (!lesson.shown.defined()) return;
    const std::vector<std::int64_t> expected = {lesson.input.size(0), lesson.input.size(1) + lesson.target.size(1) - 1};
    TORCH_CHECK_VALUE(
        lesson.shown.sizes() == expected && lesson.shown.scalar_type() == at::kBool && lesson.shown.is_cpu(),
        "shown must be bool on the CPU of (B,T_in+T_out-1) = ", at::IntArrayRef(expected), ", got ",
        lesson.shown.toString(), " ", lesson.shown.sizes());
}

// The frames that training may show after the input, (B,T_out,C,H,W).
const torch::Tensor& later_frames(const Lesson& lesson) { return lesson.seen.defined() ? lesson.seen : lesson.target; }

// Taught with the true previous frame at every step; in prediction its own forecast takes that place.
class NextFrame final : public SequenceModel {
 public:
    NextFrame(std::int64_t channels, const ModelOptions& options, const std::optional<FrameSize>& frame)
        : SequenceModel(channels, options, frame),
          last_only_(!options.layers.back().return_sequences),
          stack_(register_module("stack", make_stack(1))),
          head_(register_module("head", make_head(*stack_))) {}

    torch::Tensor forecast(const torch::Tensor& input, const torch::Tensor&, std::int64_t horizon) override {
        check_frames(input, "input", channels());
        const torch::Tensor level = level_of(input, options());
        std::vector<State> states;
        HeadHistory history;
        torch::Tensor frame = last_frame(step(fold(lowered(input, level)), states, history));
        std::vector<torch::Tensor> frames = {frame};
        while (static_cast<std::int64_t>(frames.size()) < horizon) {
            frame = step(frame, states, history);
            frames.push_back(frame);
        }
        return raised(unfold(at::cat(frames, 1)), level);
    }

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
    torch::Tensor step(const torch::Tensor& frames, std::vector<State>& states, HeadHistory& history) {
        return head_->forward(stack_->forward(frames, states), size_of(frames), history);
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
            const torch::Tensor frame = mixed(shown.select(1, s), frames.narrow(1, s, 1), forecasts.back());
            forecasts.push_back(step(frame, states, history));
        }
        return at::cat(forecasts, 1);
    }

    bool last_only_;
    std::shared_ptr<Stack> stack_;
    std::shared_ptr<Head> head_;
};

// The encoder's last states become the decoder's first. The decoder sees the guides' frame of each lead time, or its
// own previous forecast where there are none.
class EncoderForecaster final : public SequenceModel {
 public:
    EncoderForecaster(std::int64_t channels, const ModelOptions& options, const std::optional<FrameSize>& frame)
        : SequenceModel(channels, options, frame),
          guides_(static_cast<std::int64_t>(options.guides().size())),
          encoder_(register_module("encoder", make_stack(1))),
          decoder_(register_module("decoder", make_stack(std::max<std::int64_t>(1, guides_)))),
          head_(register_module("head", make_head(*decoder_))) {}

    torch::Tensor forecast(const torch::Tensor& input, const torch::Tensor& guides, std::int64_t horizon) override {
        return decoded(input, guides, horizon, {}, {});
    }

    Supervised supervised(const Lesson& lesson) override {
        check_shown(lesson);
        const std::int64_t steps = lesson.input.size(1);
        const std::int64_t horizon = lesson.target.size(1);
        const torch::Tensor shown =
            lesson.shown.defined() ? lesson.shown.narrow(1, steps, horizon - 1) : torch::Tensor();
        return {decoded(lesson.input, lesson.guides, horizon, later_frames(lesson), shown), lesson.target, steps};
    }

 private:
    // later: frames after the input, of which `shown` (B,horizon-1) says whether the decoder's second step and those
    // after it see them; undefined: none.
    torch::Tensor decoded(const torch::Tensor& input, const torch::Tensor& guides, std::int64_t horizon,
                          const torch::Tensor& later, const torch::Tensor& shown) {
        check_frames(input, "input", channels());
        const torch::Tensor level = level_of(input, options());
        const torch::Tensor known = fold(lowered(input, level));
        std::vector<State> states;
        encoder_->forward(known, states);
        if (guides_ > 0) return guided(guides, level, states, horizon);
        const torch::Tensor truth = shown.defined() ? fold(lowered(later, level)) : torch::Tensor();
        return raised(unfold(closed_loop(last_frame(known), states, horizon, truth, shown)), level);
    }

    torch::Tensor closed_loop(torch::Tensor frame, std::vector<State>& states, std::int64_t horizon,
                              const torch::Tensor& truth, const torch::Tensor& shown) {
        HeadHistory history;
        std::vector<torch::Tensor> frames;
        for (std::int64_t lead = 0; lead < horizon; ++lead) {
            if (lead > 0 && shown.defined()) {
                frame = mixed(shown.select(1, lead - 1), truth.narrow(1, lead - 1, 1), frame);
            }
            frame = head_->forward(decoder_->forward(frame, states), size_of(frame), history);
            frames.push_back(frame);
        }
        return at::cat(frames, 1);
    }

    // All lead times in one sweep: nothing that the decoder sees depends on its own output.
    torch::Tensor guided(const torch::Tensor& guides, const torch::Tensor& level, std::vector<State>& states,
                         std::int64_t horizon) {
        TORCH_CHECK_VALUE(guides.defined(), "the decoder sees ", guides_, " baselines, but none was given");
        check_frames(guides, "guides", guides_ * channels());
        TORCH_CHECK_VALUE(guides.size(1) == horizon, "guides have ", guides.size(1), " lead times, expected ", horizon);
        const torch::Tensor levels = level.defined() ? level.repeat({1, 1, guides_, 1, 1}) : level;
        HeadHistory history;
        const torch::Tensor seen = fold(lowered(guides, levels));
        const torch::Tensor frames = unfold(head_->forward(decoder_->forward(seen, states), size_of(seen), history));
        return options().corrects() ? frames + guides.narrow(2, 0, channels()) : raised(frames, level);
    }

    std::int64_t guides_;
    std::shared_ptr<Stack> encoder_;
    std::shared_ptr<Stack> decoder_;
    std::shared_ptr<Head> head_;
};

}  // namespace

SequenceModel::SequenceModel(std::int64_t channels, ModelOptions options, const std::optional<FrameSize>& frame)
    : channels_(channels), options_(std::move(options)) {
    const std::string tie = options_.tie();
    TORCH_CHECK_VALUE(tie.empty() || frame, tie, " ties the network to a frame size, but none was given");
    if (!tie.empty()) frame_ = frame;
}

std::shared_ptr<Stack> SequenceModel::make_stack(std::int64_t frames_seen) const {
    std::optional<FrameSize> folded = frame_;
    if (folded) folded = FrameSize{frame_->height / options_.patch, frame_->width / options_.patch};
    return std::make_shared<Stack>(folded_channels() * frames_seen, options_.layers, folded);
}

std::shared_ptr<Head> SequenceModel::make_head(const Stack& stack) const {
    return std::make_shared<Head>(stack.output_channels(), folded_channels(), options_, options_.corrects());
}

std::int64_t SequenceModel::parameter_count() const {
    std::int64_t count = 0;
    for (const torch::Tensor& parameter : parameters()) count += parameter.numel();
    return count;
}

torch::Tensor SequenceModel::fold(const torch::Tensor& frames) const {
    return options_.patch == 1 ? frames : at::pixel_unshuffle(frames, options_.patch);
}

torch::Tensor SequenceModel::unfold(const torch::Tensor& frames) const {
    return options_.patch == 1 ? frames : at::pixel_shuffle(frames, options_.patch);
}

void SequenceModel::check_frames(const torch::Tensor& frames, const char* what, std::int64_t channels) const {
    TORCH_CHECK_VALUE(frames.dim() == 5, what, " must be (B,T,C,H,W), got ", frames.dim(), " dimensions");
    TORCH_CHECK_VALUE(frames.size(2) == channels, what, " has ", frames.size(2), " channels, expected ", channels);
    const std::optional<Problem> problem = misfit(size_of(frames));
    TORCH_CHECK_VALUE(!problem, what, ": ", problem->what);
}

std::shared_ptr<SequenceModel> make_sequence_model(std::int64_t channels, const ModelOptions& options,
                                                   const std::optional<FrameSize>& frame) {
    use_cuda_graphs(options.cuda_graph);
    if (options.strategy == "next-frame") return std::make_shared<NextFrame>(channels, options, frame);
    return std::make_shared<EncoderForecaster>(channels, options, frame);
}

}  // namespace nowcell

#include "src/read_out.h"
#include "src/strategy.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace nowcell {
namespace {

class EncoderForecaster final : public SequenceModel {
 public:
    EncoderForecaster(std::int64_t channels, const ModelOptions& options, const std::optional<FrameSize>& frame)
        : SequenceModel(channels, options, frame),
          guides_(static_cast<std::int64_t>(options.guides().size())),
          encoder_(register_module("encoder", make_encoder())),
          decoder_(register_module("decoder", make_decoder(std::max<std::int64_t>(1, guides_)))),
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
        read_in(*encoder_, known, states);
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
                frame = shown_frame(shown.select(1, lead - 1), truth.narrow(1, lead - 1, 1), frame);
            }
            frame = read_out(*decoder_, *head_, frame, states, history);
            frames.push_back(frame);
        }
        return at::cat(frames, 1);
    }

    // All lead times in one sweep: nothing that the decoder sees depends on its own output.
    torch::Tensor guided(const torch::Tensor& guides, const torch::Tensor& level, std::vector<State>& states,
                         std::int64_t horizon) {
        HeadHistory history;
        const torch::Tensor seen = seen_guides(guides, level, horizon);
        const torch::Tensor frames = unfold(read_out(*decoder_, *head_, seen, states, history));
        return completed(frames, guides, level);
    }

    std::int64_t guides_;
    std::shared_ptr<LayerStack> encoder_;
    std::shared_ptr<LayerStack> decoder_;
    std::shared_ptr<Head> head_;
};

}  // namespace

std::shared_ptr<SequenceModel> make_encoder_forecaster(std::int64_t channels, const ModelOptions& options,
                                                       const std::optional<FrameSize>& frame) {
    return std::make_shared<EncoderForecaster>(channels, options, frame);
}

}  // namespace nowcell

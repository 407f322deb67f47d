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
        if (!options().looks_ahead()) return SequenceModel::forecast(input, guides, horizon);
        SequenceMemory memory = begin(input);
        return guided(memory, guides, horizon);
    }

    Supervised supervised(const Lesson& lesson) override {
        check_shown(lesson);
        SequenceMemory memory = begin(lesson.input);
        const torch::Tensor forecast =
            guides_ > 0 ? guided(memory, lesson.guides, lesson.target.size(1)) : closed_loop(memory, lesson);
        return {forecast, lesson.target, lesson.input.size(1)};
    }

 private:
    // memory.last: what a decoder that reads its own forecasts reads next, folded and relative to the level.
    void read(const torch::Tensor& frames, SequenceMemory& memory) override {
        const torch::Tensor known = fold(lowered(frames, memory.level));
        read_in(*encoder_, known, memory.states);
        memory.last = last_frame(known);
    }

    torch::Tensor next(SequenceMemory& memory, const torch::Tensor& guides) override {
        if (guides_ > 0) return guided(memory, guides, 1);
        memory.last = read_out(*decoder_, *head_, memory.last, memory.states, memory.history);
        return raised(unfold(memory.last), memory.level);
    }

    // The decoder's second step and those after it see the frames after the input that the lesson says, else their own.
    torch::Tensor closed_loop(SequenceMemory& memory, const Lesson& lesson) {
        const std::int64_t steps = lesson.input.size(1);
        const torch::Tensor truth =
            lesson.shown.defined() ? fold(lowered(later_frames(lesson), memory.level)) : torch::Tensor();
        std::vector<torch::Tensor> frames = {next(memory, {})};
        for (std::int64_t lead = 1; lead < lesson.target.size(1); ++lead) {
            if (truth.defined()) {
                memory.last =
                    shown_frame(lesson.shown.select(1, steps + lead - 1), truth.narrow(1, lead - 1, 1), memory.last);
            }
            frames.push_back(next(memory, {}));
        }
        return at::cat(frames, 1);
    }

    // Lead times in one sweep: nothing that the decoder sees depends on its own output.
    torch::Tensor guided(SequenceMemory& memory, const torch::Tensor& guides, std::int64_t leads) {
        const torch::Tensor seen = seen_guides(guides, memory.level, leads);
        const torch::Tensor frames = unfold(read_out(*decoder_, *head_, seen, memory.states, memory.history));
        return completed(frames, guides, memory.level);
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

#include "predict/stream/context.h"

#include "src/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace nowcell {
namespace {

class WholeContext final : public Context {
 public:
    explicit WholeContext(const Forecaster& forecaster)
        : forecaster_(forecaster),
          frame_step_(forecaster.data().window.frame_step),
          hold_(forecaster.data().source.missing == "hold") {
        check(forecaster.network().options());
        reset();
    }

    void observe(const torch::Tensor& frame, bool filled) override {
        Phase& phase = phases_[static_cast<std::size_t>(frames_ % frame_step_)];
        torch::Tensor seen = frame;
        if (hold_) {
            const torch::Tensor known = frame.isfinite();
            if (phase.held.defined() && !known.all().item<bool>()) seen = at::where(known, frame, phase.held);
            phase.held = seen;
        }
        forecaster_.read(seen.unsqueeze(0).unsqueeze(0), phase.memory);
        recent_.push_back(frame);
        if (static_cast<std::int64_t>(recent_.size()) > forecaster_.history() * frame_step_) recent_.pop_front();
        ++frames_;
        filled_ += filled ? 1 : 0;
    }

    std::int64_t steps() const override { return steps_before(0); }
    std::int64_t steps_to_next() const override { return steps_before(frame_step_ - 1); }
    std::int64_t filled() const override { return filled_; }
    torch::Tensor last() const override { return recent_.empty() ? torch::Tensor() : recent_.back(); }

    torch::Tensor forecast(std::int64_t horizon) const override { return start().next(horizon)[0]; }
    Rollout start() const override { return start_from(0); }
    torch::Tensor next() const override { return start_from(frame_step_ - 1).next(1)[0][0]; }

    void reset() override {
        phases_.assign(static_cast<std::size_t>(frame_step_), {});
        recent_.clear();
        frames_ = filled_ = 0;
    }

    void save(SafeTensors& file) const override {
        if (frames_ == 0) return;
        file.tensors["counts"] = at::tensor({frames_, filled_}, at::kLong);
        file.tensors["recent"] = at::stack(std::vector<torch::Tensor>(recent_.begin(), recent_.end()));
        for (std::size_t i = 0; i < phases_.size(); ++i) {
            const std::string prefix = fmt::format("memory.{}.", i);
            for (const auto& [name, tensor] : phases_[i].memory.tensors()) {
                file.tensors[prefix + name] = tensor.cpu().contiguous();
            }
            if (phases_[i].held.defined()) file.tensors[prefix + kHeld] = phases_[i].held.contiguous();
        }
    }

    void load(const SafeTensors& file) override {
        reset();
        if (file.tensors.count("counts") == 0) return;
        const torch::Tensor counts = file.tensors.at("counts");
        frames_ = counts[0].item<std::int64_t>();
        filled_ = counts[1].item<std::int64_t>();
        for (const torch::Tensor& frame : file.tensors.at("recent").unbind()) recent_.push_back(frame.clone());
        for (std::size_t i = 0; i < phases_.size(); ++i) load_phase(file, fmt::format("memory.{}.", i), phases_[i]);
    }

 private:
    // Every frame_step-th frame is a sequence of its own.
    struct Phase {
        SequenceMemory memory;
        torch::Tensor held;  // the last known value of each pixel
    };
    static constexpr const char* kHeld = "held";

    static void check(const ModelOptions& model) {
        const char* why = nullptr;
        if (model.relative) why = "model.relative: frames are seen relative to the last one of an input";
        if (model.looks_ahead()) why = "model.time_padding = \"same\": lead times see later ones";
        if (why == nullptr) return;
        throw Error(ExitCode::model, fmt::format("this network cannot read one frame after the other ({})", why), "",
                    "--context window");
    }

    void load_phase(const SafeTensors& file, const std::string& prefix, Phase& phase) const {
        std::map<std::string, torch::Tensor> tensors;
        for (const auto& [name, tensor] : file.tensors) {
            if (name.rfind(prefix, 0) == 0) tensors[name.substr(prefix.size())] = tensor;
        }
        if (const auto held = tensors.extract(kHeld)) phase.held = held.mapped();
        for (auto& [name, tensor] : tensors) {
            if (tensor.dim() > 0) tensor = tensor.to(forecaster_.device());
        }
        phase.memory = SequenceMemory::from(tensors);
    }

    std::int64_t steps_before(std::int64_t back) const {
        return frames_ <= back ? 0 : (frames_ - back - 1) / frame_step_ + 1;
    }

    // From the frame `back` before the newest.
    Rollout start_from(std::int64_t back) const {
        const std::int64_t steps = std::min(steps_before(back), forecaster_.history());
        std::vector<torch::Tensor> past;
        for (std::int64_t step = steps; step-- > 0;) {
            past.push_back(recent_[recent_.size() - 1 - static_cast<std::size_t>(back + step * frame_step_)]);
        }
        const Phase& phase = phases_[static_cast<std::size_t>((frames_ - 1 - back) % frame_step_)];
        return forecaster_.go_on(phase.memory, at::stack(past).unsqueeze(0));
    }

    const Forecaster& forecaster_;
    std::int64_t frame_step_;
    bool hold_;
    std::vector<Phase> phases_;
    std::deque<torch::Tensor> recent_;  // what baselines go on from
    std::int64_t frames_ = 0;
    std::int64_t filled_ = 0;
};

}  // namespace

std::unique_ptr<Context> whole_context(const Forecaster& forecaster) {
    return std::make_unique<WholeContext>(forecaster);
}

}  // namespace nowcell

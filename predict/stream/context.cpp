#include "predict/stream/context.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <deque>
#include <vector>

namespace nowcell {
namespace {

class WindowContext final : public Context {
 public:
    explicit WindowContext(const Forecaster& forecaster)
        : forecaster_(forecaster), frame_step_(forecaster.data().window.frame_step) {}

    void observe(const torch::Tensor& frame, bool filled) override {
        frames_.push_back({frame, filled});
        filled_ += filled ? 1 : 0;
        if (static_cast<std::int64_t>(frames_.size()) <= capacity()) return;
        filled_ -= frames_.front().filled ? 1 : 0;
        frames_.pop_front();
    }

    std::int64_t steps() const override { return steps_before(0); }
    std::int64_t steps_to_next() const override { return steps_before(frame_step_ - 1); }
    std::int64_t filled() const override { return filled_; }
    torch::Tensor last() const override { return frames_.empty() ? torch::Tensor() : frames_.back().values; }

    torch::Tensor forecast(std::int64_t horizon) const override { return forecaster_.forecast(past(0), horizon)[0]; }
    Rollout start() const override { return forecaster_.start(past(0)); }
    torch::Tensor next() const override { return forecaster_.forecast(past(frame_step_ - 1), 1)[0][0]; }

    void reset() override {
        frames_.clear();
        filled_ = 0;
    }

    void save(SafeTensors& file) const override {
        if (frames_.empty()) return;
        std::vector<torch::Tensor> values;
        torch::Tensor filled = at::empty({static_cast<std::int64_t>(frames_.size())}, at::kBool);
        for (std::size_t i = 0; i < frames_.size(); ++i) {
            values.push_back(frames_[i].values);
            filled[static_cast<std::int64_t>(i)] = frames_[i].filled;
        }
        file.tensors["frames"] = at::stack(values);
        file.tensors["filled"] = filled;
    }

    void load(const SafeTensors& file) override {
        reset();
        if (file.tensors.count("frames") == 0) return;
        const torch::Tensor values = file.tensors.at("frames");
        const torch::Tensor filled = file.tensors.at("filled");
        for (std::int64_t i = 0; i < values.size(0); ++i) observe(values[i].clone(), filled[i].item<bool>());
    }

 private:
    struct Kept {
        torch::Tensor values;
        bool filled;
    };

    // So many that next() has a whole window too.
    std::int64_t capacity() const { return forecaster_.history() * frame_step_; }

    // Steps that end `back` frames before the newest.
    std::int64_t steps_before(std::int64_t back) const {
        const std::int64_t frames = static_cast<std::int64_t>(frames_.size()) - back;
        return frames <= 0 ? 0 : std::min((frames - 1) / frame_step_ + 1, forecaster_.history());
    }

    torch::Tensor past(std::int64_t back) const {
        const std::int64_t steps = steps_before(back);
        std::vector<torch::Tensor> chosen;
        for (std::int64_t step = steps; step-- > 0;) {
            chosen.push_back(frames_[frames_.size() - 1 - static_cast<std::size_t>(back + step * frame_step_)].values);
        }
        return at::stack(chosen).unsqueeze(0);
    }

    const Forecaster& forecaster_;
    std::int64_t frame_step_;
    std::deque<Kept> frames_;
    std::int64_t filled_ = 0;
};

}  // namespace

std::unique_ptr<Context> window_context(const Forecaster& forecaster) {
    return std::make_unique<WindowContext>(forecaster);
}

}  // namespace nowcell

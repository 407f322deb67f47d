#include "predict/stream/stream_clock.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace nowcell {

namespace {

constexpr double kTolerance = 0.01;       // of a step
constexpr double kMostSteps = 1e15;       // beyond, a gap is just long
constexpr double kClearlyShorter = 0.75;  // of what was learned

}  // namespace

double StreamClock::step() const {
    if (step_ > 0.0) return step_;
    return last_ && last_->dated && dated_step_s_ > 0.0 ? dated_step_s_ : learned_;
}

StreamClock::Distance StreamClock::distance(const std::optional<FrameTime>& time) const {
    Distance out;
    if (!begun_ || !last_) return out;  // the first frame, or a stream without times
    if (!time || time->dated != last_->dated) return {Order::unknown, 0};
    const double apart = time->value - last_->value;
    const double step = this->step();
    if (std::abs(apart) <= kTolerance * step) return {Order::same, 0};
    if (apart < 0.0) return {Order::late, 0};
    if (step == 0.0) return out;
    const double steps = std::clamp(std::round(apart / step), 1.0, kMostSteps);
    out.steps = static_cast<std::int64_t>(steps);
    out.off_step = std::abs(apart - steps * step) > kTolerance * step;
    out.shorter = step == learned_ && apart < kClearlyShorter * step;
    return out;
}

void StreamClock::advance(const std::optional<FrameTime>& time) {
    if (!begun_) {
        last_ = time;
    } else if (last_) {
        const double apart = time->value - last_->value;
        if (learned_ == 0.0 || apart < kClearlyShorter * learned_) learned_ = apart;
        last_ = time;
    }
    begun_ = true;
}

nlohmann::json StreamClock::save() const {
    nlohmann::json out = {{"begun", begun_}, {"learned", learned_}};
    if (last_) out["last"] = {{"value", last_->value}, {"dated", last_->dated}};
    return out;
}

void StreamClock::load(const nlohmann::json& saved) {
    begun_ = saved.at("begun");
    learned_ = saved.at("learned");
    last_.reset();
    if (saved.contains("last")) last_ = FrameTime{saved.at("last").at("value"), saved.at("last").at("dated")};
}

}  // namespace nowcell

#include "train/schedule.h"

#include "src/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace nowcell {
namespace {

double half_cosine(double from, double to, double share) {
    return to + (from - to) * 0.5 * (1.0 + std::cos(std::numbers::pi * share));
}

// JSON has no infinity: nothing seen yet is null.
nlohmann::json number(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

double number(const nlohmann::json& value) {
    return value.is_null() ? std::numeric_limits<double>::infinity() : value.get<double>();
}

template <typename Read>
void read_state(const char* what, const nlohmann::json& state, const Read& read) {
    try {
        read(state);
    } catch (const nlohmann::json::exception& error) {
        throw Error(ExitCode::model, std::string("the state of ") + what + " does not fit: " + error.what());
    }
}

}  // namespace

Schedule::Schedule(const ScheduleOptions& options, std::int64_t total_steps)
    : options_(options), total_(std::max<std::int64_t>(1, total_steps)) {}

double Schedule::lr(std::int64_t step) const {
    const ScheduleOptions& o = options_;
    if (o.name == "one-cycle") return one_cycle(step);
    if (step < o.warmup_steps) return o.lr * static_cast<double>(step + 1) / static_cast<double>(o.warmup_steps);
    if (o.name == "cosine") {
        const std::int64_t span = std::max<std::int64_t>(1, total_ - o.warmup_steps);
        const double done = std::min(1.0, static_cast<double>(step - o.warmup_steps) / static_cast<double>(span));
        return half_cosine(o.lr, o.min_lr, done);
    }
    if (o.name == "step") {
        const std::int64_t per_epoch = std::max<std::int64_t>(1, total_ / std::max<std::int64_t>(1, o.epochs));
        const std::int64_t every = o.unit == "epoch" ? o.every * per_epoch : o.every;
        return std::max(o.min_lr, o.lr * std::pow(o.factor, static_cast<double>(step / every)));
    }
    return o.name == "plateau" ? std::max(o.min_lr, o.lr * scale_) : o.lr;
}

double Schedule::one_cycle(std::int64_t step) const {
    const double first = options_.lr / options_.divide;
    const double last = first / options_.divide_final;
    const double end = static_cast<double>(total_ - 1);
    const double top = options_.rise * static_cast<double>(total_) - 1.0;
    const double now = std::min(static_cast<double>(step), end);
    const bool rising = now < top;
    const double share = rising ? now / top : (now - top) / (end - top);
    const double from = rising ? first : options_.lr;
    const double to = rising ? options_.lr : last;
    return options_.anneal == "linear" ? from + (to - from) * share : half_cosine(from, to, share);
}

void Schedule::validated(double mae) {
    if (options_.name != "plateau") return;
    const bool keras = options_.rule == "keras";
    if (keras && cooling_ > 0) {
        --cooling_;
        wait_ = 0;
    }
    const double bar = keras ? best_ - options_.min_delta : best_ * (1.0 - options_.min_delta);
    if (mae < bar) {
        best_ = mae;
        wait_ = 0;
    } else if (!keras || cooling_ == 0) {
        ++wait_;
    }
    if (!keras && cooling_ > 0) {
        --cooling_;
        wait_ = 0;
    }
    const std::int64_t limit = keras ? std::max<std::int64_t>(1, options_.patience) : options_.patience + 1;
    if (wait_ < limit) return;
    scale_ *= options_.factor;
    cooling_ = options_.cooldown;
    wait_ = 0;
}

nlohmann::json Schedule::state() const {
    return {{"best", number(best_)}, {"wait", wait_}, {"cooling", cooling_}, {"scale", scale_}};
}

void Schedule::load_state(const nlohmann::json& state) {
    read_state("the learning-rate schedule", state, [this](const nlohmann::json& from) {
        const double best = number(from.at("best"));
        const std::int64_t wait = from.at("wait"), cooling = from.at("cooling");
        const double scale = from.at("scale");
        best_ = best, wait_ = wait, cooling_ = cooling, scale_ = scale;
    });
}

void EarlyStopping::validated(double mae) {
    const bool improved = mae < best_ - min_delta_;
    wait_ = improved ? 0 : wait_ + 1;
    if (improved) best_ = mae;
}

nlohmann::json EarlyStopping::state() const { return {{"best", number(best_)}, {"wait", wait_}}; }

void EarlyStopping::load_state(const nlohmann::json& state) {
    read_state("early stopping", state, [this](const nlohmann::json& from) {
        const double best = number(from.at("best"));
        wait_ = from.at("wait").get<std::int64_t>();
        best_ = best;
    });
}

}  // namespace nowcell

#include "data/baseline.h"

#include "data/loader.h"
#include "data/missing.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

namespace nowcell {
namespace {

const std::vector<std::string> kNames = {"persistence",  "seasonal",     "anomaly",   "climatology",
                                         "linear-trend", "optical-flow", "farneback", "s-prog"};

// What a pixel had when it was last known, (B,1,C,H,W); NaN: never.
torch::Tensor last_known(const torch::Tensor& past) { return hold(past).slice(1, past.size(1) - 1); }

torch::Tensor or_else(const torch::Tensor& frames, const torch::Tensor& other) {
    return at::where(frames.isfinite(), frames, other);
}

// The last `period` steps; what is missing there from the cycles before, then from the last known value.
torch::Tensor last_cycle(const torch::Tensor& past, std::int64_t period) {
    torch::Tensor cycle = past.slice(1, past.size(1) - period);
    if (!known_values(cycle).defined()) return cycle;
    for (std::int64_t end = past.size(1) - period; end > 0; end -= period) {
        const torch::Tensor earlier = past.slice(1, std::max<std::int64_t>(0, end - period), end);
        const std::int64_t later = period - earlier.size(1);  // steps that the earliest cycle lacks
        cycle = at::cat({cycle.slice(1, 0, later), or_else(cycle.slice(1, later), earlier)}, 1);
    }
    return or_else(cycle, last_known(past));
}

// How the last frame differs from the one a period before, (B,C,H,W).
torch::Tensor last_anomaly(const torch::Tensor& past, std::int64_t period, double decay) {
    const auto anomaly_at = [&](std::int64_t t) { return past.select(1, t) - past.select(1, t - period); };
    std::int64_t t = past.size(1) - 1;
    torch::Tensor anomaly = anomaly_at(t);
    if (!known_values(anomaly).defined()) return anomaly;
    double weight = 1.0;
    while (--t >= period) {
        weight *= decay;
        anomaly = or_else(anomaly, anomaly_at(t) * weight);
    }
    return fill_missing(anomaly, "mask", 0.0);
}

// Frame by frame: `frame` gives (B,C,H,W) of a lead time, and is asked for each once, in order.
class FrameByFrame : public Extrapolation {
 public:
    explicit FrameByFrame(std::function<torch::Tensor(std::int64_t lead)> frame) : frame_(std::move(frame)) {}
    torch::Tensor next(std::int64_t leads) override {
        std::vector<torch::Tensor> frames;
        for (std::int64_t i = 0; i < leads; ++i) frames.push_back(frame_(++lead_));
        return at::stack(frames, 1);
    }

 private:
    std::function<torch::Tensor(std::int64_t)> frame_;
    std::int64_t lead_ = 0;
};

std::unique_ptr<Extrapolation> frame_by_frame(std::function<torch::Tensor(std::int64_t lead)> frame) {
    return std::make_unique<FrameByFrame>(std::move(frame));
}

// Of baselines that know no other way than forecast().
class FromTheStart : public Extrapolation {
 public:
    FromTheStart(const Baseline& baseline, torch::Tensor past) : baseline_(baseline), past_(std::move(past)) {}
    torch::Tensor next(std::int64_t leads) override {
        done_ += leads;
        return baseline_.forecast(past_, done_).narrow(1, done_ - leads, leads);
    }

 private:
    const Baseline& baseline_;
    torch::Tensor past_;
    std::int64_t done_ = 0;
};

class Persistence : public Baseline {
 public:
    explicit Persistence(double mean) : mean_(mean) {}
    std::string name() const override { return "persistence"; }
    std::int64_t history() const override { return 1; }
    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const override {
        check_past(past, horizon);
        return fill_missing(last_known(past), "mask", mean_).repeat({1, horizon, 1, 1, 1});
    }
    std::unique_ptr<Extrapolation> start(const torch::Tensor& past) const override {
        return frame_by_frame([frame = forecast(past, 1).select(1, 0)](std::int64_t) { return frame; });
    }

 private:
    double mean_;
};

class Seasonal : public Baseline {
 public:
    Seasonal(std::int64_t period, double mean) : period_(period), mean_(mean) {}
    std::string name() const override { return "seasonal"; }
    std::int64_t history() const override { return period_; }
    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const override {
        check_past(past, horizon);
        const torch::Tensor cycle = fill_missing(last_cycle(past, period_), "mask", mean_);
        const std::int64_t cycles = (horizon + period_ - 1) / period_;
        return cycle.repeat({1, cycles, 1, 1, 1}).slice(1, 0, horizon).contiguous();
    }
    std::unique_ptr<Extrapolation> start(const torch::Tensor& past) const override {
        return frame_by_frame([cycle = forecast(past, period_), period = period_](std::int64_t lead) {
            return cycle.select(1, (lead - 1) % period);
        });
    }

 private:
    std::int64_t period_;
    double mean_;
};

class Anomaly : public Baseline {
 public:
    Anomaly(std::int64_t period, double decay, double mean) : period_(period), decay_(decay), seasonal_(period, mean) {}
    std::string name() const override { return "anomaly"; }
    std::int64_t history() const override { return period_ + 1; }
    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const override {
        check_past(past, horizon);
        return start(past)->next(horizon);
    }
    std::unique_ptr<Extrapolation> start(const torch::Tensor& past) const override {
        check_past(past, 1);
        return frame_by_frame([anomaly = last_anomaly(past, period_, decay_), cycle = seasonal_.forecast(past, period_),
                               weight = 1.0, period = period_, decay = decay_](std::int64_t lead) mutable {
            weight *= decay;
            return cycle.select(1, (lead - 1) % period).add(anomaly, weight);
        });
    }

 private:
    std::int64_t period_;
    double decay_;
    Seasonal seasonal_;
};

class Climatology : public Baseline {
 public:
    explicit Climatology(torch::Tensor mean) : mean_(std::move(mean)) {}
    std::string name() const override { return "climatology"; }
    std::int64_t history() const override { return 1; }
    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const override {
        check_past(past, horizon);
        if (mean_.sizes() != past.sizes().slice(2)) {
            throw Error(ExitCode::data,
                        fmt::format("the climatology is {}x{}x{} (C,H,W), the frames are {}x{}x{}", mean_.size(0),
                                    mean_.size(1), mean_.size(2), past.size(2), past.size(3), past.size(4)),
                        "", "forecast frames of the size that the model was trained on");
        }
        return mean_.to(past.options()).expand({past.size(0), horizon, -1, -1, -1}).contiguous();
    }
    std::unique_ptr<Extrapolation> start(const torch::Tensor& past) const override {
        return frame_by_frame([frame = forecast(past, 1).select(1, 0)](std::int64_t) { return frame; });
    }

 private:
    torch::Tensor mean_;
};

void check_period(const std::string& name, std::int64_t period) {
    if (period >= 1) return;
    throw Error(ExitCode::usage,
                fmt::format("the {} baseline needs data.period, the steps of a cycle; got {}", name, period), "",
                "--set data.period=24 for hourly data with a day in it");
}

// At most 64 of the windows that reach back far enough, evenly spaced.
std::vector<Window> sample(const std::vector<Window>& windows, const WindowOptions& options) {
    constexpr std::size_t kMost = 64;
    std::vector<Window> fit;
    for (const Window& window : windows) {
        if (window.start + options.input_steps >= options.history) fit.push_back(window);
    }
    std::vector<Window> out;
    const std::size_t count = std::min(kMost, fit.size());
    for (std::size_t i = 0; i < count; ++i) out.push_back(fit[i * fit.size() / count]);
    return out;
}

}  // namespace

std::unique_ptr<Extrapolation> Baseline::start(const torch::Tensor& past) const {
    return std::make_unique<FromTheStart>(*this, past);
}

void Baseline::check_past(const torch::Tensor& past, std::int64_t horizon) const {
    if (past.dim() == 5 && past.size(1) >= history() && horizon >= 1) return;
    throw Error(ExitCode::data, fmt::format("the {} baseline needs {} past frames, got {}", name(), history(),
                                            past.dim() == 5 ? past.size(1) : 0));
}

std::unique_ptr<Baseline> make_persistence(double mean) { return std::make_unique<Persistence>(mean); }

std::unique_ptr<Baseline> make_seasonal(std::int64_t period, double mean) {
    check_period("seasonal", period);
    return std::make_unique<Seasonal>(period, mean);
}

std::unique_ptr<Baseline> make_anomaly(std::int64_t period, double decay, double mean) {
    check_period("anomaly", period);
    if (!(decay >= 0 && decay <= 1)) {
        throw Error(ExitCode::usage, fmt::format("the decay of the anomaly baseline must be 0 to 1, got {}", decay));
    }
    return std::make_unique<Anomaly>(period, decay, mean);
}

std::unique_ptr<Baseline> make_climatology(torch::Tensor mean) {
    if (!mean.defined() || mean.dim() != 3) {
        throw Error(ExitCode::usage, "the climatology baseline needs the mean of a training part, and there is none");
    }
    return std::make_unique<Climatology>(std::move(mean));
}

std::unique_ptr<Baseline> make_baseline(const std::string& name, const BaselineOptions& options) {
    if (name == "persistence") return make_persistence(options.mean);
    if (name == "seasonal") return make_seasonal(options.period, options.mean);
    if (name == "anomaly") return make_anomaly(options.period, options.decay, options.mean);
    if (name == "climatology") return make_climatology(options.climatology);
    if (name == "linear-trend") return make_linear_trend(options.mean);
    if (name == "optical-flow") return make_optical_flow(options.mean);
    if (name == "farneback") return make_farneback(options.mean);
    if (name == "s-prog") return make_s_prog(options.mean, options.units, options.step_s);
    throw Error(ExitCode::usage,
                fmt::format("unknown baseline '{}', expected one of {}", name, fmt::join(kNames, ", ")), "",
                did_you_mean(name, kNames));
}

std::vector<std::unique_ptr<Baseline>> all_baselines(const BaselineOptions& options) {
    std::vector<std::unique_ptr<Baseline>> out;
    for (const std::string& name : kNames) {
        const bool cyclic = name == "seasonal" || name == "anomaly";
        const bool known = (!cyclic || options.period >= 1) && (name != "climatology" || options.climatology.defined());
        if (known) out.push_back(make_baseline(name, options));
    }
    return out;
}

std::vector<std::unique_ptr<Baseline>> chosen_baselines(const BaselineOptions& options,
                                                        const std::vector<std::string>& names) {
    if (names.empty()) return all_baselines(options);
    std::vector<std::unique_ptr<Baseline>> out;
    for (const std::string& name : names) {
        const bool there = std::any_of(out.begin(), out.end(), [&](const auto& one) { return one->name() == name; });
        if (!there) out.push_back(make_baseline(name, options));
    }
    return out;
}

// Over the targets that are known; 0 when none is.
static double mean_absolute_difference(const torch::Tensor& forecast, const Batch& batch) {
    const torch::Tensor errors = (forecast - batch.target).abs();
    if (!batch.valid.defined()) return errors.mean().item<double>();
    const torch::Tensor known = errors.masked_select(batch.valid);
    return known.numel() == 0 ? 0.0 : known.mean().item<double>();
}

// Decays first, first + step, ... last, in hundredths.
static std::vector<double> grid(int first, int last, int step) {
    std::vector<double> decays;
    for (int i = first; i <= last; i += step) decays.push_back(i / 100.0);
    return decays;
}

double fit_decay(const FrameSource& source, const std::vector<Window>& training, WindowOptions options,
                 std::int64_t period) {
    check_period("anomaly", period);
    options.history = std::max(options.history, period + 1);
    const std::vector<Window> windows = sample(training, options);
    if (windows.empty()) {
        throw Error(
            ExitCode::usage,
            fmt::format("no training window has the {} past frames that the anomaly baseline needs", period + 1), "",
            "lower data.period, or leave it out");
    }
    const auto best_of = [&](const std::vector<double>& decays) {
        std::vector<double> errors(decays.size(), 0.0);
        for (const Window& window : windows) {  // one by one: frames may be large
            const Batch batch = read_windows(source, options, {window});
            for (std::size_t i = 0; i < decays.size(); ++i) {
                const torch::Tensor forecast =
                    Anomaly(period, decays[i], 0.0).forecast(batch.past, options.output_steps);
                errors[i] += mean_absolute_difference(forecast, batch);
            }
        }
        return decays[static_cast<std::size_t>(std::min_element(errors.begin(), errors.end()) - errors.begin())];
    };
    const double coarse = best_of(grid(0, 100, 5));
    const int middle = static_cast<int>(std::lround(coarse * 100.0));
    return best_of(grid(std::max(0, middle - 4), std::min(100, middle + 4), 1));
}

}  // namespace nowcell

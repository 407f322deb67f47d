#include "predict/scores/metrics.h"

#include "src/error.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace nowcell {
namespace {

constexpr std::int64_t kValuesPerTask = 1 << 14;
constexpr std::int64_t kWindowsAtOnce = 64;

void check_shapes(const torch::Tensor& forecast, const torch::Tensor& truth, const torch::Tensor& valid,
                  std::int64_t leads) {
    const bool good = truth.dim() == 5 && truth.size(1) == leads && forecast.sizes() == truth.sizes() &&
                      (!valid.defined() || valid.sizes() == truth.sizes());
    if (good) return;
    throw Error(ExitCode::internal, fmt::format("scores of {} lead times: got a forecast of {} and a truth of {}",
                                                leads, fmt::streamed(forecast.sizes()), fmt::streamed(truth.sizes())));
}

// What of a frame counts, as one byte each.
class Known {
 public:
    Known(const FramePair& frame, const bool* valid, bool drops_missing) {
        for (std::int64_t i = 0; i < frame.values(); ++i) {
            const bool truth = (valid == nullptr || valid[i]) && std::isfinite(frame.truth[i]);
            const bool forecast = std::isfinite(frame.forecast[i]);
            if (truth && !forecast) ++missing_forecasts_;
            if (truth && (forecast || !drops_missing)) continue;
            if (bytes_.empty()) bytes_.assign(static_cast<std::size_t>(frame.values()), 1);
            bytes_[static_cast<std::size_t>(i)] = 0;
        }
    }

    const std::uint8_t* bytes() const { return bytes_.empty() ? nullptr : bytes_.data(); }
    std::int64_t missing_forecasts() const { return missing_forecasts_; }

 private:
    std::vector<std::uint8_t> bytes_;  // empty: all
    std::int64_t missing_forecasts_ = 0;
};

std::vector<double> gather(const std::vector<double>& sums, const std::vector<std::size_t>& at) {
    std::vector<double> parts;
    for (const std::size_t i : at) parts.push_back(sums[i]);
    return parts;
}

}  // namespace

Scores::Scores(std::int64_t leads, const ScoreOptions& options)
    : leads_(leads),
      choice_(choose_scores(options)),
      sums_(choice_.families.size()),
      ranks_(leads, std::any_of(choice_.scores.begin(), choice_.scores.end(),
                                [](const ChosenScore& chosen) { return chosen.pooled_ranks; })) {
    for (const ChosenScore& chosen : choice_.scores) quantities_.push_back(chosen.quantity);
}

void Scores::begin(const FramePair& frame) {
    if (windows_ == 0) {
        slots_ = 0;
        for (std::size_t i = 0; i < sums_.size(); ++i) {
            Sums& sums = sums_[i];
            sums.first = slots_;
            sums.slots = choice_.families[i]->slots(frame);
            sums.leads.assign(static_cast<std::size_t>(leads_), std::vector<double>(sums.slots, 0.0));
            slots_ += sums.slots;
        }
        frame_ = frame;
    }
    if (frame.channels == frame_.channels && frame.height == frame_.height && frame.width == frame_.width) return;
    throw Error(ExitCode::internal,
                fmt::format("scores of frames of {}x{}x{}: got one of {}x{}x{}", frame_.channels, frame_.height,
                            frame_.width, frame.channels, frame.height, frame.width));
}

std::int64_t Scores::measure(const FramePair& pair, const bool* valid, double* sums) const {
    const Known known(pair, valid, choice_.drops_missing);
    FramePair frame = pair;
    frame.known = known.bytes();
    if (known.missing_forecasts() > 0 && !choice_.drops_missing) {
        std::fill(sums, sums + slots_, std::nan(""));
        return known.missing_forecasts();
    }
    for (std::size_t i = 0; i < sums_.size(); ++i) choice_.families[i]->measure(frame, sums + sums_[i].first);
    return known.missing_forecasts();
}

void Scores::add(const torch::Tensor& forecast, const torch::Tensor& truth, const torch::Tensor& valid) {
    check_shapes(forecast, truth, valid, leads_);
    const auto plain = [](const torch::Tensor& x, at::ScalarType type) { return x.to(at::kCPU, type).contiguous(); };
    const torch::Tensor forecasts = plain(forecast, at::kFloat), truths = plain(truth, at::kFloat);
    const torch::Tensor known = valid.defined() ? plain(valid, at::kBool) : valid;
    begin({nullptr, nullptr, nullptr, truth.size(2), truth.size(3), truth.size(4)});
    for (std::int64_t first = 0; first < truth.size(0); first += kWindowsAtOnce) {
        const std::int64_t count = std::min(kWindowsAtOnce, truth.size(0) - first);
        const std::int64_t offset = first * leads_ * frame_.values();
        add_windows(count, forecasts.const_data_ptr<float>() + offset, truths.const_data_ptr<float>() + offset,
                    known.defined() ? known.const_data_ptr<bool>() + offset : nullptr);
    }
}

// Frames are measured at once, and added one after another.
void Scores::add_windows(std::int64_t count, const float* forecast, const float* truth, const bool* valid) {
    const std::int64_t frames = count * leads_, values = frame_.values();
    std::vector<double> sums(static_cast<std::size_t>(frames) * slots_, 0.0);
    std::vector<std::int64_t> missing(static_cast<std::size_t>(frames), 0);
    const auto pair = [&](std::int64_t i) {
        FramePair frame = frame_;
        frame.forecast = forecast + i * values;
        frame.truth = truth + i * values;
        return frame;
    };
    const auto mask = [&](std::int64_t i) { return valid == nullptr ? nullptr : valid + i * values; };
    const std::int64_t grain = std::max<std::int64_t>(1, kValuesPerTask / std::max<std::int64_t>(values, 1));
    at::parallel_for(0, frames, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
            const auto at = static_cast<std::size_t>(i);
            missing[at] = measure(pair(i), mask(i), sums.data() + at * slots_);
        }
    });
    for (std::int64_t i = 0; i < frames; ++i) {
        note_missing(i / leads_, i % leads_, missing[static_cast<std::size_t>(i)]);
        if (!ranks_.wanted()) continue;
        FramePair frame = pair(i);
        const Known known(frame, mask(i), choice_.drops_missing);
        frame.known = known.bytes();
        ranks_.add(i % leads_, frame);
    }
    for (std::int64_t b = 0; b < count; ++b) add_window(sums.data() + static_cast<std::size_t>(b * leads_) * slots_);
}

void Scores::add_window(const double* sums) {
    for (std::size_t f = 0; f < sums_.size(); ++f) {
        Sums& family = sums_[f];
        std::vector<double> window(family.slots, 0.0);
        for (std::size_t lead = 0; lead < family.leads.size(); ++lead) {
            for (std::size_t i = 0; i < family.slots; ++i) {
                const double value = sums[lead * slots_ + family.first + i];
                family.leads[lead][i] += value;
                window[i] += value;
            }
        }
        if (!choice_.families[f]->keeps_windows()) continue;
        family.windows.insert(family.windows.end(), window.begin(), window.end());
    }
    ++windows_;
}

void Scores::note_missing(std::int64_t window, std::int64_t lead, std::int64_t values) {
    if (values == 0) return;
    if (missing_.values == 0) {
        missing_.window = windows_ + window;
        missing_.lead = lead + 1;
    }
    missing_.values += values;
    ++missing_.frames;
}

const ChosenScore* Scores::find(const Quantity& quantity) const {
    const auto found = std::find(quantities_.begin(), quantities_.end(), quantity);
    return found == quantities_.end() ? nullptr
                                      : &choice_.scores[static_cast<std::size_t>(found - quantities_.begin())];
}

std::vector<double> Scores::sums_of(std::size_t family, std::int64_t lead) const {
    const Sums& sums = sums_[family];
    if (lead > 0) return sums.leads[static_cast<std::size_t>(lead - 1)];
    std::vector<double> all(sums.slots, 0.0);
    for (const std::vector<double>& one : sums.leads) {
        for (std::size_t i = 0; i < all.size(); ++i) all[i] += one[i];
    }
    return all;
}

double Scores::of_lead(const ChosenScore& chosen, std::int64_t lead) const {
    const ScoreFamily& family = *choice_.families[chosen.family];
    const std::vector<double> sums = sums_of(chosen.family, lead);
    return family.score(chosen.index, gather(sums, family.parts(chosen.index, sums.size())));
}

double Scores::value(const Quantity& quantity, std::int64_t lead) const {
    const ChosenScore* chosen = find(quantity);
    if (chosen == nullptr || windows_ == 0 || lead < 0 || lead > leads_) return std::nan("");
    if (chosen->pooled_ranks) return ranks_.value(quantity.metric, lead);
    const Across across = choice_.families[chosen->family]->across(chosen->index);
    if (lead > 0 || across == Across::pooled) return of_lead(*chosen, lead);
    double sum = 0.0;
    for (std::int64_t one = 1; one <= leads_; ++one) {
        const double score = of_lead(*chosen, one);
        sum += across == Across::log_mean_of_leads ? std::log2(score) : score;
    }
    const double mean = sum / static_cast<double>(leads_);
    return across == Across::log_mean_of_leads ? std::exp2(mean) : mean;
}

std::vector<ScoreCurve> Scores::curves() const {
    std::vector<ScoreCurve> all;
    for (std::size_t f = 0; f < choice_.families.size() && windows_ > 0; ++f) {
        for (std::int64_t lead = 0; lead <= leads_; ++lead) {
            for (ScoreCurve& curve : choice_.families[f]->curves(lead, frame_, sums_of(f, lead))) {
                all.push_back(std::move(curve));
            }
        }
    }
    return all;
}

std::vector<double> Scores::window_parts(const Quantity& quantity, std::int64_t window) const {
    const ChosenScore* chosen = find(quantity);
    if (chosen == nullptr || chosen->pooled_ranks || window < 0 || window >= windows_) return {};
    const ScoreFamily& family = *choice_.families[chosen->family];
    const Sums& sums = sums_[chosen->family];
    if (sums.windows.empty() || family.across(chosen->index) != Across::pooled) return {};
    const auto first = sums.windows.begin() + window * static_cast<std::int64_t>(sums.slots);
    return gather({first, first + static_cast<std::int64_t>(sums.slots)}, family.parts(chosen->index, sums.slots));
}

double Scores::from_parts(const Quantity& quantity, const std::vector<double>& parts) const {
    const ChosenScore* chosen = find(quantity);
    if (chosen == nullptr || chosen->pooled_ranks || parts.empty()) return std::nan("");
    return choice_.families[chosen->family]->score(chosen->index, parts);
}

}  // namespace nowcell

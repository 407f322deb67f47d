#include "predict/pictures/panels.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "predict/pictures/ticks.h"
#include "src/error.h"

namespace nowcell {
namespace {

constexpr int kBarWidth = 13;
constexpr int kTickLength = 4;
constexpr int kTickGap = 4;
constexpr int kLabelGap = 9;

void check(bool good, const std::string& what) {
    if (!good) throw Error(ExitCode::internal, "cannot draw the forecast: " + what);
}

std::string shape_of(const torch::Tensor& tensor) {
    std::string text;
    for (std::int64_t side : tensor.sizes()) text += (text.empty() ? "(" : ",") + std::to_string(side);
    return text + ")";
}

void check_frames(const torch::Tensor& frames, const torch::Tensor& like, const std::string& name) {
    const bool good = frames.dim() == 4 && frames.size(0) >= 1 && frames.sizes().slice(1) == like.sizes().slice(1);
    check(good, name + ": got shape " + shape_of(frames) + ", expected (T,C,H,W) as in the input " + shape_of(like));
}

}  // namespace

Forecast drawable(Forecast forecast) {
    const auto first = [](torch::Tensor& frames) {
        if (frames.defined() && frames.dim() == 4 && frames.size(1) != 3) frames = frames.narrow(1, 0, 1);
    };
    first(forecast.input);
    first(forecast.forecast);
    first(forecast.truth);
    const torch::Tensor unseen = forecast.input.isfinite().any(0, /*keepdim=*/true).logical_not();
    if (unseen.any().item<bool>() && forecast.forecast.sizes().slice(1) == forecast.input.sizes().slice(1)) {
        forecast.forecast = forecast.forecast.masked_fill(unseen, std::nan(""));
    }
    return forecast;
}

void check_forecast(const Forecast& f) {
    check(f.input.defined() && f.forecast.defined(), "got no input or no forecast, expected both");
    check(f.input.dim() == 4 && f.input.size(0) >= 1 && f.input.size(2) >= 1 && f.input.size(3) >= 1 &&
              (f.input.size(1) == 1 || f.input.size(1) == 3),
          "input: got shape " + shape_of(f.input) + ", expected (T,C,H,W) with C 1 or 3");
    check_frames(f.forecast, f.input, "forecast");
    if (!f.truth.defined() || f.truth.numel() == 0) return;
    check_frames(f.truth, f.input, "truth");
}

std::int64_t known_leads(const Forecast& f) {
    return f.truth.defined() && f.truth.numel() > 0 ? std::min(f.truth.size(0), f.forecast.size(0)) : 0;
}

ColourScale error_scale(const Forecast& f, const std::string& units) {
    const std::int64_t leads = known_leads(f);
    std::vector<float> errors;
    if (leads > 0) {
        errors =
            sampled({(f.forecast.slice(0, 0, leads).to(torch::kFloat32) - f.truth.slice(0, 0, leads)).mean(1).abs()});
    }
    double largest = quantile(errors, 0.99);
    // A forecast that is right almost everywhere still has its worst pixels shown.
    if (!(largest > 0) && !errors.empty())
        largest = static_cast<double>(*std::max_element(errors.begin(), errors.end()));
    const double end = round_up(largest);
    return {"difference", -end, end, units};
}

std::string readable_units(const std::string& units) {
    if (units == "1") return "";
    std::string text;
    for (std::size_t i = 0; i < units.size(); ++i) {
        const bool exponent =
            i > 0 && i + 1 < units.size() && units[i] == '-' && std::isalpha(units[i - 1] & 0xff) != 0;
        const char digit = exponent ? units[i + 1] : ' ';
        if (digit < '1' || digit > '3') {
            text += units[i];
            continue;
        }
        text += std::string("\u207b") + (digit == '1' ? "\u00b9" : digit == '2' ? "\u00b2" : "\u00b3");
        ++i;
    }
    return text;
}

std::string with_units(const std::string& name, const std::string& units) {
    return units.empty() ? name : name + " (" + units + ")";
}

ColourBar::ColourBar(const Colours& colours, std::string label, int height)
    : colours_(colours), label_(std::move(label)), height_(height) {
    // Too long for the bar: the name without its units, which the other bar has.
    if (text_width(label_, kTickCap) > height) label_ = label_.substr(0, label_.find(" ("));
    label_ = fitted(label_, kTickCap, std::max(height, 40));
    ticks_ = colours.ticks(std::clamp(height / 26, 3, 5));
    names_ = tick_labels(ticks_);
    for (const auto& name : names_) names_width_ = std::max(names_width_, text_width(name, kTickCap));
}

int ColourBar::width() const {
    const int label = label_.empty() ? 0 : kLabelGap + static_cast<int>(std::lround(kTickCap * 1.4));
    return kBarWidth + 1 + kTickLength + kTickGap + names_width_ + label;
}

void ColourBar::draw(Canvas& canvas, int x, int y) const {
    for (int row = 0; row < height_; ++row) {
        const double part = 1.0 - (row + 0.5) / height_;
        const auto level = std::lround(part * static_cast<double>(colours_.levels().size() - 1));
        canvas.fill({x, y + row, kBarWidth, 1}, colours_.levels()[static_cast<std::size_t>(level)]);
    }
    canvas.frame({x, y, kBarWidth, height_}, kLine);
    const int text_x = x + kBarWidth + 1 + kTickLength + kTickGap;
    for (std::size_t i = 0; i < ticks_.size(); ++i) {
        const double at = y + (1.0 - colours_.position(ticks_[i])) * (height_ - 1);
        canvas.fill({x + kBarWidth + 1, static_cast<int>(std::lround(at)), kTickLength, 1}, kLine);
        // Right-aligned numbers keep their digits below each other.
        canvas.text(text_x + names_width_, at + kTickCap / 2 + 0.5, names_[i], {kTickCap, kSoftInk, Align::right});
    }
    canvas.text(x + width() - 2, y + height_ / 2.0, label_, {kTickCap, kInk, Align::centre, true});
}

void draw_panel(Canvas& canvas, const Field& field, const Colours& colours, const Box& box) {
    canvas.place(painted(resized(field, {box.width, box.height}), colours), box.x, box.y);
    canvas.frame(box, kLine);
}

void draw_empty_panel(Canvas& canvas, const Box& box) { canvas.frame(box, kFaint); }

}  // namespace nowcell

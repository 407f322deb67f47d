#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "predict/pictures/gif.h"
#include "predict/pictures/panels.h"
#include "predict/pictures/pictures.h"
#include "predict/pictures/strip_layout.h"
#include "predict/pictures/ticks.h"
#include "src/error.h"
#include "src/files.h"

namespace nowcell {
namespace {

constexpr int kMargin = 20;
constexpr int kGap = 16;
constexpr int kNameHeight = 24;
constexpr int kFootHeight = 44;
constexpr int kPanelLimit = 288;
constexpr double kTimeCap = 11.0;
constexpr double kLastPause_s = 1.4;
constexpr int kFieldLevels = 128;
constexpr int kErrorLevels = 65;
constexpr int kErrorLevelsBesideRgb = 33;  // leaves most of the palette to the frames
constexpr Rgb kPast{150, 150, 150};
constexpr Rgb kFuture{31, 111, 180};

// Side by side: truth | forecast | error, or the forecast alone. A time line below tells past from future.
class Animation {
 public:
    Animation(const Forecast& forecast, const ColourScale& scale);

    std::string encoded(double frames_per_s);

 private:
    bool with_truth() const { return known_ > 0; }
    bool one_channel() const { return forecast_.input.size(1) == 1; }
    std::vector<PanelKind> kinds() const;
    void place();
    Box panel_box(int x) const { return {x, top_, panel_.width, panel_.height}; }
    Canvas background() const;
    Palette palette() const;
    std::optional<Field> shown(PanelKind kind, std::int64_t time) const;
    void draw_foot(Canvas& canvas, std::int64_t time) const;
    Canvas frame(const Canvas& background, std::int64_t time) const;

    const Forecast& forecast_;
    std::int64_t known_, inputs_, horizon_;
    Colours colours_, error_colours_;
    PanelSize panel_;
    int top_ = 0, width_ = 0, height_ = 0;
    std::vector<int> x_;
    std::optional<ColourBar> field_bar_, error_bar_;
    int field_bar_x_ = 0, error_bar_x_ = 0;
};

Animation::Animation(const Forecast& forecast, const ColourScale& scale)
    : forecast_(forecast),
      known_(known_leads(forecast)),
      inputs_(forecast.input.size(0)),
      horizon_(forecast.forecast.size(0)),
      colours_(scale, kFieldLevels),
      error_colours_(error_scale(forecast, scale.units), one_channel() ? kErrorLevels : kErrorLevelsBesideRgb),
      panel_(panel_size(forecast.input.size(3), forecast.input.size(2), kPanelLimit, kPanelLimit)) {
    panel_.width = std::max(panel_.width, 64);
    panel_.height = std::max(panel_.height, 64);
    place();
}

std::vector<PanelKind> Animation::kinds() const {
    if (!with_truth()) return {PanelKind::forecast};
    return {PanelKind::truth, PanelKind::forecast, PanelKind::error};
}

void Animation::place() {
    const std::string units = readable_units(colours_.scale().units);
    top_ = kMargin + kNameHeight + (forecast_.title.empty() ? 0 : kNameHeight + 2);
    height_ = top_ + panel_.height + kFootHeight + kMargin - 4;
    int x = kMargin;
    for (PanelKind kind : kinds()) {
        x_.push_back(x);
        x += panel_.width;
        if (kind == PanelKind::forecast && one_channel()) {
            field_bar_.emplace(colours_, units, panel_.height);
            field_bar_x_ = x + kGap - 4;
            x = field_bar_x_ + field_bar_->width() + 4;
        }
        if (kind == PanelKind::error) {
            error_bar_.emplace(error_colours_, with_units("error", units), panel_.height);
            error_bar_x_ = x + kGap - 4;
            x = error_bar_x_ + error_bar_->width();
        }
        x += kGap;
    }
    width_ = x - kGap + kMargin;
}

Canvas Animation::background() const {
    Canvas canvas(width_, height_);
    canvas.text(x_[0], kMargin + kTitleCap, fitted(forecast_.title, kTitleCap, width_ - 2 * kMargin),
                {kTitleCap, kInk});
    if (field_bar_) field_bar_->draw(canvas, field_bar_x_, top_);
    if (error_bar_) error_bar_->draw(canvas, error_bar_x_, top_);
    return canvas;
}

// The colours of both maps exactly, then the greys of letters and lines.
Palette Animation::palette() const {
    std::vector<Rgb> colours = {kWhite, kInk, kSoftInk, kLine, kFaint, kMissing, kMissingStripe, kPast, kFuture};
    for (int grey = 50; grey < 255; grey += 17) {
        const auto g = static_cast<std::uint8_t>(grey);
        colours.push_back({g, g, g});
    }
    if (with_truth()) colours.insert(colours.end(), error_colours_.levels().begin(), error_colours_.levels().end());
    if (one_channel()) {
        colours.insert(colours.end(), colours_.levels().begin(), colours_.levels().end());
        return Palette(colours);
    }
    std::vector<Rgb> seen;
    for (const auto& frames : {forecast_.input, forecast_.forecast}) {
        for (std::int64_t t : thinned(frames.size(0), 8)) {
            const Image image = painted(resized(field_at(frames, t), {64, 64}), colours_);
            seen.insert(seen.end(), image.pixels.begin(), image.pixels.end());
        }
    }
    for (Rgb colour : median_cut(std::move(seen), 255 - static_cast<int>(colours.size()))) colours.push_back(colour);
    return Palette(colours);
}

// time: 0 is the last input frame. While the past runs, truth and forecast both show it: it is what both start from.
std::optional<Field> Animation::shown(PanelKind kind, std::int64_t time) const {
    if (time <= 0) {
        if (kind == PanelKind::error) return std::nullopt;
        return field_at(forecast_.input, inputs_ - 1 + time);
    }
    const std::int64_t lead = time - 1;
    if (kind == PanelKind::forecast) return field_at(forecast_.forecast, lead);
    if (lead >= known_) return std::nullopt;
    if (kind == PanelKind::truth) return field_at(forecast_.truth, lead);
    return difference(field_at(forecast_.forecast, lead), field_at(forecast_.truth, lead));
}

void Animation::draw_foot(Canvas& canvas, std::int64_t time) const {
    const int y = top_ + panel_.height;
    const bool past = time <= 0;
    canvas.text(x_[0], y + 14 + kTimeCap, lead_label(time, forecast_.step_s), {kTimeCap, past ? kSoftInk : kFuture});
    if (!past && time <= known_) {
        const double mae =
            mean_absolute_error(field_at(forecast_.forecast, time - 1), field_at(forecast_.truth, time - 1));
        const std::string units = readable_units(colours_.scale().units);
        const std::string text = "MAE " + number_labels({mae})[0] + (units.empty() ? "" : " " + units);
        canvas.text(x_.back(), y + 14 + kTimeCap, text, {kLabelCap, kSoftInk});
    }
    const int left = x_[0], length = width_ - 2 * kMargin, line = height_ - kMargin + 4;
    const auto at = [&](std::int64_t frames) { return static_cast<int>(length * frames / (inputs_ + horizon_)); };
    canvas.fill({left, line, length, 3}, kFaint);
    canvas.fill({left, line, at(std::min(time + inputs_, inputs_)), 3}, kPast);
    if (!past) canvas.fill({left + at(inputs_), line, at(inputs_ + time) - at(inputs_), 3}, kFuture);
}

Canvas Animation::frame(const Canvas& background, std::int64_t time) const {
    Canvas canvas = background;
    const auto names = kinds();
    for (std::size_t i = 0; i < names.size(); ++i) {
        const Box box = panel_box(x_[i]);
        const bool input = time <= 0 && names[i] != PanelKind::error;
        canvas.text(box.x, top_ - 9, input ? "input" : panel_name(names[i]), {kLabelCap, input ? kSoftInk : kInk});
        if (const auto field = shown(names[i], time)) {
            draw_panel(canvas, *field, names[i] == PanelKind::error ? error_colours_ : colours_, box);
        } else {
            draw_empty_panel(canvas, box);
        }
    }
    draw_foot(canvas, time);
    return canvas;
}

std::string Animation::encoded(double frames_per_s) {
    const Canvas empty = background();
    GifWriter gif(width_, height_, palette());
    for (std::int64_t time = 1 - inputs_; time <= horizon_; ++time) {
        const double seconds = 1.0 / frames_per_s;
        gif.add(frame(empty, time).image(), time == horizon_ ? std::max(seconds, kLastPause_s) : seconds);
    }
    return gif.bytes();
}

}  // namespace

void write_gif(const std::string& path, const Forecast& forecast, const ColourScale& scale, double frames_per_s) {
    check_forecast(forecast);
    if (!(frames_per_s > 0)) {
        throw Error(ExitCode::internal,
                    "cannot write a GIF: frames_per_s: got " + std::to_string(frames_per_s) + ", expected > 0");
    }
    write_atomically(path, Animation(forecast, scale).encoded(frames_per_s));
}

}  // namespace nowcell

#include "predict/pictures/animation.h"

#include "predict/pictures/ticks.h"

#include <algorithm>
#include <utility>

namespace nowcell {
namespace {

constexpr int kMargin = 20;
constexpr int kGap = 16;
constexpr int kNameHeight = 24;
constexpr int kFootHeight = 44;
constexpr int kPanelLimit = 288;
constexpr double kTimeCap = 11.0;

const Forecast& checked(const Forecast& forecast) {
    check_forecast(forecast);
    return forecast;
}

}  // namespace

Animation::Animation(const Forecast& forecast, AnimationColours colours)
    : forecast_(checked(forecast)),
      known_(known_leads(forecast)),
      inputs_(forecast.input.size(0)),
      horizon_(forecast.forecast.size(0)),
      colours_(std::move(colours)),
      panel_(panel_size(forecast.input.size(3), forecast.input.size(2), kPanelLimit, kPanelLimit)) {
    panel_.width = std::max(panel_.width, 64);
    panel_.height = std::max(panel_.height, 64);
    place();
    draw_background();
}

std::vector<PanelKind> Animation::kinds() const {
    if (!with_truth()) return {PanelKind::forecast};
    return {PanelKind::truth, PanelKind::forecast, PanelKind::error};
}

void Animation::place() {
    const std::string units = readable_units(colours_.field.scale().units);
    top_ = kMargin + kNameHeight + (forecast_.title.empty() ? 0 : kNameHeight + 2);
    height_ = top_ + panel_.height + kFootHeight + kMargin - 4;
    int x = kMargin;
    for (PanelKind kind : kinds()) {
        x_.push_back(x);
        x += panel_.width;
        if (kind == PanelKind::forecast && one_channel()) {
            field_bar_.emplace(colours_.field, units, panel_.height);
            field_bar_x_ = x + kGap - 4;
            x = field_bar_x_ + field_bar_->width() + 4;
        }
        if (kind == PanelKind::error) {
            error_bar_.emplace(colours_.error, with_units("error", units), panel_.height);
            error_bar_x_ = x + kGap - 4;
            x = error_bar_x_ + error_bar_->width();
        }
        x += kGap;
    }
    width_ = x - kGap + kMargin;
}

void Animation::draw_background() {
    background_ = Canvas(width_, height_);
    background_.text(x_[0], kMargin + kTitleCap, fitted(forecast_.title, kTitleCap, width_ - 2 * kMargin),
                     {kTitleCap, kInk});
    if (field_bar_) field_bar_->draw(background_, field_bar_x_, top_);
    if (error_bar_) error_bar_->draw(background_, error_bar_x_, top_);
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
    canvas.text(x_[0], y + 14 + kTimeCap, lead_label(time, forecast_.step_s),
                {kTimeCap, past ? kSoftInk : colours_.future});
    if (!past && time <= known_) {
        const double mae =
            mean_absolute_error(field_at(forecast_.forecast, time - 1), field_at(forecast_.truth, time - 1));
        const std::string units = readable_units(colours_.field.scale().units);
        const std::string text = "MAE " + number_labels({mae})[0] + (units.empty() ? "" : " " + units);
        canvas.text(x_.back(), y + 14 + kTimeCap, text, {kLabelCap, kSoftInk});
    }
    const int left = x_[0], length = width_ - 2 * kMargin, line = height_ - kMargin + 4;
    const auto at = [&](std::int64_t frames) { return static_cast<int>(length * frames / (inputs_ + horizon_)); };
    canvas.fill({left, line, length, 3}, kFaint);
    canvas.fill({left, line, at(std::min(time + inputs_, inputs_)), 3}, kPastLine);
    if (!past) canvas.fill({left + at(inputs_), line, at(inputs_ + time) - at(inputs_), 3}, colours_.future);
}

Canvas Animation::frame(std::int64_t index) const {
    Canvas canvas = background_;
    const std::int64_t time = index + 1 - inputs_;
    const auto names = kinds();
    for (std::size_t i = 0; i < names.size(); ++i) {
        const Box box = panel_box(x_[i]);
        const bool input = time <= 0 && names[i] != PanelKind::error;
        canvas.text(box.x, top_ - 9, input ? "input" : panel_name(names[i]), {kLabelCap, input ? kSoftInk : kInk});
        if (const auto field = shown(names[i], time)) {
            draw_panel(canvas, *field, names[i] == PanelKind::error ? colours_.error : colours_.field, box);
        } else {
            draw_empty_panel(canvas, box);
        }
    }
    draw_foot(canvas, time);
    return canvas;
}

}  // namespace nowcell

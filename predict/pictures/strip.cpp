#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "predict/pictures/panels.h"
#include "predict/pictures/pictures.h"
#include "predict/pictures/strip_layout.h"
#include "predict/pictures/ticks.h"
#include "src/files.h"

namespace nowcell {
namespace {

constexpr int kMargin = 26;
constexpr int kGap = 7;        // between panels of one row or group
constexpr int kErrorGap = 12;  // above the row of errors, whose colours mean something else
constexpr int kGroupGap = 22;  // between input, forecast and bars
constexpr int kCaption = 21;   // a line of text above or below panels
constexpr int kLabelGap = 14;  // row labels to panels
constexpr int kMaxWidth = 1640;
constexpr int kMaxPanelHeight = 300;
constexpr int kMinCellHeight = 30;  // lines of text beside rows of very flat frames stay apart

// A strip being put together: sizes first, then the drawing.
class Strip {
 public:
    Strip(const Forecast& forecast, const ColourScale& scale, int columns);

    Canvas drawn() const;

 private:
    bool has_error() const { return known_ > 0; }
    bool bars_in_rows() const { return layout_.time_runs_right && (!has_error() || cell_height_ >= 64); }
    std::string time_label(const StripCell& cell) const { return lead_label(cell.time, forecast_.step_s); }

    void choose_panels();
    void place_columns();
    void place_rows();
    void place_bars();
    int label_width() const;
    int widest_caption() const;
    bool new_group(int column) const;
    Box box_of(const StripCell& cell) const;
    double mae(std::int64_t lead) const;
    std::map<std::int64_t, std::string> mae_labels() const;
    std::string units() const { return readable_units(colours_.scale().units); }

    void draw_cell(Canvas& canvas, const StripCell& cell) const;
    void draw_times(Canvas& canvas) const;
    void draw_names(Canvas& canvas) const;
    void draw_mae(Canvas& canvas) const;
    void draw_bars(Canvas& canvas) const;

    const Forecast& forecast_;
    std::int64_t known_;
    StripLayout layout_;
    Colours colours_;
    Colours error_colours_;
    std::map<std::int64_t, std::string> mae_;  // by lead
    PanelSize panel_;
    int cell_height_ = 0;
    int left_ = 0;
    std::vector<int> x_, y_;
    std::optional<ColourBar> field_bar_, error_bar_;
    Spot field_bar_at_, error_bar_at_;
    int width_ = 0, height_ = 0;
};

Strip::Strip(const Forecast& forecast, const ColourScale& scale, int columns)
    : forecast_(forecast),
      known_(known_leads(forecast)),
      layout_(lay_out_strip(forecast.input.size(0), forecast.forecast.size(0), known_, columns)),
      colours_(scale),
      error_colours_(error_scale(forecast, scale.units), 255),
      mae_(mae_labels()) {
    left_ = kMargin + label_width();
    choose_panels();
    place_columns();
    place_rows();
    place_bars();
}

int Strip::label_width() const {
    if (!layout_.time_runs_right) return 0;
    const std::string mae = has_error() ? with_units("MAE", units()) : "";
    return kLabelGap + std::max(text_width("forecast", kLabelCap), text_width(mae, kTickCap));
}

int Strip::widest_caption() const {
    int widest = 0;
    for (const auto& cell : layout_.cells) widest = std::max(widest, text_width(time_label(cell), kTickCap));
    for (const auto& [lead, label] : mae_) widest = std::max(widest, text_width(label, kTickCap));
    return widest;
}

void Strip::choose_panels() {
    // Room for the bars is kept before their labels are known.
    const int bars = layout_.time_runs_right ? 100 : 270;
    const int room = kMaxWidth - left_ - bars - kMargin - kGap * (layout_.columns - 1);
    const int most = std::max(room / layout_.columns, 16);
    panel_ = panel_size(forecast_.input.size(3), forecast_.input.size(2), std::min(most, 360), kMaxPanelHeight);
    cell_height_ = std::max(panel_.height, kMinCellHeight);
}

bool Strip::new_group(int column) const {
    const auto kind_in = [&](int c) {
        return std::find_if(layout_.cells.begin(), layout_.cells.end(), [c](const auto& x) { return x.column == c; })
            ->kind;
    };
    return !layout_.time_runs_right && column > 0 && kind_in(column) != kind_in(column - 1);
}

void Strip::place_columns() {
    int x = left_;
    const int pitch = std::max(panel_.width, widest_caption() + 4);
    for (int column = 0; column < layout_.columns; ++column) {
        x += new_group(column) ? kGroupGap - kGap : 0;
        x_.push_back(x + (pitch - panel_.width) / 2);
        x += pitch + kGap;
    }
    width_ = x - kGap;
}

void Strip::place_rows() {
    int y = kMargin + (forecast_.title.empty() ? 0 : kCaption + 10);
    y += layout_.time_runs_right ? 0 : kCaption;
    for (int row = 0; row < layout_.rows; ++row) {
        const bool timed = !layout_.time_runs_right || row <= 1;
        y += timed ? kCaption - (row == 0 ? 3 : 0) : 0;
        if (layout_.time_runs_right && has_error() && row == layout_.rows - 1) y += kErrorGap - kGap;
        y_.push_back(y);
        y += cell_height_ + kGap;
        if (!layout_.time_runs_right)
            y += has_error() ? kCaption : 4;
        else if (row == 0)
            y += 6;
    }
    height_ = y - kGap + (layout_.time_runs_right && has_error() ? kCaption : 0) + kMargin;
}

// The field's bar spans the rows it explains, the error's bar its own row; otherwise they stand side by side.
void Strip::place_bars() {
    const bool field = forecast_.input.size(1) == 1;
    const int last = static_cast<int>(y_.size()) - 1, bottom = y_.back() + cell_height_;
    const int field_last = bars_in_rows() && has_error() ? last - 1 : last;
    int x = width_ + kGroupGap;
    if (field) {
        field_bar_.emplace(colours_, units(), y_[static_cast<std::size_t>(field_last)] + cell_height_ - y_[0]);
        field_bar_at_ = {static_cast<double>(x), static_cast<double>(y_[0])};
    }
    const int top = bars_in_rows() ? y_.back() : y_[0];
    if (has_error()) error_bar_.emplace(error_colours_, with_units("error", units()), bottom - top);
    if (has_error() && field && !bars_in_rows()) x += field_bar_->width() + kGroupGap;
    error_bar_at_ = {static_cast<double>(x), static_cast<double>(top)};
    if (field_bar_) width_ = std::max(width_, static_cast<int>(field_bar_at_.x) + field_bar_->width());
    if (error_bar_) width_ = std::max(width_, static_cast<int>(error_bar_at_.x) + error_bar_->width());
    width_ += kMargin;
}

Box Strip::box_of(const StripCell& cell) const {
    return {x_[static_cast<std::size_t>(cell.column)],
            y_[static_cast<std::size_t>(cell.row)] + (cell_height_ - panel_.height) / 2, panel_.width, panel_.height};
}

double Strip::mae(std::int64_t lead) const {
    if (lead >= known_) return std::numeric_limits<double>::quiet_NaN();
    return mean_absolute_error(field_at(forecast_.forecast, lead), field_at(forecast_.truth, lead));
}

std::map<std::int64_t, std::string> Strip::mae_labels() const {
    std::vector<std::int64_t> leads;
    std::vector<double> values;
    for (const auto& cell : layout_.cells) {
        if (cell.kind != PanelKind::error || cell.frame >= known_) continue;
        leads.push_back(cell.frame);
        values.push_back(mae(cell.frame));
    }
    const auto texts = number_labels(values);
    std::map<std::int64_t, std::string> labels;
    for (std::size_t i = 0; i < leads.size(); ++i) {
        labels[leads[i]] =
            layout_.time_runs_right ? texts[i] : "MAE " + texts[i] + (units().empty() ? "" : " " + units());
    }
    return labels;
}

void Strip::draw_cell(Canvas& canvas, const StripCell& cell) const {
    const Box box = box_of(cell);
    const bool needs_truth = cell.kind == PanelKind::truth || cell.kind == PanelKind::error;
    if (needs_truth && cell.frame >= known_) return draw_empty_panel(canvas, box);
    switch (cell.kind) {
        case PanelKind::input: return draw_panel(canvas, field_at(forecast_.input, cell.frame), colours_, box);
        case PanelKind::truth: return draw_panel(canvas, field_at(forecast_.truth, cell.frame), colours_, box);
        case PanelKind::forecast: return draw_panel(canvas, field_at(forecast_.forecast, cell.frame), colours_, box);
        default:
            return draw_panel(
                canvas, difference(field_at(forecast_.forecast, cell.frame), field_at(forecast_.truth, cell.frame)),
                error_colours_, box);
    }
}

void Strip::draw_times(Canvas& canvas) const {
    for (const auto& cell : layout_.cells) {
        if (!cell.timed) continue;
        const Box box = box_of(cell);
        const int y = y_[static_cast<std::size_t>(cell.row)] - 7;
        canvas.text(box.x + box.width / 2.0, y, time_label(cell), {kTickCap, kSoftInk, Align::centre});
    }
}

// Names stand at the left of rows, or above groups of columns.
void Strip::draw_names(Canvas& canvas) const {
    for (std::size_t i = 0; i < layout_.cells.size(); ++i) {
        const auto& cell = layout_.cells[i];
        if (i > 0 && layout_.cells[i - 1].kind == cell.kind) continue;
        const Box first = box_of(cell);
        if (layout_.time_runs_right) {
            const double y = first.y + first.height / 2.0 + kLabelCap / 2;
            canvas.text(left_ - kLabelGap, y, panel_name(cell.kind), {kLabelCap, kInk, Align::right});
            continue;
        }
        int right = first.x + first.width;
        for (const auto& other : layout_.cells) {
            if (other.kind == cell.kind) right = std::max(right, box_of(other).x + first.width);
        }
        canvas.text((first.x + right) / 2.0, y_[0] - 7 - kCaption, panel_name(cell.kind),
                    {kLabelCap, kInk, Align::centre});
    }
}

void Strip::draw_mae(Canvas& canvas) const {
    if (!has_error()) return;
    double y = 0;
    for (const auto& cell : layout_.cells) {
        if (cell.kind != PanelKind::error || mae_.count(cell.frame) == 0) continue;
        const Box box = box_of(cell);
        y = y_[static_cast<std::size_t>(cell.row)] + cell_height_ + 8 + kTickCap;
        canvas.text(box.x + box.width / 2.0, y, mae_.at(cell.frame), {kTickCap, kInk, Align::centre});
    }
    if (!layout_.time_runs_right) return;
    canvas.text(left_ - kLabelGap, y, with_units("MAE", units()), {kTickCap, kInk, Align::right});
}

void Strip::draw_bars(Canvas& canvas) const {
    const auto draw = [&](const std::optional<ColourBar>& bar, const Spot& at) {
        if (bar) bar->draw(canvas, static_cast<int>(at.x), static_cast<int>(at.y));
    };
    draw(field_bar_, field_bar_at_);
    draw(error_bar_, error_bar_at_);
}

Canvas Strip::drawn() const {
    Canvas canvas(width_, height_);
    const int title_x = layout_.time_runs_right ? x_[0] : left_;
    canvas.text(title_x, kMargin + kTitleCap, fitted(forecast_.title, kTitleCap, width_ - title_x - kMargin),
                {kTitleCap, kInk});
    for (const auto& cell : layout_.cells) draw_cell(canvas, cell);
    draw_times(canvas);
    draw_names(canvas);
    draw_mae(canvas);
    draw_bars(canvas);
    return canvas;
}

}  // namespace

void write_strip(const std::string& path, const Forecast& forecast, const ColourScale& scale, int columns) {
    check_forecast(forecast);
    write_atomically(path, Strip(forecast, scale, columns).drawn().png());
}

}  // namespace nowcell

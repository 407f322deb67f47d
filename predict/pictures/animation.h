// The frames of an animation: side by side truth | forecast | error, or the forecast alone, and a time line below that
// tells past from future.
#pragma once

#include "predict/pictures/canvas.h"
#include "predict/pictures/colour_maps.h"
#include "predict/pictures/fields.h"
#include "predict/pictures/panels.h"
#include "predict/pictures/pictures.h"
#include "predict/pictures/strip_layout.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace nowcell {

inline constexpr Rgb kPastLine{150, 150, 150};
inline constexpr Rgb kFutureLine{31, 111, 180};

/// The colours that an animation may use; a GIF has few.
struct AnimationColours {
    Colours field, error;
    Rgb future = kFutureLine;  ///< of what the time line says has not happened yet
};

/// One forecast, drawn time by time. The forecast must outlive it.
class Animation {
 public:
    /// Throws Error(internal) when tensors do not fit together.
    Animation(const Forecast& forecast, AnimationColours colours);
    Animation(const Animation&) = delete;
    Animation& operator=(const Animation&) = delete;

    int width() const { return width_; }
    int height() const { return height_; }

    /// Input frames first, then the lead times.
    std::int64_t frames() const { return inputs_ + horizon_; }
    Canvas frame(std::int64_t index) const;

 private:
    bool with_truth() const { return known_ > 0; }
    bool one_channel() const { return forecast_.input.size(1) == 1; }
    std::vector<PanelKind> kinds() const;
    void place();
    void draw_background();
    Box panel_box(int x) const { return {x, top_, panel_.width, panel_.height}; }
    std::optional<Field> shown(PanelKind kind, std::int64_t time) const;
    void draw_foot(Canvas& canvas, std::int64_t time) const;

    const Forecast& forecast_;
    std::int64_t known_, inputs_, horizon_;
    AnimationColours colours_;
    PanelSize panel_;
    int top_ = 0, width_ = 0, height_ = 0;
    std::vector<int> x_;
    std::optional<ColourBar> field_bar_, error_bar_;
    int field_bar_x_ = 0, error_bar_x_ = 0;
    Canvas background_{1, 1};
};

}  // namespace nowcell

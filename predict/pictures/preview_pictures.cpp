#include "predict/pictures/preview_pictures.h"

#include "predict/pictures/gif.h"
#include "predict/pictures/panels.h"
#include "predict/pictures/ticks.h"
#include "src/files.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace nowcell {
namespace {

constexpr int kMargin = 24;
constexpr int kGap = 8;
constexpr int kCaption = 20;
constexpr int kTitle = 30;
constexpr int kSheetWidth = 1400;  // of the panels together
constexpr int kPanelLimit = 300;
constexpr int kAnimationLimit = 480;
constexpr int kLevels = 128;  // colours of an animation's map; the rest of the palette is for letters
constexpr int kAllLevels = 256;
constexpr int kDifferenceLevels = 255;  // odd: no difference has a colour of its own
constexpr int kSampledFrames = 8;
constexpr double kLastPause_s = 1.0;

// Panels in rows and columns, with room for captions and the colour bar.
class Sheet {
 public:
    Sheet(const FrameSequence& sequence, const Colours& colours, int columns, int limit);

    Canvas background() const;
    void draw(Canvas& canvas, std::int64_t frame, int row, int column) const;

 private:
    const FrameSequence& sequence_;
    const Colours& colours_;
    PanelSize panel_;
    int pitch_ = 0;  // from panel to panel, never less than a caption
    int top_, width_, height_;
    std::optional<ColourBar> bar_;
};

Sheet::Sheet(const FrameSequence& sequence, const Colours& colours, int columns, int limit)
    : sequence_(sequence), colours_(colours) {
    const int most = std::clamp((kSheetWidth - kGap * (columns - 1)) / columns, 16, limit);
    panel_ = panel_size(sequence.frames.size(3), sequence.frames.size(2), most, limit);
    int caption = 0;
    for (const std::string& label : sequence.labels) caption = std::max(caption, text_width(label, kTickCap));
    pitch_ = std::max(panel_.width, caption) + kGap;
    const auto count = columns == 1 ? 1 : static_cast<int>(sequence.frames.size(0));
    const int rows = (count + columns - 1) / columns;
    top_ = kMargin + (sequence.title.empty() ? 0 : kTitle);
    height_ = top_ + rows * (panel_.height + kCaption + kGap) - kGap + kMargin;
    const int panels = columns * pitch_ - kGap;
    width_ = std::max(panels, columns == 1 ? text_width(sequence.title, kTitleCap) : 0) + 2 * kMargin;
    if (sequence.frames.size(1) != 1) return;
    const int bar = std::max(height_ - top_ - kCaption - kMargin, 60);
    height_ = std::max(height_, top_ + kCaption + bar + kMargin);
    bar_.emplace(colours, readable_units(colours.scale().units), bar);
    width_ = std::max(width_, panels + 2 * kMargin + 2 * kGap + bar_->width());
}

Canvas Sheet::background() const {
    Canvas canvas(width_, height_);
    canvas.text(kMargin, kMargin + kTitleCap, fitted(sequence_.title, kTitleCap, width_ - 2 * kMargin),
                {kTitleCap, kInk});
    if (bar_) bar_->draw(canvas, width_ - kMargin - bar_->width(), top_ + kCaption);
    return canvas;
}

void Sheet::draw(Canvas& canvas, std::int64_t frame, int row, int column) const {
    const int y = top_ + row * (panel_.height + kCaption + kGap) + kCaption;
    const Box box{kMargin + column * pitch_, y, panel_.width, panel_.height};
    canvas.text(box.x, y - 6, sequence_.labels[static_cast<std::size_t>(frame)], {kTickCap, kSoftInk});
    draw_panel(canvas, field_at(sequence_.frames, frame), colours_, box);
}

// As many columns as make the sheet about as wide as it may be, with rows of one length.
int columns_for(std::int64_t count, std::int64_t height, std::int64_t width) {
    if (count <= 4) return static_cast<int>(count);
    const double shape = static_cast<double>(height) / static_cast<double>(width);
    const double ideal = std::sqrt(static_cast<double>(count) * 1.8 * shape);
    const auto most = std::clamp<std::int64_t>(std::llround(ideal), 2, std::min<std::int64_t>(count, 12));
    const std::int64_t rows = (count + most - 1) / most;
    return static_cast<int>((count + rows - 1) / rows);
}

Palette palette_for(const FrameSequence& sequence, const Colours& colours) {
    std::vector<Rgb> all = {kWhite, kInk, kSoftInk, kLine, kMissing, kMissingStripe};
    for (int grey = 50; grey < 255; grey += 17) {
        const auto g = static_cast<std::uint8_t>(grey);
        all.push_back({g, g, g});
    }
    if (sequence.frames.size(1) == 1) {
        all.insert(all.end(), colours.levels().begin(), colours.levels().end());
        return Palette(all);
    }
    std::vector<Rgb> seen;
    for (const std::int64_t t : thinned(sequence.frames.size(0), kSampledFrames)) {
        const Image image = painted(resized(field_at(sequence.frames, t), {64, 64}), colours);
        seen.insert(seen.end(), image.pixels.begin(), image.pixels.end());
    }
    for (const Rgb colour : median_cut(std::move(seen), 255 - static_cast<int>(all.size()))) all.push_back(colour);
    return Palette(all);
}

}  // namespace

ColourScale frames_scale(const torch::Tensor& frames, const std::string& units) {
    return colour_scale(Forecast{frames, {}, {}, "", 0.0}, units);
}

void write_sheet(const std::string& path, const FrameSequence& sequence, const ColourScale& scale) {
    const Colours colours(scale, scale.map == "difference" ? kDifferenceLevels : kAllLevels);
    const int columns = columns_for(sequence.frames.size(0), sequence.frames.size(2), sequence.frames.size(3));
    const Sheet sheet(sequence, colours, columns, kPanelLimit);
    Canvas canvas = sheet.background();
    for (std::int64_t t = 0; t < sequence.frames.size(0); ++t) {
        sheet.draw(canvas, t, static_cast<int>(t / columns), static_cast<int>(t % columns));
    }
    write_atomically(path, canvas.png());
}

void write_frames_gif(const std::string& path, const FrameSequence& sequence, const ColourScale& scale,
                      double frames_per_s) {
    const bool grey = sequence.frames.size(1) == 1 && map_name(scale) == "grey";
    const Colours colours(scale, grey ? kAllLevels : kLevels);
    const Sheet sheet(sequence, colours, 1, kAnimationLimit);
    const Canvas empty = sheet.background();
    GifWriter gif(empty.width(), empty.height(), grey ? Palette::greys() : palette_for(sequence, colours));
    const std::int64_t count = sequence.frames.size(0);
    for (std::int64_t t = 0; t < count; ++t) {
        Canvas canvas = empty;
        sheet.draw(canvas, t, 0, 0);
        gif.add(canvas.image(), t + 1 == count ? std::max(1.0 / frames_per_s, kLastPause_s) : 1.0 / frames_per_s);
    }
    write_atomically(path, gif.bytes());
}

}  // namespace nowcell

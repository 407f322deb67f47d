#include "data/augment.h"

#include "data/counter_random.h"
#include "src/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

namespace nowcell {

AugmentOptions AugmentOptions::from(const Config& config) {
    const std::vector<std::string> names = config.texts("data.augment");
    const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
    AugmentOptions options{has("flip-horizontal"), has("flip-vertical"), has("rotate90"), has("reverse-time")};
    std::vector<std::int64_t> crop = config.per_axis("data.augment_crop");
    if (crop.size() == 1) crop.push_back(crop.front());
    if (crop.size() == 2 && (crop[0] > 0 || crop[1] > 0)) options.crop = crop;
    return options;
}

void AugmentOptions::check(const SourceInfo& info) const {
    const std::int64_t rows = height(info.height);
    const std::int64_t columns = width(info.width);
    if (rows < 1 || columns < 1 || rows > info.height || columns > info.width) {
        throw Error(ExitCode::usage, fmt::format("data.augment_crop = [{}, {}] does not fit into frames of {}x{}", rows,
                                                 columns, info.height, info.width));
    }
    if (rotate90 && rows != columns) {
        throw Error(ExitCode::usage,
                    fmt::format("data.augment has \"rotate90\", but the frames of {} are {}x{}, not square",
                                crop.empty() ? info.path : "data.augment_crop", rows, columns),
                    "", fmt::format("data.augment_crop = [{0}, {0}]", std::min(rows, columns)));
    }
}

View draw_view(const AugmentOptions& options, std::int64_t height, std::int64_t width, std::uint64_t seed,
               std::int64_t epoch, std::int64_t position) {
    const auto mix = CounterRandom::mix;
    CounterRandom random(mix(mix(seed) ^ static_cast<std::uint64_t>(epoch)), static_cast<std::uint64_t>(position));
    // Everything is drawn whatever is on, so that one option does not change what another draws.
    const bool mirrored = random.between(0, 1) == 1;
    const bool upside_down = random.between(0, 1) == 1;
    const bool backwards = random.between(0, 1) == 1;
    const std::int64_t turns = random.between(0, 3);
    View view;
    view.mirrored = options.flip_horizontal && mirrored;
    view.upside_down = options.flip_vertical && upside_down;
    view.backwards = options.reverse_time && backwards;
    view.quarter_turns = options.rotate90 ? turns : 0;
    view.top = random.between(0, height - options.height(height));
    view.left = random.between(0, width - options.width(width));
    return view;
}

torch::Tensor look(const torch::Tensor& sequence, const View& view, const AugmentOptions& options) {
    torch::Tensor frames = sequence.narrow(2, view.top, options.height(sequence.size(2)))
                               .narrow(3, view.left, options.width(sequence.size(3)));
    if (view.quarter_turns > 0) frames = at::rot90(frames, view.quarter_turns, {2, 3});
    std::vector<std::int64_t> flipped;
    if (view.backwards) flipped.push_back(0);
    if (view.upside_down) flipped.push_back(2);
    if (view.mirrored) flipped.push_back(3);
    return flipped.empty() ? frames : frames.flip(flipped);
}

}  // namespace nowcell

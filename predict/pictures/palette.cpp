#include "predict/pictures/palette.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace nowcell {
namespace {

std::size_t key_of(Rgb c) { return static_cast<std::size_t>(c.r) << 16 | static_cast<std::size_t>(c.g) << 8 | c.b; }

int square_distance(Rgb a, Rgb b) {
    const int r = a.r - b.r, g = a.g - b.g, l = a.b - b.b;
    return r * r + g * g + l * l;
}

std::array<std::uint8_t, 3> channels_of(Rgb c) { return {c.r, c.g, c.b}; }

using Colour = std::vector<Rgb>::iterator;

// Colours between two iterators, the channel in which they differ most, and by how much.
struct Group {
    Colour begin, end;
    std::size_t channel = 0;
    int spread = 0;

    Group(Colour first, Colour last) : begin(first), end(last) {
        for (std::size_t c = 0; c < 3; ++c) {
            const auto [low, high] =
                std::minmax_element(begin, end, [c](Rgb a, Rgb b) { return channels_of(a)[c] < channels_of(b)[c]; });
            const int range = channels_of(*high)[c] - channels_of(*low)[c];
            if (range <= spread) continue;
            spread = range;
            channel = c;
        }
    }

    Rgb mean() const {
        std::array<long long, 3> sum{};
        for (Colour i = begin; i != end; ++i) {
            for (std::size_t c = 0; c < 3; ++c) sum[c] += channels_of(*i)[c];
        }
        const long long n = end - begin;
        const auto part = [&](std::size_t c) { return static_cast<std::uint8_t>((sum[c] + n / 2) / n); };
        return {part(0), part(1), part(2)};
    }
};

}  // namespace

Palette::Palette(const std::vector<Rgb>& colours, std::size_t most) : known_(std::size_t{1} << 24, -1) {
    for (Rgb colour : colours) {
        if (known_[key_of(colour)] >= 0 || colours_.size() == most) continue;
        known_[key_of(colour)] = static_cast<std::int16_t>(colours_.size());
        colours_.push_back(colour);
    }
}

Palette Palette::greys() {
    std::vector<Rgb> greys;
    for (int level = 0; level < 256; ++level) {
        const auto grey = static_cast<std::uint8_t>(level);
        greys.push_back({grey, grey, grey});
    }
    return Palette(greys, greys.size());
}

std::uint8_t Palette::index(Rgb colour) {
    std::int16_t& known = known_[key_of(colour)];
    if (known < 0) {
        const auto nearest = std::min_element(colours_.begin(), colours_.end(), [colour](Rgb a, Rgb b) {
            return square_distance(a, colour) < square_distance(b, colour);
        });
        known = static_cast<std::int16_t>(nearest - colours_.begin());
    }
    return static_cast<std::uint8_t>(known);
}

std::vector<Rgb> median_cut(std::vector<Rgb> colours, int count) {
    std::vector<Rgb> result;
    if (colours.empty()) return result;
    std::vector<Group> groups = {Group(colours.begin(), colours.end())};
    while (groups.size() < static_cast<std::size_t>(count)) {
        const auto widest = std::max_element(groups.begin(), groups.end(),
                                             [](const Group& a, const Group& b) { return a.spread < b.spread; });
        if (widest->spread == 0) break;
        const Group group = *widest;
        const auto middle = group.begin + (group.end - group.begin) / 2;
        std::nth_element(group.begin, middle, group.end,
                         [c = group.channel](Rgb a, Rgb b) { return channels_of(a)[c] < channels_of(b)[c]; });
        *widest = Group(group.begin, middle);
        groups.emplace_back(middle, group.end);
    }
    for (const Group& group : groups) result.push_back(group.mean());
    return result;
}

}  // namespace nowcell

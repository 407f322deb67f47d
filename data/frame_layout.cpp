#include "data/frame_layout.h"

#include "src/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace nowcell {
namespace {

const std::vector<std::string> kNames = {"auto", "nthw", "nthwc", "thw", "thwc"};

bool ends_in_channels(const std::vector<std::int64_t>& shape) {
    const std::int64_t last = shape.back();
    return last >= 1 && last <= 4 &&
           std::all_of(shape.begin(), shape.end() - 1, [&](auto size) { return last < size; });
}

std::string guess(const std::vector<std::int64_t>& shape, const std::string& dataset) {
    if (shape.size() == 3) return "thw";
    if (shape.size() == 4) return ends_in_channels(shape) ? "thwc" : "nthw";
    if (shape.size() == 5) return "nthwc";
    throw Error(ExitCode::data,
                fmt::format("{} has {} dimensions [{}], expected 3 to 5 (time, rows, columns; recordings; channels)",
                            dataset, shape.size(), fmt::join(shape, ",")),
                "", "name another dataset: --dataset NAME, or data.dataset in the configuration");
}

int position(const std::string& name, char dimension) {
    const std::size_t found = name.find(dimension);
    return found == std::string::npos ? -1 : static_cast<int>(found);
}

}  // namespace

FrameLayout find_layout(const std::string& name, const std::vector<std::int64_t>& shape, const std::string& dataset) {
    if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) {
        throw Error(ExitCode::usage,
                    fmt::format("data.layout: got '{}', expected one of {}", name, fmt::join(kNames, ", ")), "",
                    did_you_mean(name, kNames));
    }
    const std::string layout = name == "auto" ? guess(shape, dataset) : name;
    if (layout.size() != shape.size()) {
        throw Error(ExitCode::data,
                    fmt::format("layout '{}' needs {} dimensions, {} has {}: [{}]", layout, layout.size(), dataset,
                                shape.size(), fmt::join(shape, ",")),
                    "", "data.layout = \"auto\" in the configuration");
    }
    return {layout,
            position(layout, 'n'),
            position(layout, 't'),
            position(layout, 'h'),
            position(layout, 'w'),
            position(layout, 'c')};
}

}  // namespace nowcell

#include "src/presets.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace nowcell {

std::string Preset::summary() const {
    const std::size_t begin = text.find_first_not_of("# ");
    const std::string line = text.substr(begin, text.find('\n', begin) - begin);
    const std::size_t stop = line.find(". ");
    return stop == std::string::npos ? line : line.substr(0, stop + 1);
}

std::vector<std::int64_t> Preset::frame() const {
    const std::size_t at = text.find("# Frames: ");
    long long height = 0;
    long long width = 0;
    long long channels = 0;
    if (at == std::string::npos ||
        std::sscanf(text.c_str() + at, "# Frames: %lldx%lld, %lld channel", &height, &width, &channels) != 3) {
        return {};
    }
    return {height, width, channels};
}

const Preset& find_preset(const std::string& name) {
    std::string wanted = name;
    std::replace(wanted.begin(), wanted.end(), '_', '-');
    std::vector<std::string> names;
    for (const Preset& preset : all_presets()) {
        if (preset.name == wanted) return preset;
        names.push_back(preset.name);
    }
    const std::string near = did_you_mean(wanted, names);
    throw Error(ExitCode::usage, fmt::format("no preset '{}'", name), "",
                near.empty() ? "nowcell config presets lists them" : near);
}

std::string presets_text() {
    std::string out;
    for (const Preset& preset : all_presets()) out += fmt::format("{:<24} {}\n", preset.name, preset.summary());
    return out;
}

}  // namespace nowcell

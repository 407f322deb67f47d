// Configurations that come with the program: the files of configs/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// A configuration by name, with the comments that explain it.
struct Preset {
    std::string name;  ///< of its file, with - for _
    std::string text;  ///< TOML

    std::string summary() const;  ///< its first comment, one sentence
    /// Height, width and channels that its line "# Frames: HxW, N channel(s)" names; empty without one.
    std::vector<std::int64_t> frame() const;
};

/// All of them, by name.
const std::vector<Preset>& all_presets();

/// Throws Error(usage) with the nearest name.
const Preset& find_preset(const std::string& name);

/// The names with their summaries.
std::string presets_text();

}  // namespace nowcell

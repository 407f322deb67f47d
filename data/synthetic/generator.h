// What the generators of synthetic sequences have in common: limits, and how they refuse what lies outside.
#pragma once

#include <cstdint>
#include <string>

namespace nowcell {

/// Checks the options of one kind of data set. Members throw Error(usage) that names the flag.
struct GeneratorCheck {
    std::string kind;     ///< "moving-mnist"
    std::string example;  ///< a command that works

    /// FLAG must be low..high.
    void range(const std::string& flag, std::int64_t got, std::int64_t low, std::int64_t high,
               const std::string& unit = "") const;

    /// --frames must be at least 2 and --count at least 1; all of it at most 1 TiB.
    void amount(std::int64_t count, std::int64_t frames, std::int64_t bytes_per_frame) const;
};

}  // namespace nowcell

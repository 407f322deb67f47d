#include "data/synthetic/generator.h"

#include "src/error.h"

#include <fmt/format.h>

namespace nowcell {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;
constexpr std::int64_t kMostFrames = 1'000'000;

}  // namespace

void GeneratorCheck::range(const std::string& flag, std::int64_t got, std::int64_t low, std::int64_t high,
                           const std::string& unit) const {
    if (got >= low && got <= high) return;
    throw Error(ExitCode::usage,
                fmt::format("cannot make {}: {}: got {}, expected {}..{}{}", kind, flag, got, low, high,
                            unit.empty() ? "" : " " + unit),
                "", example);
}

void GeneratorCheck::amount(std::int64_t count, std::int64_t frames, std::int64_t bytes_per_frame) const {
    range("--frames", frames, 2, kMostFrames);
    range("--count", count, 1, kMostBytes / bytes_per_frame / frames, "sequences of this size (1 TiB)");
}

}  // namespace nowcell

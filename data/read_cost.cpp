#include "data/read_cost.h"

#include <algorithm>

namespace nowcell {
namespace {

// Values under the pieces of `piece` that [first, first + count) touches.
double covered(std::int64_t first, std::int64_t count, std::int64_t piece) {
    return static_cast<double>(((first + count - 1) / piece - first / piece + 1) * piece);
}

// Sum of k / piece, rounded down, over 0 <= k < count.
double sum_of_quotients(std::int64_t count, std::int64_t piece) {
    const auto whole = static_cast<double>(count / piece);
    const auto rest = static_cast<double>(count % piece);
    return static_cast<double>(piece) * whole * (whole - 1.0) / 2.0 + whole * rest;
}

// The mean of covered() over all starts of a window in `frames`.
double covered_by_windows(std::int64_t frames, std::int64_t window, std::int64_t piece) {
    const std::int64_t starts = frames - window + 1;
    const double last = sum_of_quotients(starts + window - 1, piece) - sum_of_quotients(window - 1, piece);
    const double pieces = last - sum_of_quotients(starts, piece) + static_cast<double>(starts);
    return pieces * static_cast<double>(piece) / static_cast<double>(starts);
}

}  // namespace

std::optional<double> read_amplification(const SourceInfo& info, std::int64_t window) {
    const bool frame_files = info.layout.find('t') == std::string::npos;
    if (info.format.find("GIF") != std::string::npos || info.format.find("video") != std::string::npos) return {};
    const std::vector<std::int64_t>& piece =
        info.chunk_shape.empty() && frame_files ? info.stored_shape : info.chunk_shape;
    if (piece.empty()) return 1.0;
    if (piece.size() != info.layout.size() || info.frames.empty()) return {};
    const std::int64_t frames = *std::max_element(info.frames.begin(), info.frames.end());
    const std::int64_t count = std::min(window, frames);
    double factor = 1.0;
    for (std::size_t i = 0; i < piece.size(); ++i) {
        const std::int64_t side = std::max<std::int64_t>(1, piece[i]);
        switch (info.layout[i]) {
            case 'n': factor *= static_cast<double>(side); break;
            case 't': factor *= covered_by_windows(frames, count, side) / static_cast<double>(count); break;
            case 'h': factor *= covered(info.first_row, info.height, side) / static_cast<double>(info.height); break;
            case 'w': factor *= covered(info.first_column, info.width, side) / static_cast<double>(info.width); break;
            default: factor *= covered(0, info.channels, side) / static_cast<double>(info.channels);
        }
    }
    return factor;
}

}  // namespace nowcell

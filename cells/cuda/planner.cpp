#include "cells/cuda/planner.h"

#include <algorithm>
#include <limits>

namespace nowcell::cuda {
namespace {

constexpr std::size_t kPackBytes = 16;
constexpr std::int64_t kBlocksPerMultiprocessor = 32;  // a few waves: the tail of the last one is short

}  // namespace

Launch plan_stream(const DeviceLimits& limits, std::int64_t items, std::int64_t batch) {
    Launch launch;
    launch.block = kStreamThreads;
    launch.grid_y = static_cast<unsigned>(std::clamp<std::int64_t>(batch, 1, limits.grid_y));
    const std::int64_t wanted = (items + kStreamThreads - 1) / kStreamThreads;
    const std::int64_t most =
        std::max<std::int64_t>(1, limits.multiprocessors * kBlocksPerMultiprocessor / launch.grid_y);
    launch.grid_x =
        static_cast<unsigned>(std::clamp<std::int64_t>(wanted, 1, std::min<std::int64_t>(most, limits.grid_x)));
    return launch;
}

bool moves_packs(Storage storage, std::int64_t filters) {
    return filters % static_cast<std::int64_t>(kPackBytes / element_bytes(storage)) == 0;
}

bool is_aligned(const void* data, std::int64_t batch_stride, std::size_t element_bytes) {
    return reinterpret_cast<std::uintptr_t>(data) % kPackBytes == 0 &&
           static_cast<std::uint64_t>(batch_stride) * element_bytes % kPackBytes == 0;
}

bool frame_fits(const StepShape& shape, std::int64_t channels) {
    // pixels() cannot overflow; the product could.
    return shape.pixels() <= std::numeric_limits<std::int32_t>::max() / std::max<std::int64_t>(channels, 1);
}

}  // namespace nowcell::cuda

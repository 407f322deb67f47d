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

ProductPlan plan_product(const DeviceLimits& limits, std::int64_t rows, std::int64_t columns, bool large) {
    const auto blocks = [&](const ProductSide& side) {
        Launch launch;
        launch.grid_x = static_cast<unsigned>((rows + side.rows - 1) / side.rows);
        launch.grid_y = static_cast<unsigned>((columns + side.columns - 1) / side.columns);
        launch.block = static_cast<unsigned>(side.threads);
        return launch;
    };
    const Launch few = blocks(kLargeProduct);
    const bool enough = static_cast<std::int64_t>(few.grid_x) * few.grid_y >= limits.multiprocessors;
    if (large && enough) return {few, true};
    return {blocks(kSmallProduct), false};
}

bool product_fits(const StepShape& shape) {
    return shape.pixels() <= (std::numeric_limits<std::int32_t>::max() - kLargeProduct.rows) / std::max(shape.batch, 1);
}

int sum_blocks(std::int64_t rows) {
    constexpr std::int64_t kRowsOfBlock = 64;
    return static_cast<int>(std::clamp<std::int64_t>(rows / kRowsOfBlock, 1, kMostSumBlocks));
}

Launch plan_sums(std::int64_t rows, int columns, int width) {
    const int of_block = 32 * width;
    Launch launch;
    launch.block = kStreamThreads;
    launch.grid_x = static_cast<unsigned>((columns + of_block - 1) / of_block);
    launch.grid_y = static_cast<unsigned>(sum_blocks(rows));
    return launch;
}

Launch plan_columns(int columns) {
    Launch launch;
    launch.block = kStreamThreads;
    launch.grid_x = static_cast<unsigned>((columns + kStreamThreads - 1) / kStreamThreads);
    return launch;
}

}  // namespace nowcell::cuda

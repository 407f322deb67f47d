#include "cells/cuda/planner.h"

#include <algorithm>
#include <limits>

namespace nowcell::cuda {
namespace {

constexpr std::size_t kPackBytes = 16;
constexpr std::int64_t kBlocksPerMultiprocessor = 32;  // a few waves: the tail of the last one is short

constexpr std::int64_t kNormChunk = 4096;     // a few packs for each thread of a block
constexpr std::int64_t kNormPartsMost = 128;  // each warp of the next kernel adds them up
constexpr std::int64_t kNormGroupLength = std::int64_t{1} << 18;
constexpr std::int64_t kNormGroupSpans = 8, kNormGroupsMost = 1024;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

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

int pack_width(Storage storage, bool packs) {
    return packs ? static_cast<int>(kPackBytes / element_bytes(storage)) : 1;
}

bool moves_packs(Storage storage, std::int64_t filters) {
    return filters % static_cast<std::int64_t>(kPackBytes / element_bytes(storage)) == 0;
}

bool is_aligned(const void* data, std::int64_t batch_stride, std::size_t element_bytes) {
    return reinterpret_cast<std::uintptr_t>(data) % kPackBytes == 0 &&
           static_cast<std::uint64_t>(batch_stride) * element_bytes % kPackBytes == 0;
}

NormRowPlan plan_norm_row(Storage storage, bool packs, std::int64_t channels) {
    const auto width = packs ? static_cast<std::int64_t>(kPackBytes / element_bytes(storage)) : 1;
    // 32 numbers of a row in each lane: backward holds four such sets in registers.
    const std::int64_t most = packs ? 32 / width : 8;
    for (std::int64_t count = packs ? 1 : most; count <= most; count *= 2) {
        if (channels <= 32 * count * width) return {32, static_cast<int>(count)};
    }
    if (packs && channels <= kStreamThreads * std::int64_t{16}) return {kStreamThreads, static_cast<int>(16 / width)};
    return {};
}

NormParts norm_parts(std::int64_t length) {
    const std::int64_t wanted = std::clamp<std::int64_t>(ceil_div(length, kNormChunk), 1, kNormPartsMost);
    const std::int64_t chunk = std::max<std::int64_t>(8, ceil_div(ceil_div(length, wanted), 8) * 8);  // whole packs
    return {static_cast<unsigned>(std::max<std::int64_t>(1, ceil_div(length, chunk))), static_cast<unsigned>(chunk)};
}

Launch plan_norm_parts(const DeviceLimits& limits, unsigned parts, std::int64_t spans) {
    Launch launch;
    launch.block = kStreamThreads;
    launch.grid_x = parts;
    launch.grid_y = static_cast<unsigned>(std::clamp<std::int64_t>(spans, 1, limits.grid_y));
    return launch;
}

unsigned norm_groups(std::int64_t length, std::int64_t spans) {
    // Small spans alone would leave most of a GPU idle; each group costs two more sums per number.
    const std::int64_t most = std::clamp<std::int64_t>(spans / kNormGroupSpans, 1, kNormGroupsMost);
    return static_cast<unsigned>(
        std::clamp<std::int64_t>(kNormGroupLength / std::max<std::int64_t>(1, length), 1, most));
}

Launch plan_norm_groups(std::int64_t items, unsigned groups) {
    Launch launch;
    launch.block = kStreamThreads;
    launch.grid_x = static_cast<unsigned>(std::max<std::int64_t>(1, ceil_div(items, kStreamThreads)));
    launch.grid_y = groups;
    return launch;
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

Launch plan_columns(std::int64_t columns) {
    Launch launch;
    launch.block = kStreamThreads;
    launch.grid_x = static_cast<unsigned>(ceil_div(columns, 32));
    return launch;
}

}  // namespace nowcell::cuda

// How kernels are launched: grid, block, shared memory, which variant. Plain C++, tested without a GPU.
#pragma once

#include "cells/cuda/problem.h"

#include <cstddef>
#include <cstdint>

namespace nowcell::cuda {

/// What a GPU allows; defaults are those of compute capability 8.0 and newer.
struct DeviceLimits {
    int multiprocessors = 108;
    int capability = 80;  ///< 10 * major + minor
    int block_threads = 1024;
    int grid_x = 2147483647, grid_y = 65535, grid_z = 65535;
    std::size_t block_shared_bytes = 48 * 1024;       ///< without asking
    std::size_t block_shared_bytes_most = 99 * 1024;  ///< on request
};

struct Launch {
    unsigned grid_x = 0, grid_y = 1, grid_z = 1;
    unsigned block = 0;
    std::size_t shared_bytes = 0;
};

/// Threads of a block of the kernels that stream through memory.
constexpr int kStreamThreads = 256;

/// For `items` per frame and `batch` frames: blocks along x go through a frame, along y through the batch; both go on
/// by the size of the grid where it is smaller. Zero blocks never: a launch of none is an error.
Launch plan_stream(const DeviceLimits& limits, std::int64_t items, std::int64_t batch);

/// Numbers moved at once.
int pack_width(Storage storage, bool packs);
/// Whether channels may be moved 16 bytes at a time: F fits, and each address and batch stride is a multiple of them.
bool moves_packs(Storage storage, std::int64_t filters);
bool is_aligned(const void* data, std::int64_t batch_stride, std::size_t element_bytes);
/// Whether what a call points to, if anything, may be moved so.
inline bool in_packs(const Frames<const void>& f, Storage s) {
    return !f || is_aligned(f.data, f.batch, element_bytes(s));
}
inline bool in_packs(const Frames<const float>& f) { return !f || is_aligned(f.data, f.batch, sizeof(float)); }
inline bool in_packs(const float* p) { return is_aligned(p, 0, sizeof(float)); }

/// Whether the numbers of one frame of `channels` can be counted with 32 bits, as kernels do.
bool frame_fits(const StepShape& shape, std::int64_t channels);

/// How one warp, or a block of kStreamThreads, holds a row of channels in registers.
struct NormRowPlan {
    int lanes = 0;  ///< 32 or kStreamThreads; 0: the row is too long
    int packs = 0;  ///< of each lane; a pack is 16 bytes, or one number where rows move one by one
};
NormRowPlan plan_norm_row(Storage storage, bool packs, std::int64_t channels);

/// Numbers that are normalised together, but too many for registers, are reduced in `parts` of `chunk` (the last one
/// may be smaller). From the length alone: what comes out depends neither on the device nor on the rest of the batch.
struct NormParts {
    unsigned parts = 1;
    unsigned chunk = 0;
};
NormParts norm_parts(std::int64_t length);
/// A block for each part, along y through the spans.
Launch plan_norm_parts(const DeviceLimits& limits, unsigned parts, std::int64_t spans);

/// Groups of such spans, of which each sums its own gradients of scale and shift. From these two numbers alone.
unsigned norm_groups(std::int64_t length, std::int64_t spans);
/// A thread for each item of a span, along y a block for each group.
Launch plan_norm_groups(std::int64_t items, unsigned groups);

/// Sides of a block's share of the product behind a convolution.
struct ProductSide {
    int rows, columns, threads;
};
constexpr ProductSide kLargeProduct = {128, 128, 256}, kSmallProduct = {64, 64, 128};

struct ProductPlan {
    Launch launch;
    bool large = false;
};
/// rows: pixels of all frames. large: whether the large share exists; it is taken where it still gives every
/// multiprocessor a block.
ProductPlan plan_product(const DeviceLimits& limits, std::int64_t rows, std::int64_t columns, bool large);
/// Whether the pixels of all frames can be counted with 32 bits.
bool product_fits(const StepShape& shape);

/// Blocks of rows that sum up columns on their own. Of the problem alone, so that each device adds in the same order.
int sum_blocks(std::int64_t rows);
constexpr int kMostSumBlocks = 256;
constexpr std::int64_t kMostSumRows = 0x7fffffff - kMostSumBlocks;
/// Blocks along x share the columns out, `width` to a thread; along y the rows.
Launch plan_sums(std::int64_t rows, int columns, int width);
/// A block for each 32 columns.
Launch plan_columns(std::int64_t columns);

}  // namespace nowcell::cuda

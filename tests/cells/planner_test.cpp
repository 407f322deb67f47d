// How CUDA kernels are launched, without a GPU.
#include "cells/cuda/planner.h"
#include "tests/support/catch.h"

#include <cstdint>
#include <limits>

using namespace nowcell::cuda;

TEST_CASE("a stream's launch stays within the limits and covers every frame", "[planner]") {
    const DeviceLimits limits;
    for (const std::int64_t items :
         {std::int64_t{0}, std::int64_t{1}, std::int64_t{255}, std::int64_t{256}, std::int64_t{257},
          std::int64_t{1000003}, std::int64_t{1} << 31, std::int64_t{1} << 40}) {
        for (const std::int64_t batch : {1, 7, 65535, 65536, 1 << 30}) {
            INFO("items " << items << ", batch " << batch);
            const Launch plan = plan_stream(limits, items, batch);
            CHECK(plan.block == kStreamThreads);
            CHECK(plan.grid_x >= 1);
            CHECK(plan.grid_y >= 1);
            CHECK(plan.grid_z == 1);
            CHECK(plan.grid_x <= static_cast<unsigned>(limits.grid_x));
            CHECK(plan.grid_y <= static_cast<unsigned>(limits.grid_y));
            // Never a block more than there is work for.
            CHECK(static_cast<std::int64_t>(plan.grid_x - 1) * kStreamThreads <= items);
            CHECK(static_cast<std::int64_t>(plan.grid_y) <= batch);
        }
    }
}

TEST_CASE("packs of 16 bytes need channels, addresses and strides that are multiples", "[planner]") {
    CHECK(moves_packs(Storage::float32, 4));
    CHECK_FALSE(moves_packs(Storage::float32, 6));
    CHECK(moves_packs(Storage::float16, 8));
    CHECK_FALSE(moves_packs(Storage::float16, 12));
    CHECK_FALSE(moves_packs(Storage::bfloat16, 7));
    alignas(16) const float numbers[8] = {};
    CHECK(is_aligned(numbers, 4, sizeof(float)));
    CHECK_FALSE(is_aligned(numbers + 1, 4, sizeof(float)));
    CHECK_FALSE(is_aligned(numbers, 6, sizeof(float)));
    CHECK_FALSE(is_aligned(numbers, 4, 2));
    CHECK(is_aligned(numbers, (std::int64_t{1} << 40) + 4, sizeof(float)));
    CHECK(is_aligned(nullptr, 0, 2));
}

TEST_CASE("frames and products that 32 bits cannot count are refused", "[planner]") {
    CHECK(frame_fits({1, 1, 1, 1}, 4));
    CHECK(frame_fits({1, 46340, 46341, 1}, 1));
    CHECK_FALSE(frame_fits({1, 46341, 46341, 1}, 1));  // 2^31 and some
    CHECK_FALSE(frame_fits({1, 2147483647, 2147483647, 64}, 256));
    CHECK_FALSE(frame_fits({1, 1 << 14, 1 << 14, 2}, 8));  // 2^31
    CHECK(frame_fits({1 << 30, 16, 16, 8}, 32));           // the batch is counted with 64
    CHECK(product_fits({1, 1, 1, 1}));
    CHECK(product_fits({127, 4096, 4096, 1}));
    CHECK_FALSE(product_fits({128, 4096, 4096, 1}));
    CHECK_FALSE(product_fits({2147483647, 2147483647, 2, 1}));
}

TEST_CASE("a product's launch covers all rows and columns", "[planner]") {
    const DeviceLimits limits;
    for (const std::int64_t rows : {1, 63, 64, 65, 1000003, 2130000000}) {
        for (const std::int64_t columns : {1, 64, 65, 128, 4096}) {
            for (const bool large : {false, true}) {
                INFO("rows " << rows << ", columns " << columns << ", large " << large);
                const ProductPlan plan = plan_product(limits, rows, columns, large);
                const ProductSide side = plan.large ? kLargeProduct : kSmallProduct;
                CHECK((large || !plan.large));
                CHECK(plan.launch.block == static_cast<unsigned>(side.threads));
                CHECK(plan.launch.grid_x == static_cast<unsigned>((rows + side.rows - 1) / side.rows));
                CHECK(plan.launch.grid_y == static_cast<unsigned>((columns + side.columns - 1) / side.columns));
                CHECK(plan.launch.grid_y <= static_cast<unsigned>(limits.grid_y));
            }
        }
    }
    CHECK_FALSE(plan_product(limits, 64, 64, true).large);  // one multiprocessor of many would work
    CHECK(plan_product(limits, 1 << 20, 256, true).large);
}

TEST_CASE("sums are cut the same way on every device, within its grid", "[planner]") {
    for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{31}, std::int64_t{100000}, kMostSumRows}) {
        INFO("rows " << rows);
        CHECK(sum_blocks(rows) >= 1);
        CHECK(sum_blocks(rows) <= kMostSumBlocks);
        const Launch plan = plan_sums(rows, 37, 1);
        CHECK(plan.grid_y == static_cast<unsigned>(sum_blocks(rows)));
        CHECK(static_cast<std::int64_t>(plan.grid_x) * 32 >= 37);
    }
}

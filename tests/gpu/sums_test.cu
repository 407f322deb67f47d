// Column sums and peephole gradients against double precision on the host; the same bits each time.
#include "cells/cuda/sums.h"
#include "tests/gpu/harness.h"

namespace nowcell::cuda {
namespace {

using test::DeviceBuffer;
using test::Floats;

void try_columns(Storage storage, int frames, int pixels, int columns, int gap, std::size_t offset) {
    const auto frame = static_cast<std::size_t>(pixels * columns), stride = frame + static_cast<std::size_t>(gap);
    const Floats values = test::rounded(test::random_floats(stride * static_cast<std::size_t>(frames)), storage);
    std::vector<double> sums(static_cast<std::size_t>(columns), 1.0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(frames); ++i) {
        for (std::size_t j = 0; j < frame; ++j) sums[j % static_cast<std::size_t>(columns)] += values[i * stride + j];
    }
    const DeviceBuffer device(storage, values, offset);
    const DeviceBuffer workspace(Storage::float32, column_sums_workspace_bytes(columns) / sizeof(float));
    Floats first;
    for (int run = 0; run < 2; ++run) {
        const DeviceBuffer out(Storage::float32, Floats(static_cast<std::size_t>(columns), 1.0F));
        ColumnSums call;
        call.storage = storage;
        call.values = device.data();
        call.frames = frames, call.stride = static_cast<std::int64_t>(stride), call.pixels = pixels;
        call.columns = columns;
        call.sums = out.floats();
        call.workspace = workspace.data();
        test::check(column_sums(call, nullptr), "column_sums");
        const Floats got = out.read();
        test::expect_close(std::string(test::name_of(storage)) + " sums of " + std::to_string(columns), got,
                           Floats(sums.begin(), sums.end()), 1e-5);
        test::expect(run == 0 || got == first, "two runs differ");
        first = got;
    }
}

GPU_TEST(column_sums) {
    for (const Storage storage : test::kStorages) {
        try_columns(storage, 1, 1, 1, 0, 0);
        try_columns(storage, 3, 35, 32, 0, 0);
        try_columns(storage, 2, 49, 160, 32, 0);
        try_columns(storage, 5, 100, 28, 1, 0);
        try_columns(storage, 2, 9, 36, 0, 1);
        try_columns(storage, 2, 9, 37, 0, 0);
    }
    try_columns(Storage::bfloat16, 7, 200, 8, 0, 0);
}

void try_peephole(Storage storage, const StepShape& shape, bool pixel, bool state, std::size_t offset) {
    const auto filters = static_cast<std::size_t>(shape.filters), pixels = static_cast<std::size_t>(shape.pixels());
    const std::size_t frame = pixels * filters, n = frame * static_cast<std::size_t>(shape.batch);
    const Floats d_gates = test::rounded(test::random_floats(4 * n), storage), c = test::random_floats(n);
    const Floats c_old = state ? test::random_floats(n) : Floats();
    const std::size_t plane = pixel ? frame : filters;
    std::vector<double> sums(3 * plane, 0.5);
    for (std::size_t unit = 0; unit < n; ++unit) {
        const std::size_t gate = unit / filters * 4 * filters + unit % filters;
        const std::size_t at = pixel ? unit % frame : unit % filters;
        if (state) sums[at] += static_cast<double>(d_gates[gate]) * c_old[unit];
        if (state) sums[plane + at] += static_cast<double>(d_gates[gate + filters]) * c_old[unit];
        sums[2 * plane + at] += static_cast<double>(d_gates[gate + 3 * filters]) * c[unit];
    }
    const DeviceBuffer gates(storage, d_gates, offset), new_c(Storage::float32, c, offset);
    const test::Optional old_c(Storage::float32, c_old, offset);
    const DeviceBuffer out(Storage::float32, Floats(sums.size(), 0.5F));
    const DeviceBuffer workspace(Storage::float32, peephole_sums_workspace_bytes(shape.filters) / sizeof(float));
    PeepholeSums call;
    call.shape = shape;
    call.storage = storage;
    call.pixel = pixel;
    call.d_gates = {gates.data(), static_cast<std::int64_t>(4 * frame)};
    call.c_old = {old_c.floats(), static_cast<std::int64_t>(frame)};
    call.c = {new_c.floats(), static_cast<std::int64_t>(frame)};
    call.sums = out.floats();
    call.workspace = workspace.data();
    test::check(peephole_sums(call, nullptr), "peephole_sums");
    test::expect_close(
        std::string(test::name_of(storage)) + (pixel ? " pixel" : "") + " peephole F" + std::to_string(shape.filters),
        out.read(), Floats(sums.begin(), sums.end()), 1e-5);
}

GPU_TEST(peephole_sums) {
    for (const Storage storage : test::kStorages) {
        for (const bool pixel : {false, true}) {
            try_peephole(storage, {1, 1, 1, 1}, pixel, true, 0);
            try_peephole(storage, {2, 5, 7, 8}, pixel, true, 0);
            try_peephole(storage, {3, 9, 5, 24}, pixel, false, 0);
            try_peephole(storage, {2, 3, 5, 7}, pixel, true, 0);
            try_peephole(storage, {2, 4, 4, 7}, pixel, true, 0);  // frames that begin at multiples of 16 bytes
            try_peephole(storage, {2, 3, 5, 8}, pixel, true, 1);
        }
    }
}

GPU_PROFILE(sums) {
    for (const Storage storage : test::kStorages) {
        for (const std::size_t offset : {0, 1}) {  // 16 bytes at a time, number by number
            try_columns(storage, 2, 64, 128, 0, offset);
            for (const bool pixel : {false, true}) try_peephole(storage, {2, 8, 8, 32}, pixel, true, offset);
        }
    }
}

}  // namespace
}  // namespace nowcell::cuda

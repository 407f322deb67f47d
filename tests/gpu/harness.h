// The frame of the CUDA test programs: no framework, so that they run where nothing can be installed.
//     GPU_TEST(name) { ... expect_close("c", got, expected, 1e-5); }
//     GPU_PROFILE(name) { ... one launch of each kernel ... }
// A program runs its tests, with `--profile` its profiles; one more argument: those whose names contain it.
#pragma once

#include "cells/cuda/problem.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nowcell::test {

using Floats = std::vector<float>;

/// Registers a test of the program; `main` is in harness.cu. A program without a GPU ends with 77 and a message.
struct Test {
    Test(const char* name, void (*body)(), bool profile);
};
#define GPU_TEST(name)                                                               \
    static void test_##name();                                                       \
    static const ::nowcell::test::Test registered_##name(#name, test_##name, false); \
    static void test_##name()
/// Launches at the one shape at which budgets.py measures how each kernel moves memory; see README.md.
#define GPU_PROFILE(name)                                                                      \
    static void profile_##name();                                                              \
    static const ::nowcell::test::Test registered_profile_##name(#name, profile_##name, true); \
    static void profile_##name()

/// Counts a failure of the running test, and prints it.
void fail(const std::string& message);
void expect(bool condition, const std::string& what);
/// Ends the program with the error's text.
void check(cudaError_t error, const char* what);
/// Waits for the device.
void finish();

/// The same numbers for the same NOWCELL_TEST_SEED, other ones in each call; in [-scale, scale].
Floats random_floats(std::size_t count, float scale = 1.0F);
/// Rounded to the storage, as the device will see them.
Floats rounded(Floats values, cuda::Storage storage);

/// |got - expected| <= tolerance * max(1, |expected|) everywhere; NaN only where NaN is expected.
void expect_close(const std::string& what, const Floats& got, const Floats& expected, double tolerance);

/// About how far a result in this storage may be from float32.
double tolerance_of(cuda::Storage storage);
const char* name_of(cuda::Storage storage);
constexpr cuda::Storage kStorages[] = {cuda::Storage::float32, cuda::Storage::float16, cuda::Storage::bfloat16};

/// Numbers on the device. Filled with NaN (bytes 0xff) where nothing is given. offset: elements by which the address
/// misses a multiple of 16 bytes.
class DeviceBuffer {
 public:
    DeviceBuffer(cuda::Storage storage, std::size_t count, std::size_t offset = 0);
    DeviceBuffer(cuda::Storage storage, const Floats& values, std::size_t offset = 0);
    ~DeviceBuffer();
    DeviceBuffer(const DeviceBuffer&) = delete;
    DeviceBuffer& operator=(const DeviceBuffer&) = delete;

    void* data() const { return data_; }
    float* floats() const { return static_cast<float*>(data_); }
    Floats read() const;
    void write(const Floats& values);

 private:
    cuda::Storage storage_;
    std::size_t count_;
    void* memory_ = nullptr;
    void* data_ = nullptr;
};

/// Numbers on the device, or none: then the address is null.
class Optional {
 public:
    Optional(cuda::Storage storage, const Floats& values, std::size_t offset = 0) {
        if (!values.empty()) buffer_ = std::make_unique<DeviceBuffer>(storage, values, offset);
    }
    void* data() const { return buffer_ ? buffer_->data() : nullptr; }
    float* floats() const { return static_cast<float*>(data()); }

 private:
    std::unique_ptr<DeviceBuffer> buffer_;
};

}  // namespace nowcell::test

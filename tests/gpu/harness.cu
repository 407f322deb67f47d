#include "tests/gpu/harness.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

namespace nowcell::test {
namespace {

struct Entry {
    const char* name;
    void (*body)();
    bool profile;
};

std::vector<Entry>& entries() {
    static std::vector<Entry> all;
    return all;
}

int failures_of_test = 0;

std::mt19937& generator() {
    static std::mt19937 engine([] {
        const char* const seed = std::getenv("NOWCELL_TEST_SEED");
        return seed == nullptr ? 1U : static_cast<unsigned>(std::strtoul(seed, nullptr, 10));
    }());
    return engine;
}

std::vector<std::uint16_t> to_half_bits(const Floats& values, cuda::Storage storage) {
    std::vector<std::uint16_t> bits(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        bits[i] = storage == cuda::Storage::float16 ? __half_as_ushort(__float2half_rn(values[i]))
                                                    : __bfloat16_as_ushort(__float2bfloat16_rn(values[i]));
    }
    return bits;
}

Floats from_half_bits(const std::vector<std::uint16_t>& bits, cuda::Storage storage) {
    Floats values(bits.size());
    for (std::size_t i = 0; i < bits.size(); ++i) {
        values[i] = storage == cuda::Storage::float16 ? __half2float(__ushort_as_half(bits[i]))
                                                      : __bfloat162float(__ushort_as_bfloat16(bits[i]));
    }
    return values;
}

}  // namespace

Test::Test(const char* name, void (*body)(), bool profile) { entries().push_back({name, body, profile}); }

void fail(const std::string& message) {
    ++failures_of_test;
    if (failures_of_test <= 20) std::printf("    %s\n", message.c_str());
}

void expect(bool condition, const std::string& what) {
    if (!condition) fail(what);
}

void check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    std::printf("%s: %s\n", what, cudaGetErrorString(error));
    std::exit(1);
}

void finish() {
    check(cudaGetLastError(), "launch");
    check(cudaDeviceSynchronize(), "kernel");
}

Floats random_floats(std::size_t count, float scale) {
    std::uniform_real_distribution<float> numbers(-scale, scale);
    Floats values(count);
    for (float& value : values) value = numbers(generator());
    return values;
}

Floats rounded(Floats values, cuda::Storage storage) {
    if (storage == cuda::Storage::float32) return values;
    return from_half_bits(to_half_bits(values, storage), storage);
}

void expect_close(const std::string& what, const Floats& got, const Floats& expected, double tolerance) {
    if (got.size() != expected.size()) {
        fail(what + ": got " + std::to_string(got.size()) + " numbers, expected " + std::to_string(expected.size()));
        return;
    }
    std::size_t wrong = 0, first = 0;
    double worst = 0.0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        const double a = got[i], b = expected[i];
        const double error = std::fabs(a - b) / std::max(1.0, std::fabs(b));
        if (error <= tolerance || (std::isnan(a) && std::isnan(b)) || a == b) continue;
        if (wrong++ == 0) first = i;
        worst = std::isnan(error) ? error : std::max(worst, error);
    }
    if (wrong == 0) return;
    char text[256];
    std::snprintf(text, sizeof text,
                  "%zu of %zu differ, by up to %.2e (allowed %.1e); number %zu: got %.7g, expected %.7g", wrong,
                  got.size(), worst, tolerance, first, static_cast<double>(got[first]),
                  static_cast<double>(expected[first]));
    fail(what + ": " + text);
}

double tolerance_of(cuda::Storage storage) {
    switch (storage) {
        case cuda::Storage::float32: return 2e-6;
        case cuda::Storage::float16: return 1e-3;
        case cuda::Storage::bfloat16: return 8e-3;
    }
    return 0.0;
}

const char* name_of(cuda::Storage storage) {
    switch (storage) {
        case cuda::Storage::float32: return "float32";
        case cuda::Storage::float16: return "float16";
        case cuda::Storage::bfloat16: return "bfloat16";
    }
    return "";
}

DeviceBuffer::DeviceBuffer(cuda::Storage storage, std::size_t count, std::size_t offset)
    : storage_(storage), count_(count) {
    const std::size_t bytes = cuda::element_bytes(storage);
    check(cudaMalloc(&memory_, (count + offset) * bytes), "cudaMalloc");
    data_ = static_cast<char*>(memory_) + offset * bytes;
}

DeviceBuffer::DeviceBuffer(cuda::Storage storage, const Floats& values, std::size_t offset)
    : DeviceBuffer(storage, values.size(), offset) {
    write(values);
}

DeviceBuffer::~DeviceBuffer() { cudaFree(memory_); }

Floats DeviceBuffer::read() const {
    finish();
    if (storage_ == cuda::Storage::float32) {
        Floats values(count_);
        check(cudaMemcpy(values.data(), data_, count_ * sizeof(float), cudaMemcpyDeviceToHost), "cudaMemcpy");
        return values;
    }
    std::vector<std::uint16_t> bits(count_);
    check(cudaMemcpy(bits.data(), data_, count_ * sizeof(std::uint16_t), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return from_half_bits(bits, storage_);
}

void DeviceBuffer::write(const Floats& values) {
    if (storage_ == cuda::Storage::float32) {
        check(cudaMemcpy(data_, values.data(), count_ * sizeof(float), cudaMemcpyHostToDevice), "cudaMemcpy");
        return;
    }
    const std::vector<std::uint16_t> bits = to_half_bits(values, storage_);
    check(cudaMemcpy(data_, bits.data(), count_ * sizeof(std::uint16_t), cudaMemcpyHostToDevice), "cudaMemcpy");
}

}  // namespace nowcell::test

int main(int argc, char** argv) {
    using namespace nowcell::test;
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
        std::printf("skipped: no GPU and no simulator\n");
        return 77;
    }
    const bool profile = argc > 1 && std::strcmp(argv[1], "--profile") == 0;
    const char* const part = argc > (profile ? 2 : 1) ? argv[profile ? 2 : 1] : "";
    int failed = 0, run = 0;
    for (const auto& entry : entries()) {
        if (entry.profile != profile || std::strstr(entry.name, part) == nullptr) continue;
        failures_of_test = 0;
        entry.body();
        finish();
        ++run;
        std::printf("%s %s\n", failures_of_test == 0 ? "passed" : "FAILED", entry.name);
        failed += failures_of_test == 0 ? 0 : 1;
    }
    std::printf("%d passed, %d failed\n", run - failed, failed);
    return failed == 0 && (run > 0 || profile) ? 0 : 1;  // not every program has profiles
}

// Weights in the order of product.cuh: chunks of the depth (tap, 64 bytes of channels), each with all columns.
#include "cells/cuda/columns.h"
#include "cells/cuda/launch.h"
#include "cells/cuda/product.cuh"
#include "cells/cuda/step_gemm.h"

namespace nowcell::cuda {
namespace {

struct Packing {
    const void* weights;
    void* packed;
    int filters, kernel_height, kernel_width;
};

int chunks_of_tap(Storage storage, int channels) {
    const int depth = static_cast<int>(64 / element_bytes(storage));
    return (channels + depth - 1) / depth;
}

// Operands of the tensor cores: float32 is rounded to tf32 once, here.
template <class T>
__device__ __forceinline__ T operand(T x) {
    if constexpr (sizeof(T) == 4) {
        return rounded_to_tf32(x);
    } else {
        return x;
    }
}

// A number of the packed weights: where it comes from.
struct Cell {
    int tap, column, depth;

    template <class T>
    __device__ __forceinline__ static Cell of(uint32_t index, int columns, int channels) {
        const auto inside = static_cast<int>(index % kDepth<T>);
        const uint32_t row = index / kDepth<T>;
        const uint32_t chunk = row / static_cast<uint32_t>(columns);
        const auto chunks = static_cast<uint32_t>((channels + kDepth<T> - 1) / kDepth<T>);
        return {static_cast<int>(chunk / chunks), static_cast<int>(row - chunk * static_cast<uint32_t>(columns)),
                static_cast<int>(chunk % chunks) * kDepth<T> + inside};
    }
};

template <class T>
__device__ __forceinline__ uint32_t packed_count(const Packing& a, int columns, int channels) {
    const int chunks = (channels + kDepth<T> - 1) / kDepth<T>;
    return static_cast<uint32_t>(a.kernel_height * a.kernel_width * chunks * columns) * kDepth<T>;
}

template <class T>
__device__ __forceinline__ void pack_forward(const Packing& a) {
    const int columns = forward_columns(a.filters);
    const uint32_t count = packed_count<T>(a, columns, a.filters);
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        const Cell cell = Cell::of<T>(i, columns, a.filters);
        const GateColumn column = gate_column(cell.column);
        T value = from_float<T>(0.0F);
        if (column.channel < a.filters && cell.depth < a.filters) {
            const auto row = static_cast<std::size_t>((cell.tap * 4 + column.gate) * a.filters + column.channel);
            value = static_cast<const T*>(a.weights)[row * static_cast<std::size_t>(a.filters) + cell.depth];
        }
        static_cast<T*>(a.packed)[i] = operand(value);
    }
}

// A gradient goes the other way through the kernel: taps in reverse.
template <class T>
__device__ __forceinline__ void pack_backward(const Packing& a) {
    const int columns = backward_columns(a.filters), channels = 4 * a.filters;
    const int last_tap = a.kernel_height * a.kernel_width - 1;
    const uint32_t count = packed_count<T>(a, columns, channels);
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        const Cell cell = Cell::of<T>(i, columns, channels);
        const int channel = state_column(cell.column);
        T value = from_float<T>(0.0F);
        if (channel < a.filters && cell.depth < channels) {
            const auto row = static_cast<std::size_t>((last_tap - cell.tap) * a.filters + channel);
            value = static_cast<const T*>(a.weights)[row * static_cast<std::size_t>(channels) + cell.depth];
        }
        static_cast<T*>(a.packed)[i] = operand(value);
    }
}

}  // namespace

#define NOWCELL_PACK(suffix, T)                                                                              \
    extern "C" __global__ void __launch_bounds__(kStreamThreads) nowcell_pack_forward_##suffix(Packing a) {  \
        pack_forward<T>(a);                                                                                  \
    }                                                                                                        \
    extern "C" __global__ void __launch_bounds__(kStreamThreads) nowcell_pack_backward_##suffix(Packing a) { \
        pack_backward<T>(a);                                                                                 \
    }
NOWCELL_PACK(f32, float)
NOWCELL_PACK(f16, __half)
NOWCELL_PACK(bf16, __nv_bfloat16)
#undef NOWCELL_PACK

namespace {

constexpr std::size_t kMostPacked = 0x7fffffff;  // kernels count with 32 bits

using PackKernel = void (*)(Packing);
// By Storage.
constexpr PackKernel kForward[] = {nowcell_pack_forward_f32, nowcell_pack_forward_f16, nowcell_pack_forward_bf16};
constexpr PackKernel kBackward[] = {nowcell_pack_backward_f32, nowcell_pack_backward_f16, nowcell_pack_backward_bf16};

std::size_t packed_bytes(Storage storage, const KernelSize& kernel, int columns, int channels) {
    return std::size_t{64} * static_cast<std::size_t>(columns) *
           static_cast<std::size_t>(chunks_of_tap(storage, channels)) *
           static_cast<std::size_t>(kernel.height * kernel.width);
}

cudaError_t run(PackKernel kernel, Storage storage, std::size_t bytes, const Packing& packing, cudaStream_t stream) {
    if (bytes / element_bytes(storage) > kMostPacked) return cudaErrorInvalidValue;
    DeviceLimits limits;
    if (const cudaError_t error = device_limits(limits); error != cudaSuccess) return error;
    return launch(kernel, plan_stream(limits, static_cast<std::int64_t>(bytes / element_bytes(storage)), 1), packing,
                  stream);
}

}  // namespace

std::size_t packed_forward_bytes(Storage storage, int filters, const KernelSize& kernel) {
    return packed_bytes(storage, kernel, forward_columns(filters), filters);
}

std::size_t packed_backward_bytes(Storage storage, int filters, const KernelSize& kernel) {
    return packed_bytes(storage, kernel, backward_columns(filters), 4 * filters);
}

cudaError_t pack_forward(Storage storage, int filters, const KernelSize& kernel, const void* weights, void* packed,
                         cudaStream_t stream) {
    return run(kForward[static_cast<int>(storage)], storage, packed_forward_bytes(storage, filters, kernel),
               {weights, packed, filters, kernel.height, kernel.width}, stream);
}

cudaError_t pack_backward(Storage storage, int filters, const KernelSize& kernel, const void* weights, void* packed,
                          cudaStream_t stream) {
    return run(kBackward[static_cast<int>(storage)], storage, packed_backward_bytes(storage, filters, kernel),
               {weights, packed, filters, kernel.height, kernel.width}, stream);
}

}  // namespace nowcell::cuda

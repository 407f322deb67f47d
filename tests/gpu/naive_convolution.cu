#include "tests/gpu/naive_convolution.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

namespace nowcell::test {
namespace {

using cuda::Storage;

struct Job {
    cuda::StepShape shape;
    cuda::KernelSize kernel;
    const void* weights;
    cuda::Steps<const void> in;
    cuda::Steps<void> out;
    int in_channels, out_channels;
    bool transposed, accumulate;
};

__device__ float number(float x) { return x; }
__device__ float number(__half x) { return __half2float(x); }
__device__ float number(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ void store(float* p, float x) { *p = x; }
__device__ void store(__half* p, float x) { *p = __float2half_rn(x); }
__device__ void store(__nv_bfloat16* p, float x) { *p = __float2bfloat16_rn(x); }

template <class T>
__device__ void convolve(const Job& a) {
    const int item = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (item >= a.shape.height * a.shape.width * a.out_channels) return;
    const int o = item % a.out_channels, x = item / a.out_channels % a.shape.width;
    const int y = item / a.out_channels / a.shape.width;
    const T* const in = static_cast<const T*>(a.in.data) + blockIdx.y * a.in.batch + blockIdx.z * a.in.step;
    T* const out = static_cast<T*>(a.out.data) + blockIdx.y * a.out.batch + blockIdx.z * a.out.step + item;
    float sum = a.accumulate ? number(*out) : 0.0F;
    for (int ky = 0; ky < a.kernel.height; ++ky) {
        for (int kx = 0; kx < a.kernel.width; ++kx) {
            const int side = a.transposed ? -1 : 1;
            const int from_y = y + side * (ky - a.kernel.height / 2), from_x = x + side * (kx - a.kernel.width / 2);
            if (from_y < 0 || from_y >= a.shape.height || from_x < 0 || from_x >= a.shape.width) continue;
            for (int i = 0; i < a.in_channels; ++i) {
                const int gate = a.transposed ? i : o, filter = a.transposed ? o : i;
                const int weight = ((gate * a.shape.filters + filter) * a.kernel.height + ky) * a.kernel.width + kx;
                sum += number(in[(from_y * a.shape.width + from_x) * a.in_channels + i]) *
                       number(static_cast<const T*>(a.weights)[weight]);
            }
        }
    }
    store(out, sum);
}

constexpr int kThreads = 64;
__global__ void __launch_bounds__(kThreads) convolve_f32(Job a) { convolve<float>(a); }
__global__ void __launch_bounds__(kThreads) convolve_f16(Job a) { convolve<__half>(a); }
__global__ void __launch_bounds__(kThreads) convolve_bf16(Job a) { convolve<__nv_bfloat16>(a); }

cudaError_t run(const Job& job, Storage storage, int count, cudaStream_t stream) {
    const int items = static_cast<int>(job.shape.pixels()) * job.out_channels;
    const dim3 grid((items + kThreads - 1) / kThreads, job.shape.batch, count);
    switch (storage) {
        case Storage::float32: convolve_f32<<<grid, kThreads, 0, stream>>>(job); break;
        case Storage::float16: convolve_f16<<<grid, kThreads, 0, stream>>>(job); break;
        case Storage::bfloat16: convolve_bf16<<<grid, kThreads, 0, stream>>>(job); break;
    }
    return cudaGetLastError();
}

}  // namespace

cudaError_t NaiveConvolution::forward(const cuda::Steps<const void>& h, const cuda::Steps<void>& gates, int count,
                                      bool accumulate, cudaStream_t stream) {
    most_steps = std::max(most_steps, count);
    return run({shape_, kernel_, weights_, h, gates, shape_.filters, 4 * shape_.filters, false, accumulate}, storage_,
               count, stream);
}

cudaError_t NaiveConvolution::backward(const cuda::Frames<const void>& d_gates, const cuda::Frames<void>& d_h,
                                       cudaStream_t stream) {
    return run({shape_,
                kernel_,
                weights_,
                {d_gates.data, d_gates.batch, 0},
                {d_h.data, d_h.batch, 0},
                4 * shape_.filters,
                shape_.filters,
                true,
                false},
               storage_, 1, stream);
}

}  // namespace nowcell::test

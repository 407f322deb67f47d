// The gates of a step whose pre-activations are normalised over the frame while they are loaded.
#include "cells/cuda/gates.cuh"
#include "cells/cuda/moments.cuh"

namespace nowcell::cuda {
namespace {

struct NormedGates {
    NormGatesForward call;
    NormSpans spans;
};

// See gates_forward_body.
template <class T, int N>
struct NormedSource {
    const NormedGates& a;
    uint32_t b = 0;
    float mean = 0.0F, deviation = 0.0F;

    explicit __device__ NormedSource(const NormedGates& all) : a(all) {}
    __device__ __forceinline__ void enter(uint32_t frame) {
        b = frame;
        const auto total = span_total<Moments>(static_cast<const float*>(a.call.workspace), a.spans, frame);
        mean = total.mean, deviation = deviation_of(total.m2, total.count);
    }
    __device__ __forceinline__ void load(uint32_t from, bool mine, float (&x)[N]) const {
        const GatesForward& gates = a.call.gates;
        const std::int64_t at_input = b * gates.input.batch + from, at_hidden = b * gates.hidden.batch + from;
        const bool sum = a.call.part == NormedPart::sum;
        float scale[N], shift[N], plain[N];
        load_sum<T, N>(sum ? gates.input.data : nullptr, at_input, gates.hidden.data, at_hidden, mine, x);
        load_sum<T, N>(sum ? nullptr : gates.input.data, at_input, nullptr, 0, mine, plain);
        load_floats_at(a.call.scale, from, mine, scale);
        load_floats_at(a.call.shift, from, mine, shift);
#pragma unroll
        for (int i = 0; i < N; ++i) x[i] = fmaf((x[i] - mean) * deviation, scale[i], shift[i]) + plain[i];
    }
};

}  // namespace

// Peepholes and other activations than the usual ones share an instance: with this norm they are rare.
#define NOWCELL_FOR_EACH_NORM_GATES_KERNEL(X) \
    X(f32, float, 4, Standard)                \
    X(f32_any, float, 4, Any)                 \
    X(f32_single, float, 1, Any)              \
    X(f16, __half, 8, Standard)               \
    X(f16_any, __half, 8, Any)                \
    X(f16_single, __half, 1, Any)             \
    X(bf16, __nv_bfloat16, 8, Standard)       \
    X(bf16_any, __nv_bfloat16, 8, Any)        \
    X(bf16_single, __nv_bfloat16, 1, Any)

#define NOWCELL_NORM_GATES(suffix, T, N, Functions)                               \
    extern "C" __global__ void __launch_bounds__(kStreamThreads, 1)               \
        nowcell_norm_gates_forward_##suffix(NormedGates a) {                      \
        gates_forward_body<T, N, Functions>(a.call.gates, NormedSource<T, N>(a)); \
    }
NOWCELL_FOR_EACH_NORM_GATES_KERNEL(NOWCELL_NORM_GATES)
#undef NOWCELL_NORM_GATES

namespace {

#define NOWCELL_ROW(suffix, T, N, Functions) \
    {storage_of<T>, N > 1, policy_of<Functions>, nowcell_norm_gates_forward_##suffix},
constexpr KernelRow<NormedGates> kForward[] = {NOWCELL_FOR_EACH_NORM_GATES_KERNEL(NOWCELL_ROW)};
#undef NOWCELL_ROW

}  // namespace

cudaError_t norm_gates_forward(const NormGatesForward& a, cudaStream_t stream) {
    const GatesForward& gates = a.gates;
    if (!norm_fits(gates.shape)) return cudaErrorInvalidValue;
    const bool packs =
        moves_packs(gates) && is_aligned(a.scale, 0, sizeof(float)) && is_aligned(a.shift, 0, sizeof(float));
    const Policy policy = policy_for(gates.rules, packs) == Policy::standard ? Policy::standard : Policy::any;
    const NormedGates call{a, norm_spans(gates.shape, NormOver::frame)};
    const Frames<const void> input = a.part == NormedPart::sum ? gates.input : Frames<const void>();
    const cudaError_t error =
        norm_moments({call.spans, input, gates.hidden, static_cast<float*>(a.workspace)}, gates.storage, packs, stream);
    if (error != cudaSuccess) return error;
    return launch_gates(kernel_of(kForward, gates.storage, packs, policy), call, gates.shape,
                        pack_width(gates.storage, packs), stream);
}

}  // namespace nowcell::cuda

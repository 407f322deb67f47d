// A sequence on the kernels: the loop over time, forward and backward. No torch; launches only, nothing waits.
#pragma once

#include "cells/cuda/norm.h"
#include "cells/cuda/step_gemm.h"

namespace nowcell::cuda {

/// Frames of every step: frame (b,t) at data + b * batch + t * step, in elements. Channels last, no gaps in a frame.
template <class T>
struct Steps {
    T* data = nullptr;  ///< null: none
    std::int64_t batch = 0, step = 0;

    Steps() = default;
    Steps(T* first, std::int64_t from_item_to_item, std::int64_t from_step_to_step)
        : data(first), batch(from_item_to_item), step(from_step_to_step) {}
    template <class U, class = std::enable_if_t<!std::is_same_v<U, T> && std::is_convertible_v<U*, T*>>>
    Steps(const Steps<U>& other) : data(other.data), batch(other.batch), step(other.step) {}
    explicit operator bool() const { return data != nullptr; }
};

/// The frames of one step; none of none.
Frames<const void> at(const Steps<const void>& steps, std::int64_t step, Storage storage);
Frames<void> at(const Steps<void>& steps, std::int64_t step, Storage storage);
Frames<float> at(const Steps<float>& steps, std::int64_t step);
Frames<const float> at(const Steps<const float>& steps, std::int64_t step);

/// `count` steps of `batch` items as plain frames, if one stride leads through all of them.
struct Merged {
    std::int64_t frames = 0;  ///< 0: no one stride does
    std::int64_t stride = 0;
};
Merged merged(const Steps<const void>& steps, int batch, int count);

/// The recurrent convolution of a layer with its weights, by whoever can compute it.
class RecurrentConvolution {
 public:
    virtual ~RecurrentConvolution() = default;
    /// `count` steps at once. h (B,H,W,F) each -> gates (B,H,W,4F) each. accumulate: added to what is there.
    virtual cudaError_t forward(const Steps<const void>& h, const Steps<void>& gates, int count, bool accumulate,
                                cudaStream_t stream) = 0;
    /// The gradient of h from that of the gates, of one step; written, not added.
    virtual cudaError_t backward(const Frames<const void>& d_gates, const Frames<void>& d_h, cudaStream_t stream) = 0;
};

enum class Engine {
    separate,       ///< recurrent convolution into a buffer of its own, which the gate kernel adds to the input's
    accumulate,     ///< recurrent convolution added to the input's, in place
    implicit_gemm,  ///< recurrent convolution and gates in one kernel; no norm
};

/// Scales and shifts, float32: (4F) over pixels, (H,W,4F) over frames. input_scale null: no norm; hidden_scale null:
/// that of the sum of both parts.
struct GateNorm {
    NormOver over = NormOver::pixel;
    const float* input_scale = nullptr;
    const float* input_shift = nullptr;
    const float* hidden_scale = nullptr;
    const float* hidden_shift = nullptr;

    explicit operator bool() const { return input_scale != nullptr; }
    bool of_parts() const { return hidden_scale != nullptr; }
};

/// What holds for all steps.
struct SequenceLayer {
    StepShape shape;
    Storage storage = Storage::float32;
    Engine engine = Engine::accumulate;
    GateRules rules;
    GateNorm norm;
    const float* bias = nullptr;  ///< (4F), added by the gate kernels; null: none, or in the input part
    RecurrentConvolution* convolution = nullptr;
    KernelSize kernel;                      ///< of implicit_gemm
    const void* packed_forward = nullptr;   ///< of pack_forward
    const void* packed_backward = nullptr;  ///< of pack_backward
};

/// Steps first ... first + count - 1 of a sequence.
struct SequenceForward {
    int first = 0, count = 0;
    Frames<const void> h_first;   ///< state before step 0; null: zeros
    Frames<const float> c_first;  ///< null: zeros
    Steps<void> input;            ///< (B,H,W,4F), the input part of these steps; overwritten
    Steps<void> h;                ///< of the whole sequence; step first - 1 is read
    Steps<float> c;  ///< of steps n - 1, 2n - 1, ... of the whole sequence with n = c_every; null: not kept
    int c_every = 1;
    Frames<float> c_now;        ///< the newest state where `c` does not hold it; needed unless `c` holds all
    Steps<void> gates;          ///< of the whole sequence; null: not kept
    Frames<void> hidden;        ///< (B,H,W,4F) workspace with keeps_parts_apart()
    void* workspace = nullptr;  ///< forward_workspace_bytes
};

/// Whether the recurrent part has a buffer of its own.
bool keeps_parts_apart(const SequenceLayer& layer);
/// count: most steps of a call.
std::size_t forward_workspace_bytes(const SequenceLayer& layer, int count);
/// Where the state behind a step lies: in `c` or in `c_now`.
Frames<float> state_behind(const SequenceForward& call, int step);
cudaError_t run_forward(const SequenceLayer& layer, const SequenceForward& call, cudaStream_t stream);

/// Gradients of parameters, float32, added to; null: not wanted.
struct SequenceGradients {
    float* bias = nullptr;         ///< (4F)
    float* peephole = nullptr;     ///< (3,H*W or 1,F)
    float* input_scale = nullptr;  ///< like the norm's; scale and shift both or neither
    float* input_shift = nullptr;
    float* hidden_scale = nullptr;
    float* hidden_shift = nullptr;
};

/// Steps first + count - 1 ... first of a sequence; those after them have been done.
struct SequenceBackward {
    int first = 0, count = 0;
    Frames<const void> h_first;  ///< state before step 0; null: zeros
    Frames<const float> c_first;
    Steps<const void> h;               ///< of the whole sequence
    Steps<const float> c;              ///< of steps n - 1, 2n - 1, ... of the whole sequence with n = c_every
    int c_every = 1;                   ///< without gates `first` is a multiple of it
    Steps<const void> gates;           ///< of the whole sequence, with all of c; null: computed again
    Steps<const void> d_out;           ///< gradient of h, of the whole sequence; null: zeros
    Frames<const void> d_h_after;      ///< what the steps after these add to that of the last h; null: zeros
    Frames<const void> d_gates_after;  ///< implicit_gemm: their first d_gates, in place of d_h_after
    Frames<const float> d_c_after;     ///< gradient of the last c; null: zeros
    Frames<void> d_h;                  ///< gradient of the h before these steps; may be d_h_after
    bool wants_d_h = true;             ///< else d_h is workspace; implicit_gemm needs none then
    Frames<float> d_c;                 ///< gradient of the c before these steps; may be d_c_after
    Steps<void> d_gates;               ///< (B,H,W,4F) of these steps: gradient of the input part
    Steps<void> d_hidden;              ///< with a norm of parts that of the recurrent part; else it is the same
    SequenceGradients gradients;
    void* workspace = nullptr;  ///< backward_workspace_bytes

    // Without gates:
    Steps<void> input;     ///< (B,H,W,4F), the input part of these steps; overwritten. Without a norm it may be d_gates
    Steps<void> hidden;    ///< (B,H,W,4F) workspace of `count` steps with keeps_parts_apart()
    Steps<float> c_again;  ///< (B,H,W,F) workspace of `count` steps
    Frames<void> h_again;  ///< (B,H,W,F) workspace
};

std::size_t backward_workspace_bytes(const SequenceLayer& layer);
cudaError_t run_backward(const SequenceLayer& layer, const SequenceBackward& call, cudaStream_t stream);

}  // namespace nowcell::cuda

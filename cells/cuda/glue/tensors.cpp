#include "cells/cuda/glue/tensors.h"

#include "cells/frame_layout.h"

#include <ATen/ATen.h>

namespace nowcell::cuda {
namespace {

void* data_of(const torch::Tensor& tensor) { return const_cast<void*>(tensor.const_data_ptr()); }

bool is_there(const torch::Tensor& tensor) { return tensor.defined() && tensor.numel() > 0; }

}  // namespace

Storage storage_of(const torch::Tensor& tensor) {
    switch (tensor.scalar_type()) {
        case at::kHalf: return Storage::float16;
        case at::kBFloat16: return Storage::bfloat16;
        default: return Storage::float32;
    }
}

bool lies_channels_last(const torch::Tensor& frames) {
    const bool either = frames.size(-3) == 1 || frames.size(-1) * frames.size(-2) == 1;
    return is_channels_last(frames) || (either && has_planes(frames));
}

torch::Tensor channels_last(const torch::Tensor& frames) {
    if (!frames.defined() || lies_channels_last(frames)) return frames;
    return empty_frames(frames.sizes(), frames.options(), true).copy_(frames);
}

torch::Tensor by_time(const torch::Tensor& sequence) {
    const torch::Tensor turned = sequence.transpose(0, 1);
    // Of one item the steps follow each other already, unless the caller has cut them out of something.
    const std::int64_t frame = sequence[0][0].numel();
    const bool dense = sequence.size(0) == 1 && (sequence.size(1) == 1 || sequence.stride(1) == frame);
    if (dense && lies_channels_last(sequence)) return turned;
    return empty_frames(turned.sizes(), turned.options(), true).copy_(turned);
}

torch::Tensor empty_by_time(std::int64_t steps, const StepShape& shape, std::int64_t channels,
                            const torch::TensorOptions& options) {
    return empty_frames({steps, shape.batch, channels, shape.height, shape.width}, options, true);
}

torch::Tensor plain_floats(const torch::Tensor& tensor) {
    return tensor.defined() ? tensor.to(at::kFloat).contiguous() : tensor;
}

Frames<void> frames_of(const torch::Tensor& frames) {
    if (!is_there(frames)) return {};
    return {data_of(frames), frames.stride(0)};
}

Frames<float> float_frames_of(const torch::Tensor& frames) {
    if (!is_there(frames)) return {};
    return {static_cast<float*>(data_of(frames)), frames.stride(0)};
}

Steps<void> steps_of(const torch::Tensor& sequence) {
    if (!is_there(sequence)) return {};
    return {data_of(sequence), sequence.stride(0), sequence.stride(1)};
}

Steps<float> float_steps_of(const torch::Tensor& sequence) {
    if (!is_there(sequence)) return {};
    return {static_cast<float*>(data_of(sequence)), sequence.stride(0), sequence.stride(1)};
}

float* floats_of(const torch::Tensor& tensor) {
    return is_there(tensor) ? static_cast<float*>(data_of(tensor)) : nullptr;
}

}  // namespace nowcell::cuda

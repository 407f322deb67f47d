#include "cells/frame_layout.h"

#include "cells/cpu/tensor_pool.h"

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <c10/util/strides.h>

namespace nowcell {
namespace {

// The strides of the last three axes; those of axes of one entry do not matter, except that of a single channel, which
// is how a user says which layout is meant.
bool has_strides(const torch::Tensor& x, std::int64_t channel, std::int64_t row, std::int64_t pixel) {
    const std::int64_t c = x.dim() - 3;
    return x.stride(c) == channel && (x.size(c + 1) == 1 || x.stride(c + 1) == row) &&
           (x.size(c + 2) == 1 || x.stride(c + 2) == pixel);
}

torch::Tensor empty_large(at::IntArrayRef sizes, at::IntArrayRef strides, const torch::TensorOptions& options) {
    const auto bytes = static_cast<std::size_t>(c10::multiply_integers(sizes)) * options.dtype().itemsize();
    if (!options.device().is_cpu() || bytes < kPooledBytes) return at::empty_strided(sizes, strides, options);
    return torch::Tensor(at::detail::empty_strided_generic(sizes, strides, &tensor_pool(),
                                                           c10::DispatchKeySet(c10::DispatchKey::CPU),
                                                           c10::typeMetaToScalarType(options.dtype())));
}

}  // namespace

bool has_planes(const torch::Tensor& x) {
    const std::int64_t width = x.size(-1);
    return has_strides(x, x.size(-2) * width, width, 1);
}

bool is_channels_last(const torch::Tensor& x) {
    const std::int64_t channels = x.size(-3);
    return x.dim() >= 4 && has_strides(x, 1, x.size(-1) * channels, channels) && !has_planes(x);
}

torch::Tensor empty_frames(at::IntArrayRef sizes, const torch::TensorOptions& options, bool channels_last) {
    if (!channels_last) return empty_large(sizes, c10::contiguous_strides(sizes), options);
    std::vector<std::int64_t> strides(sizes.size());
    const std::size_t c = sizes.size() - 3;
    strides[c] = 1;
    strides[c + 2] = sizes[c];
    strides[c + 1] = strides[c + 2] * sizes[c + 2];
    std::int64_t next = strides[c + 1] * sizes[c + 1];
    for (std::size_t axis = c; axis-- > 0;) {
        strides[axis] = next;
        next *= sizes[axis];
    }
    return empty_large(sizes, strides, options);
}

torch::Tensor to_channels_last(const torch::Tensor& frames) {
    if (is_channels_last(frames)) return frames;
    return empty_frames(frames.sizes(), frames.options(), true).copy_(frames);
}

}  // namespace nowcell

#include "cells/convolution.h"

#include "cells/choice.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace nowcell {
namespace {

using Sizes = std::vector<std::int64_t>;

std::int64_t along(const Sizes& values, std::size_t axis) { return values.empty() ? 1 : values[axis]; }

// What ATen is told: padding alike on both sides, or none when `pads` has been applied by hand.
struct Geometry {
    Sizes stride, dilation, padding;
    Sizes pads;  // before and after per axis, last axis first, as constant_pad_nd wants them; empty: nothing by hand
};

// Pixels added along one axis to reach ceil(size / stride) outputs.
std::int64_t total_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t dilation) {
    const std::int64_t outputs = (size + stride - 1) / stride;
    return std::max<std::int64_t>((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0);
}

Geometry geometry_of(const torch::Tensor& x, const torch::Tensor& weight, const Convolution& how) {
    const auto rank = static_cast<std::size_t>(x.dim() - 2);
    Geometry geometry{Sizes(rank, 1), Sizes(rank, 1), Sizes(rank, 0), {}};
    Sizes pads(2 * rank, 0);
    bool uneven = false;
    for (std::size_t axis = 0; axis < rank; ++axis) {
        const auto dim = static_cast<std::int64_t>(axis) + 2;
        geometry.stride[axis] = along(how.stride, axis);
        geometry.dilation[axis] = along(how.dilation, axis);
        if (how.padding == Padding::valid) continue;
        const std::int64_t total =
            total_padding(x.size(dim), weight.size(dim), geometry.stride[axis], geometry.dilation[axis]);
        geometry.padding[axis] = total / 2;
        pads[2 * (rank - 1 - axis)] = total / 2;
        pads[2 * (rank - 1 - axis) + 1] = total - total / 2;
        uneven = uneven || total % 2 == 1;
    }
    if (uneven) {
        geometry.padding.assign(rank, 0);
        geometry.pads = pads;
    }
    return geometry;
}

torch::Tensor cropped(torch::Tensor padded, const torch::Tensor& like, const Sizes& pads) {
    for (std::int64_t dim = 2; dim < padded.dim(); ++dim) {
        padded = padded.narrow(dim, pads[static_cast<std::size_t>(2 * (padded.dim() - 1 - dim))], like.size(dim));
    }
    return padded;
}

}  // namespace

Padding padding_from(const std::string& name) { return choice<Padding>("padding", name, {"valid", "same"}); }

const char* name_of(Padding padding) { return padding == Padding::same ? "same" : "valid"; }

std::vector<std::int64_t> Convolution::output_size(at::IntArrayRef size, at::IntArrayRef kernel) const {
    Sizes result;
    for (std::size_t axis = 0; axis < size.size(); ++axis) {
        const std::int64_t step = along(stride, axis);
        const std::int64_t reach = (kernel[axis] - 1) * along(dilation, axis) + 1;
        // A kernel larger than the frame must not round up to one output.
        const std::int64_t room = padding == Padding::same ? size[axis] - 1 : size[axis] - reach;
        result.push_back(room < 0 ? 0 : room / step + 1);
    }
    return result;
}

torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                       const Convolution& how, std::int64_t groups) {
    const Geometry geometry = geometry_of(x, weight, how);
    const torch::Tensor padded = geometry.pads.empty() ? x : at::constant_pad_nd(x, geometry.pads);
    // By rank: autocast knows these on every device, and at::convolution only on CUDA.
    const auto& [stride, dilation, padding, pads] = geometry;
    if (weight.dim() == 3) return at::conv1d(padded, weight, bias, stride, padding, dilation, groups);
    if (weight.dim() == 4) return at::conv2d(padded, weight, bias, stride, padding, dilation, groups);
    return at::conv3d(padded, weight, bias, stride, padding, dilation, groups);
}

ConvolutionGradients convolve_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                       const torch::Tensor& weight, const Convolution& how, std::int64_t groups,
                                       std::array<bool, 3> wanted) {
    const Geometry geometry = geometry_of(x, weight, how);
    const torch::Tensor padded = geometry.pads.empty() ? x : at::constant_pad_nd(x, geometry.pads);
    // A weight that is channels-last would choose that layout, and slower kernels, for all that follows.
    auto [dx, dweight, dbias] = at::convolution_backward(
        gradient, padded, weight.contiguous(), at::IntArrayRef({weight.size(0)}), geometry.stride, geometry.padding,
        geometry.dilation, false, Sizes(geometry.stride.size(), 0), groups, wanted);
    if (dx.defined() && !geometry.pads.empty()) dx = cropped(dx, x, geometry.pads);
    return {dx, dweight, dbias};
}

}  // namespace nowcell

#include "cells/check.h"

#include "cells/shapes.h"

#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>

#include <algorithm>
#include <limits>

namespace nowcell {

void check_convolution(const char* cell, const Convolution& how, at::IntArrayRef kernel) {
    const auto rank = kernel.size();
    // ATen computes with 32 bits here and there, and the reach of a kernel must not overflow.
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    for (const auto& [name, values] : {std::pair("stride", how.stride), std::pair("dilation", how.dilation)}) {
        const bool fits = (values.empty() || values.size() == rank) &&
                          std::all_of(values.begin(), values.end(), [](auto v) { return v > 0 && v <= kMost; });
        TORCH_CHECK_VALUE(fits, cell, ": ", name, " is ", at::IntArrayRef(values), ", expected ", rank,
                          " positive numbers of at most ", kMost);
    }
    const auto above_one = [](const auto& values) {
        return std::any_of(values.begin(), values.end(), [](auto v) { return v > 1; });
    };
    TORCH_CHECK_VALUE(!above_one(how.stride) || !above_one(how.dilation), cell, ": stride ",
                      at::IntArrayRef(how.stride), " with dilation ", at::IntArrayRef(how.dilation),
                      ", expected one of them to be 1");
    for (std::size_t axis = 0; axis < how.dilation.size(); ++axis) {
        TORCH_CHECK_VALUE(kernel[axis] - 1 <= (kMost - 1) / how.dilation[axis], cell, ": a kernel of ", kernel,
                          " with dilation ", at::IntArrayRef(how.dilation), " reaches too far, expected at most ",
                          kMost, " pixels");
    }
}

TensorCheck::TensorCheck(const char* cell, const torch::Tensor& x) : cell_(cell), x_(x) {
    TORCH_CHECK_VALUE(x.defined(), cell, ": x is undefined, expected (B,T,C,size...)");
    TORCH_CHECK_TYPE(x.layout() == at::kStrided, cell, ": x is ", x.layout(), ", expected a dense tensor");
    TORCH_CHECK_VALUE(x.dim() >= 4 && x.dim() <= 6, cell, ": x is ", x.sizes(),
                      ", expected (B,T,C,size...) with one to three axes in size");
    TORCH_CHECK_TYPE(x.is_floating_point(), cell, ": x is ", x.scalar_type(), ", expected a floating type");
    TORCH_CHECK_VALUE(x.numel() > 0, cell, ": x is ", x.sizes(),
                      ", expected at least one sample, time step, channel and pixel");
}

void TensorCheck::like_x(const char* name, const torch::Tensor& tensor) const {
    TORCH_CHECK_TYPE(tensor.scalar_type() == x_.scalar_type(), cell_, ": ", name, " is ", tensor.scalar_type(),
                     ", expected ", x_.scalar_type(), " like x");
    where_x_is(name, tensor);
}

void TensorCheck::where_x_is(const char* name, const torch::Tensor& tensor) const {
    TORCH_CHECK_TYPE(tensor.layout() == at::kStrided, cell_, ": ", name, " is ", tensor.layout(),
                     ", expected a dense tensor");
    TORCH_CHECK_VALUE(tensor.device() == x_.device(), cell_, ": ", name, " is on ", tensor.device(), ", expected ",
                      x_.device(), " like x");
}

void TensorCheck::mask(const torch::Tensor& mask) const {
    if (!mask.defined()) return;
    TORCH_CHECK_VALUE(mask.sizes() == x_.sizes().slice(0, 2), cell_, ": mask is ", mask.sizes(),
                      ", expected (B,T) as x is ", x_.sizes());
    TORCH_CHECK_TYPE(mask.scalar_type() == at::kBool, cell_, ": mask is ", mask.scalar_type(), ", expected bool");
    where_x_is("mask", mask);
}

void TensorCheck::over_time(const char* name, const torch::Tensor& tensor) const {
    if (!tensor.defined()) return;
    const auto fits = [&](std::int64_t axis) { return tensor.size(axis) == 1 || tensor.size(axis) == x_.size(axis); };
    TORCH_CHECK_VALUE(tensor.dim() == x_.dim() && fits(0) && fits(1), cell_, ": ", name, " is ", tensor.sizes(),
                      ", expected (B,T,F,size'...) or 1 along an axis, as x is ", x_.sizes());
    where_x_is(name, tensor);
}

void TensorCheck::weights(const torch::Tensor& input, const torch::Tensor& hidden, std::int64_t gates,
                          const Convolution& how) {
    const std::int64_t rank = x_.dim() - 3;
    for (const auto& [name, weight] : {std::pair("input weight", input), std::pair("hidden weight", hidden)}) {
        TORCH_CHECK_VALUE(
            weight.defined() && weight.dim() == rank + 2 && weight.numel() > 0 && weight.size(0) % gates == 0, cell_,
            ": ", name, " is ", weight.defined() ? weight.sizes() : at::IntArrayRef(), ", expected (", gates,
            "F,channels,kernel...) with ", rank, " kernel axes, as x is ", x_.sizes());
        like_x(name, weight);
    }
    filters_ = hidden.size(1);
    const std::int64_t rows = gates * filters_;
    TORCH_CHECK_VALUE(hidden.size(0) == rows, cell_, ": hidden weight is ", hidden.sizes(), ", expected (", gates,
                      "F,F,kernel...)");
    TORCH_CHECK_VALUE(input.size(0) == rows && input.size(1) == x_.size(2), cell_, ": input weight is ", input.sizes(),
                      ", expected (", rows, ",", x_.size(2), ",kernel...) for x ", x_.sizes(), " and F = ", filters_);
    const at::IntArrayRef kernel = input.sizes().slice(2);
    check_convolution(cell_, how, kernel);
    size_ = how.output_size(x_.sizes().slice(3), kernel);
    TORCH_CHECK_VALUE(std::all_of(size_.begin(), size_.end(), [](auto n) { return n > 0; }), cell_, ": frames of ",
                      x_.sizes().slice(3), " pixels are smaller than the kernel ", kernel, " with dilation ",
                      at::IntArrayRef(how.dilation), ", expected larger frames or padding same");
}

std::vector<std::int64_t> TensorCheck::with_size(std::vector<std::int64_t> head) const {
    return joined(std::move(head), size_);
}

std::vector<std::int64_t> TensorCheck::with_frame(std::vector<std::int64_t> head) const {
    return joined(std::move(head), x_.sizes().slice(3));
}

void TensorCheck::shape(const char* name, const torch::Tensor& tensor, const std::vector<std::int64_t>& expected,
                        const char* letters) const {
    if (!tensor.defined()) return;
    TORCH_CHECK_VALUE(tensor.sizes() == expected, cell_, ": ", name, " is ", tensor.sizes(), ", expected ",
                      at::IntArrayRef(expected), " = ", letters, ", as x is ", x_.sizes());
    like_x(name, tensor);
}

void TensorCheck::broadcasts(const char* name, const torch::Tensor& tensor, const std::vector<std::int64_t>& expected,
                             const char* letters) const {
    if (!tensor.defined()) return;
    TORCH_CHECK_VALUE(
        tensor.dim() == static_cast<std::int64_t>(expected.size()) && at::is_expandable_to(tensor.sizes(), expected),
        cell_, ": ", name, " is ", tensor.sizes(), ", expected ", at::IntArrayRef(expected), " = ", letters,
        " or 1 along an axis");
    like_x(name, tensor);
}

void TensorCheck::noise(const SequenceNoise& noise, std::int64_t gates) const {
    const std::int64_t steps = x_.size(1);
    shape("input_dropout", noise.input_dropout, with_frame({batch(), gates, x_.size(2)}), "(B,gates,C,size...)");
    shape("hidden_dropout", noise.hidden_dropout, with_size({batch(), gates, filters_}), "(B,gates,F,size'...)");
    broadcasts("keep_h", noise.keep_h, with_size({batch(), steps, filters_}), "(B,T,F,size'...)");
    broadcasts("keep_c", noise.keep_c, with_size({batch(), steps, filters_}), "(B,T,F,size'...)");
}

}  // namespace nowcell

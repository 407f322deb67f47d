// What operators say about tensors that do not fit.
#pragma once

#include "cells/convolution.h"
#include "cells/noise.h"

namespace nowcell {

/// Strides and dilations of a convolution that cells do not have. Throws c10::ValueError.
void check_convolution(const char* cell, const Convolution& how, at::IntArrayRef kernel);

/// Checks the tensors of one call against its x; every failure names the cell, the tensor, its shape and what was
/// expected. Throws c10::ValueError, and c10::TypeError for dtypes and sparse layouts.
class TensorCheck {
 public:
    /// x must be defined, dense, floating, (B,T,C,size...) with one to three axes in size, T >= 1.
    TensorCheck(const char* cell, const torch::Tensor& x);

    /// The convolution weights of `gates` gates, and how the input one moves; from here on F and size'... are known.
    void weights(const torch::Tensor& input, const torch::Tensor& hidden, std::int64_t gates, const Convolution& how);

    /// An optional tensor of exactly that shape, of x's dtype and device. `letters` is the shape in the house alphabet.
    void shape(const char* name, const torch::Tensor& tensor, const std::vector<std::int64_t>& expected,
               const char* letters) const;

    /// Likewise, of a shape that broadcasts to it.
    void broadcasts(const char* name, const torch::Tensor& tensor, const std::vector<std::int64_t>& expected,
                    const char* letters) const;

    /// An optional mask (B,T) of bool on x's device.
    void mask(const torch::Tensor& mask) const;

    /// What can be said of shares over (B,T,F,size'...) while the weights are not known: their first two axes.
    void over_time(const char* name, const torch::Tensor& tensor) const;

    /// Dropout masks of `gates` gates and zoneout shares.
    void noise(const SequenceNoise& noise, std::int64_t gates) const;

    /// {head..., size'...}
    std::vector<std::int64_t> with_size(std::vector<std::int64_t> head) const;
    /// {head..., size...}
    std::vector<std::int64_t> with_frame(std::vector<std::int64_t> head) const;

    std::int64_t batch() const { return x_.size(0); }
    std::int64_t filters() const { return filters_; }

 private:
    void like_x(const char* name, const torch::Tensor& tensor) const;
    void where_x_is(const char* name, const torch::Tensor& tensor) const;

    const char* cell_;
    const torch::Tensor& x_;
    std::int64_t filters_ = 0;
    std::vector<std::int64_t> size_;
};

}  // namespace nowcell

// Both passes of the glue with kernels on the host (host_kernels.cpp), against LibTorch's operators.
#include "cells/cuda/glue/conv_lstm_cuda.h"
#include "cells/frame_layout.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"

namespace {

using namespace nowcell;

struct Options {
    std::int64_t batch = 2, steps = 5, channels = 3, filters = 4, kernel = 3, stride = 1;
    bool last = false, state = true, bias = true;
    int peephole = 0;  // 1: per channel, 2: per pixel
    int norm = 0;      // 1: sum over pixels, 2: sum over frames, 3 and 4: the same of parts
    at::ScalarType type = at::kFloat;
};

ConvLstmArguments call_of(const Options& o) {
    at::manual_seed(7);
    const auto random = [&](at::IntArrayRef sizes, double scale) { return (at::rand(sizes) * 2 - 1) * scale; };
    ConvLstmArguments a{random({o.batch, o.steps, o.channels, 5, 6}, 1.0)};
    a.rules.convolution.stride = {o.stride, o.stride};
    a.weights.input = random({4 * o.filters, o.channels, o.kernel, o.kernel}, 0.5);
    a.weights.hidden = random({4 * o.filters, o.filters, o.kernel, o.kernel}, 0.3);
    const std::vector<std::int64_t> size = a.frame_size();
    if (o.state) a.state.h = random({o.batch, o.filters, size[0], size[1]}, 1.0);
    if (o.state) a.state.c = random({o.batch, o.filters, size[0], size[1]}, 1.0);
    if (o.bias) a.weights.bias = random({4 * o.filters}, 1.0);
    if (o.peephole == 1) a.weights.peephole = random({3, o.filters, 1, 1}, 1.0);
    if (o.peephole == 2) a.weights.peephole = random({3, o.filters, size[0], size[1]}, 1.0);
    std::vector<std::int64_t> normed = {4 * o.filters};
    if (o.norm % 2 == 0) normed.insert(normed.end(), size.begin(), size.end());
    if (o.norm > 0) a.weights.norm_input_scale = random(normed, 1.0), a.weights.norm_input_shift = random(normed, 1.0);
    if (o.norm > 2)
        a.weights.norm_hidden_scale = random(normed, 1.0), a.weights.norm_hidden_shift = random(normed, 1.0);
    std::vector<torch::Tensor> tensors = a.tensors();
    for (torch::Tensor& tensor : tensors) {
        if (tensor.defined()) tensor = tensor.to(o.type);
    }
    if (o.last) tensors[kX] = to_channels_last(tensors[kX]);
    return ConvLstmArguments::from(tensors, a.rules, Algorithm::cudnn_separate);
}

void check_close(const char* what, const torch::Tensor& got, const torch::Tensor& expected, double tolerance) {
    INFO(what);
    REQUIRE(got.defined() == expected.defined());
    if (!got.defined()) return;
    REQUIRE(got.sizes() == expected.sizes());
    CHECK(got.strides() == expected.strides());
    CHECK(got.scalar_type() == expected.scalar_type());
    const double error = (got.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>();
    CHECK(error <= tolerance * std::max(1.0, expected.to(at::kDouble).abs().max().item<double>()));
}

void check_call(const Options& o, Saved saved) {
    const at::NoGradGuard no_gradients;
    CAPTURE(o.batch, o.steps, o.channels, o.filters, o.stride, o.last, o.state, o.peephole, o.norm, name_of(saved));
    const ConvLstmArguments a = call_of(o);
    const double tolerance = o.type == at::kFloat ? 2e-5 : 4e-2;
    const ConvLstmResult got = cuda::forward_on_kernels(a, saved), expected = conv_lstm_forward(a, saved);
    check_close("h", got.h, expected.h, tolerance);
    check_close("last h", got.last.h, expected.last.h, tolerance);
    check_close("last c", got.last.c, expected.last.c, tolerance);
    if (saved == Saved::none) return;
    check_close("c", got.c, expected.c, tolerance);
    if (got.gates.numel() > 0) check_close("gates", got.gates, expected.gates, tolerance);

    std::vector<bool> wanted;
    for (const torch::Tensor& tensor : a.tensors()) wanted.push_back(tensor.defined());
    wanted.resize(kConvLstmGradients);
    const torch::Tensor d_out = at::rand_like(expected.h) * 2 - 1;
    for (const bool last : {true, false}) {
        State d;
        if (last) d = {at::rand_like(expected.last.h), at::rand_like(expected.last.c)};
        const auto mine = cuda::backward_on_kernels(a, expected, d_out, d, wanted);
        const auto theirs = conv_lstm_backward(a, expected, d_out, d, wanted);
        for (std::size_t i = 0; i < kConvLstmGradients; ++i) {
            check_close(("gradient " + std::to_string(i)).c_str(), mine[i], theirs[i], 3.0 * tolerance);
        }
    }
}

TEST_CASE("The passes around the CUDA kernels compute what LibTorch's operators do", "[glue]") {
    for (const Saved saved : {Saved::none, Saved::gates, Saved::states, Saved::checkpoints}) {
        for (const std::int64_t batch : {1, 2}) {
            for (const std::int64_t steps : {1, 2, 5, 11}) {
                for (const bool last : {false, true}) {
                    Options o;
                    o.batch = batch, o.steps = steps, o.last = last, o.state = steps != 2;
                    check_call(o, saved);
                }
            }
        }
        for (const int peephole : {1, 2}) {
            Options o;
            o.peephole = peephole, o.bias = false, o.filters = 1, o.channels = 1;
            check_call(o, saved);
            o.filters = 5, o.stride = 2, o.last = true, o.state = false;
            check_call(o, saved);
        }
        for (const int norm : {1, 2, 3, 4}) {
            Options o;
            o.norm = norm, o.state = norm % 2 == 1, o.last = norm > 2, o.peephole = 1;
            check_call(o, saved);
        }
        Options o;
        o.type = at::kBFloat16;
        check_call(o, saved);
    }
}

}  // namespace

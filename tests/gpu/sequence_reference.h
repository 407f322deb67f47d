// A ConvLSTM over a sequence on the host, forward and backward through time, loop by loop.
#pragma once

#include "cells/cuda/scalar.h"
#include "cells/cuda/sequence.h"
#include "tests/gpu/harness.h"

#include <cmath>

namespace nowcell::test {

struct SequenceCase {
    cuda::StepShape shape;
    int steps = 1;
    cuda::KernelSize kernel = {3, 3};
    bool state = false, bias = false, peephole = false, pixel = false;
    bool norm = false, parts = false;
    cuda::NormOver over = cuda::NormOver::pixel;
    Activation activation = Activation::tanh, recurrent = Activation::sigmoid;

    std::size_t filters() const { return static_cast<std::size_t>(shape.filters); }
    std::size_t pixels() const { return static_cast<std::size_t>(shape.pixels()); }
    std::size_t batch() const { return static_cast<std::size_t>(shape.batch); }
    std::size_t frame() const { return pixels() * filters(); }
    std::size_t frames() const { return batch() * static_cast<std::size_t>(steps); }
    std::size_t norm_size() const { return (over == cuda::NormOver::pixel ? 1 : pixels()) * 4 * filters(); }
    std::string text() const;
};

/// Sequences (B,T,H,W,channels), states (B,H,W,F), weights (4F,F,height,width).
struct SequenceReference {
    SequenceReference(const SequenceCase& of, cuda::Storage storage);

    void forward();
    void backward();

    const SequenceCase& c;
    cuda::Storage storage;
    Floats input, weights, bias, peephole, h_first, c_first;
    Floats input_scale, input_shift, hidden_scale, hidden_shift;
    Floats h, cell, gates;
    Floats d_out, d_h_last, d_c_last;
    Floats d_input, d_hidden, d_h_first, d_c_first, d_bias, d_peephole;
    Floats d_input_scale, d_input_shift, d_hidden_scale, d_hidden_shift;

 private:
    Floats slice(const Floats& sequence, int step, std::size_t channels) const;
    void put(Floats& sequence, int step, std::size_t channels, const Floats& frames) const;
    Floats convolve(const Floats& old) const;
    Floats convolve_backward(const Floats& d) const;
    void norm(Floats& values, const Floats& scale, const Floats& shift) const;
    void norm_backward(const Floats& values, const Floats& scale, Floats& d, Floats& d_scale, Floats& d_shift) const;
    LstmPeephole<float> peephole_at(std::size_t pixel, std::size_t channel) const;
    Floats state_before(const Floats& states, const Floats& first, int step) const;
    template <class Body>
    void for_each_weight(const Body& body) const;

    Floats hidden_;  // the recurrent part of all steps, before its norm
};

}  // namespace nowcell::test

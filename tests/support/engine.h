// Calls of a ConvLSTM in float32 beside the same calls in float64, and which engine computed them.
#pragma once

#include "cells/conv_lstm_operator.h"

#include <ATen/Parallel.h>

#include <string>
#include <vector>

/// LibTorch's threads for a scope.
class Threads {
 public:
    explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
    ~Threads() { at::set_num_threads(before_); }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

 private:
    int before_;
};

/// How far the engines may be from float64: hidden states, and the norm of a gradient's error over that of the
/// gradient.
constexpr double kStateTolerance = 1e-4;
constexpr double kGradientTolerance = 5e-5;

/// The sizes of a call.
struct CallShape {
    std::int64_t batch = 2, steps = 3, channels = 2, filters = 3, height = 5, width = 7, kernel = 3;

    std::string text() const;
};

/// Everything that one call reads; its tensors that are not noise ask for gradients.
struct CellCall {
    torch::Tensor x;
    nowcell::State state = {};
    nowcell::ConvLstmWeights weights = {};
    nowcell::CellRules rules = {};
    nowcell::SequenceNoise noise = {};
    nowcell::SequenceOrder order = {};

    /// The tensors that are there, of those that can have gradients: x, h, c, input, hidden, bias, peephole.
    std::vector<torch::Tensor> leaves() const;
    std::vector<std::string> leaf_names() const;
    /// The same numbers in tensors of its own.
    CellCall copy(at::ScalarType type) const;
};

/// Random numbers of usual sizes in float32, the same for the same seed. Gates neither saturate nor idle.
CellCall random_call(const CallShape& shape, std::uint64_t seed);

/// Outputs, last h, last c; and the gradients of the leaves where they were asked for.
struct CellAnswer {
    std::vector<torch::Tensor> values;
    std::vector<torch::Tensor> gradients;
};

/// One number that every element of the parts moves, each in its own measure and smoothly.
torch::Tensor smooth_loss(const std::vector<torch::Tensor>& parts);

/// By the definition, in the type of the call. The order must be empty.
CellAnswer answer_of_definition(const CellCall& call);
/// By the operator.
CellAnswer answer_of(const CellCall& call, nowcell::Algorithm algorithm, nowcell::Memory memory, bool gradients = true);

double largest_difference(const torch::Tensor& a, const torch::Tensor& b);
/// |a - b| / |b|; where b is all zeros |a|.
double relative_error(const torch::Tensor& a, const torch::Tensor& b);

/// Empty, or what is wrong with an answer in float32.
std::string misses(const CellAnswer& got, const CellAnswer& exact, const std::vector<std::string>& names);

/// Every algorithm that is named by itself and has kernels of its own for that size, on processors we have kernels for.
std::vector<nowcell::Algorithm> engines_for(std::int64_t kernel);
/// Whether this processor, with NOWCELL_ISA, has kernels at all.
bool has_engines();

/// Empty if all that ran since forget_engine_uses() is what `algorithm` stands for, and something did; else what ran
/// instead. Where the processor has no kernels, the reference must have run.
std::string not_computed_by(nowcell::Algorithm algorithm, bool backward = true);
/// Likewise for the reference, for a reason that holds `reason`.
std::string not_by_reference(const std::string& reason, bool backward = true);

/// NOWCELL_TEST_SHAPES, or `usual`: how many random shapes to try.
std::int64_t test_shapes(std::int64_t usual);

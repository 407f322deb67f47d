// A ConvLSTM as users of LibTorch write it, and the layer of cells/: the two sides of `bench cells`.
#pragma once

#include "cells/trial/setting.h"

#include <ATen/Parallel.h>
#include <torch/optim/adam.h>
#include <torch/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// LibTorch's number of threads, put back at the end of the scope.
class ThreadsKept {
 public:
    ThreadsKept() = default;
    ~ThreadsKept() { at::set_num_threads(before_); }
    ThreadsKept(const ThreadsKept&) = delete;
    ThreadsKept& operator=(const ThreadsKept&) = delete;

    int before() const { return before_; }

 private:
    int before_ = at::get_num_threads();
};

enum class Direction {
    inference,  ///< a sequence without gradients
    training,   ///< a whole step: forward, loss, backward for weights and x, Adam
};
const char* name_of(Direction direction);

/// A problem that is timed.
struct CellCase {
    std::string name;
    std::int64_t batch = 0, steps = 0, channels = 0, filters = 0;
    std::int64_t side = 0;  ///< of the frame, pixels
    std::int64_t kernel = 0;

    std::string text() const;  ///< "4,15,40->40,40x40,3": B,T,C->F,HxW,K
    /// Floating-point operations of a direct convolution that skips the zeros before the first step.
    double flop(Direction direction) const;
    /// x (B,T,C,H,W), the same numbers each time.
    torch::Tensor frames(const Setting& setting = {}) const;
};

const std::vector<CellCase>& cell_cases();
std::vector<std::string> cell_case_names();

/// A cell with weights of its own, the same numbers in each one of a case.
class TrialCell {
 public:
    using Forward = std::function<torch::Tensor(const torch::Tensor& x)>;
    TrialCell(std::vector<torch::Tensor> weights, Forward forward);

    void run(Direction direction, const torch::Tensor& x);
    /// Hidden states (B,T,F,H,W) without gradients.
    torch::Tensor infer(const torch::Tensor& x) const;
    /// Hidden states and, in `gradients`, those of the weights and of x. loss(h): gradient of the loss.
    torch::Tensor differentiate(const torch::Tensor& x, const Forward& loss, std::vector<torch::Tensor>& gradients);
    /// One step that lowers the mean of the squared hidden states.
    void learn(const torch::Tensor& x);

 private:
    std::vector<torch::Tensor> weights_;
    Forward forward_;
    torch::optim::Adam adam_;
};

/// cat, conv2d, chunk, gates: step by step under autograd.
TrialCell plain_cell(const CellCase& shape, const Setting& setting = {});
/// The layer ConvLstm.
TrialCell engine_cell(const CellCase& shape, Algorithm algorithm, const Setting& setting = {});

/// How far from float64 a cell is.
struct CellErrors {
    double output = 0.0;  ///< largest difference of a hidden state
    std::optional<double> gradient =
        {};  ///< largest relative error (norms) of x, input, hidden, bias; not of inference
};

/// The definition of the cell in float64 on the CPU for the first item of the batch; weights and frames are rounded to
/// the setting's type.
class CellTruth {
 public:
    explicit CellTruth(const CellCase& shape, const Setting& setting = {});

    /// Of engine_cell() for the whole batch, as it is timed; only the first item has a loss, half the mean of the
    /// squared hidden states. Leaves `engine` naming what computed it, and where that is not what was asked for why.
    CellErrors errors(Algorithm algorithm, Direction direction, std::string& engine) const;

 private:
    CellCase shape_;
    Setting setting_;
    torch::Tensor h_;
    std::vector<torch::Tensor> gradients_;  ///< of the weights and of x
};

}  // namespace nowcell

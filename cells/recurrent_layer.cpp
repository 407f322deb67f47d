#include "cells/recurrent_layer.h"

#include "cells/check.h"
#include "cells/shapes.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace nowcell {
namespace {

constexpr std::int64_t kStepsAtOnce = 8;

void expand(const char* layer, const char* name, std::vector<std::int64_t>& values, std::int64_t rank) {
    if (values.size() == 1) values.assign(static_cast<std::size_t>(rank), values[0]);
    const bool positive = std::all_of(values.begin(), values.end(), [](auto v) { return v > 0; });
    TORCH_CHECK_VALUE(static_cast<std::int64_t>(values.size()) == rank && positive, layer, ": ", name, " is ",
                      at::IntArrayRef(values), ", expected one positive number, or ", rank, ", one per axis");
}

void check_probability(const char* layer, const char* name, double value) {
    TORCH_CHECK_VALUE(value >= 0.0 && value < 1.0, layer, ": ", name, " is ", value, ", expected at least 0, below 1");
}

// Kept values are scaled up, so that the mean stays.
torch::Tensor dropout_mask(const std::vector<std::int64_t>& shape, double rate, const at::TensorOptions& options) {
    return at::empty(shape, options).bernoulli_(1.0 - rate).div_(1.0 - rate);
}

}  // namespace

torch::Tensor mask_of_lengths(const torch::Tensor& lengths, std::int64_t steps) {
    TORCH_CHECK_VALUE(lengths.dim() == 1 && at::isIntegralType(lengths.scalar_type(), false), "lengths are ",
                      lengths.scalar_type(), " ", lengths.sizes(), ", expected integers (B)");
    const bool fit = lengths.numel() == 0 ||
                     (lengths.min().item<std::int64_t>() >= 0 && lengths.max().item<std::int64_t>() <= steps);
    TORCH_CHECK_VALUE(fit, "lengths reach from ", lengths.min().item<std::int64_t>(), " to ",
                      lengths.max().item<std::int64_t>(), ", expected 0 to ", steps, ", the steps of x");
    return at::arange(steps, lengths.options()).unsqueeze(0) < lengths.unsqueeze(1);
}

RecurrentLayer::RecurrentLayer(const char* name, const RecurrentOptions& options, std::int64_t gates)
    : common_(options), name_(name), gates_(gates) {
    TORCH_CHECK_VALUE(options.input_channels > 0 && options.filters > 0, name, ": input_channels is ",
                      options.input_channels, " and filters is ", options.filters, ", expected positive numbers");
    TORCH_CHECK_VALUE(options.rank >= 1 && options.rank <= 3, name, ": rank is ", options.rank, ", expected 1, 2 or 3");
    expand(name, "kernel", common_.kernel, options.rank);
    expand(name, "stride", common_.stride, options.rank);
    expand(name, "dilation", common_.dilation, options.rank);
    check_convolution(name, rules().convolution, common_.kernel);
    check_probability(name, "dropout", options.dropout);
    check_probability(name, "recurrent_dropout", options.recurrent_dropout);
    check_probability(name, "zoneout", options.zoneout);
}

std::vector<std::int64_t> RecurrentLayer::weight_shape(std::int64_t channels) const {
    return joined({gates_ * common_.filters, channels}, common_.kernel);
}

CellRules RecurrentLayer::rules() const {
    return {{common_.stride, common_.dilation, common_.padding}, common_.activation, common_.recurrent_activation};
}

std::vector<std::int64_t> RecurrentLayer::output_size(at::IntArrayRef size) const {
    return rules().convolution.output_size(size, common_.kernel);
}

at::TensorOptions RecurrentLayer::numbers(const torch::Tensor& x) const {
    return at::TensorOptions(x.device()).dtype(parameters(/*recurse=*/false).front().dtype());
}

SequenceNoise RecurrentLayer::draw_noise(const torch::Tensor& x) const {
    SequenceNoise noise;
    const at::TensorOptions options = numbers(x);
    const std::int64_t batch = x.size(0);
    const at::IntArrayRef frame = x.sizes().slice(3);
    if (is_training() && common_.dropout > 0.0) {
        noise.input_dropout = dropout_mask(joined({batch, gates_, x.size(2)}, frame), common_.dropout, options);
    }
    if (is_training() && common_.recurrent_dropout > 0.0) {
        noise.hidden_dropout = dropout_mask(joined({batch, gates_, common_.filters}, output_size(frame)),
                                            common_.recurrent_dropout, options);
    }
    // In evaluation the expected share takes the place of the draw.
    const auto zoneout = [&](double rate) {
        if (rate == 0.0) return torch::Tensor();
        if (!is_training())
            return at::full(std::vector<std::int64_t>(static_cast<std::size_t>(x.dim()), 1), rate, options);
        return at::empty(joined({batch, x.size(1), common_.filters}, output_size(frame)), options).bernoulli_(rate);
    };
    noise.keep_h = zoneout(common_.zoneout);
    noise.keep_c = zoneout(zoneout_cell());
    return noise;
}

torch::Tensor RecurrentLayer::forward(const torch::Tensor& x, State& state, const torch::Tensor& mask) {
    const TensorCheck is(name_, x);
    TORCH_CHECK_VALUE(x.dim() == common_.rank + 3 && x.size(2) == common_.input_channels, name_, ": x is ", x.sizes(),
                      ", expected (B,T,", common_.input_channels, ",size...) with ", common_.rank,
                      common_.rank == 1 ? " axis" : " axes", " in size");
    const SequenceNoise noise = draw_noise(x);
    const SequenceOrder order = {mask, common_.go_backwards, common_.zero_output_for_mask};
    const std::int64_t steps = x.size(1);
    const bool whole = at::GradMode::is_enabled() || mask.defined() || common_.go_backwards || is_training();
    // Outputs that nobody asks for need not be kept: memory does not grow with the sequence.
    std::int64_t first = 0;
    for (; !common_.return_sequences && !whole && steps - first > kStepsAtOnce; first += kStepsAtOnce) {
        sequence(x.narrow(1, first, kStepsAtOnce), state, noise, order);
    }
    const torch::Tensor outputs = sequence(first == 0 ? x : x.narrow(1, first, steps - first), state, noise, order);
    return common_.return_sequences ? outputs : outputs.select(1, outputs.size(1) - 1);
}

State RecurrentLayer::remembered(const torch::Tensor& x) const {
    const auto usable = [&](const torch::Tensor& tensor) {
        if (!tensor.defined()) return tensor;
        // Autograd does not take what inference mode has left.
        const torch::Tensor normal = tensor.is_inference() ? tensor.clone() : tensor;
        return normal.to(numbers(x));
    };
    return {usable(state_.h), usable(state_.c)};
}

torch::Tensor RecurrentLayer::forward(const torch::Tensor& x) {
    State state;
    if (common_.stateful && x.defined() && state_.h.defined()) state = remembered(x);
    if (state.h.defined() && x.dim() > 0) {
        TORCH_CHECK_VALUE(state.h.size(0) == x.size(0), name_, ": x has a batch of ", x.size(0),
                          ", expected that of the remembered state, ", state.h.size(0),
                          "; call reset_state() before another batch");
    }
    const torch::Tensor outputs = forward(x, state);
    if (common_.stateful) {
        // Remembered as numbers: a gradient ends where a call ends.
        const auto numbers_of = [](const torch::Tensor& tensor) { return tensor.defined() ? tensor.detach() : tensor; };
        state_ = {numbers_of(state.h), numbers_of(state.c)};
    }
    return outputs;
}

}  // namespace nowcell

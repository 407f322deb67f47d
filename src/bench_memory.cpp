// `nowcell bench memory`: what one training step of a layer costs in memory, beside the plain formulation.
#include "cells/conv_gru.h"
#include "cells/conv_lstm.h"
#include "cells/trial/timing.h"
#include "src/allocation_meter.h"
#include "src/device.h"
#include "src/json.h"
#include "src/report.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <functional>

namespace nowcell {
namespace {

constexpr std::int64_t kBatch = 1;
constexpr std::int64_t kChannels = 64;
constexpr std::int64_t kSide = 32;
const std::vector<std::int64_t> kSteps = {5, 10, 20, 40};
constexpr std::int64_t kTimedSteps = 10;
constexpr int kRounds = 5;

using Forward = std::function<torch::Tensor(const torch::Tensor&)>;

// A way to run a cell, and the module whose gradients a step fills.
struct Way {
    std::string cell;
    std::string memory;  // "plain": autograd over the equations
    std::shared_ptr<RecurrentLayer> layer;
    Forward forward;
};

template <class Layer, class Options>
std::shared_ptr<Layer> layer_of(Memory memory) {
    Options options;
    options.input_channels = kChannels;
    options.filters = kChannels;
    options.memory = memory;
    at::manual_seed(1);  // the same weights in every way
    return std::make_shared<Layer>(options);
}

template <class Layer, class Options>
std::vector<Way> ways_of(const std::string& cell, const std::function<Forward(const Layer&)>& plain) {
    std::vector<Way> ways;
    const auto reference = layer_of<Layer, Options>(Memory::store);
    ways.push_back({cell, "plain", reference, plain(*reference)});
    for (const Memory memory : {Memory::store, Memory::recompute, Memory::checkpoint}) {
        if (cell == "conv_gru" && memory == Memory::checkpoint) continue;  // the same as recompute
        const auto layer = layer_of<Layer, Options>(memory);
        ways.push_back({cell, name_of(memory), layer, [layer](const torch::Tensor& x) { return layer->forward(x); }});
    }
    return ways;
}

std::vector<std::vector<Way>> all_ways() {
    const std::vector<Way> lstm = ways_of<ConvLstm, ConvLstmOptions>("conv_lstm", [](const ConvLstm& layer) {
        return [weights = layer.weights()](const torch::Tensor& x) {
            State state;
            return conv_lstm_reference(x, state, weights);
        };
    });
    const std::vector<Way> gru = ways_of<ConvGru, ConvGruOptions>("conv_gru", [](const ConvGru& layer) {
        return [weights = layer.weights()](const torch::Tensor& x) {
            State state;
            return conv_gru_reference(x, state, weights);
        };
    });
    return {lstm, gru};
}

torch::Tensor frames(std::int64_t steps) {
    at::manual_seed(2);
    return at::randn({kBatch, steps, kChannels, kSide, kSide}).requires_grad_(true);
}

void forget_gradients(const Way& way, const torch::Tensor& x) {
    way.layer->zero_grad();
    x.mutable_grad() = torch::Tensor();
}

void step(const Way& way, const torch::Tensor& x, const torch::Tensor& target) {
    const torch::Tensor out = way.forward(x);
    // The gradient of the mean square error; at::mse_loss would keep a sequence of its own.
    const torch::Tensor d = at::mse_loss_backward(at::ones({}), out.detach(), target, at::Reduction::Mean);
    torch::autograd::backward({out}, {d});
}

double peak_floats(const Way& way, std::int64_t steps) {
    const torch::Tensor x = frames(steps);
    const torch::Tensor target = at::zeros_like(x);
    forget_gradients(way, x);
    const AllocationMeter meter;
    step(way, x, target);
    return static_cast<double>(meter.peak_bytes()) / sizeof(float);
}

// Least squares over the lengths: floats per hidden unit and time step.
double slope(const Way& way) {
    const double units = static_cast<double>(kBatch * kChannels * kSide * kSide);
    const double n = static_cast<double>(kSteps.size());
    double t = 0.0, y = 0.0, tt = 0.0, ty = 0.0;
    for (const std::int64_t steps : kSteps) {
        const double floats = peak_floats(way, steps) / units;
        const auto length = static_cast<double>(steps);
        t += length, y += floats, tt += length * length, ty += length * floats;
    }
    return (n * ty - t * y) / (n * tt - t * t);
}

double seconds(const Way& way, const torch::Tensor& x, const torch::Tensor& target) {
    forget_gradients(way, x);
    return seconds_of([&] { step(way, x, target); });
}

// The largest difference of any gradient from those of the plain way, relative to the largest gradient.
double gradient_error(const Way& way, const Way& plain, const torch::Tensor& x, const torch::Tensor& target) {
    forget_gradients(plain, x);
    step(plain, x, target);
    std::vector<torch::Tensor> expected = {x.grad().clone()};
    for (const torch::Tensor& p : plain.layer->parameters()) expected.push_back(p.grad().clone());
    forget_gradients(way, x);
    step(way, x, target);
    std::vector<torch::Tensor> got = {x.grad()};
    for (const torch::Tensor& p : way.layer->parameters()) got.push_back(p.grad());
    double error = 0.0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        const double scale = expected[i].abs().max().item<double>();
        error = std::max(error, (got[i] - expected[i]).abs().max().item<double>() / scale);
    }
    return error;
}

struct Row {
    const Way* way;
    double floats, ratio, error;
};

// The ways of one cell, timed in turn; the first is the plain one.
std::vector<Row> measure(const std::vector<Way>& ways) {
    const torch::Tensor x = frames(kTimedSteps);
    const torch::Tensor target = at::zeros_like(x);
    std::vector<std::vector<double>> times(ways.size());
    for (int round = 0; round <= kRounds; ++round) {
        for (std::size_t i = 0; i < ways.size(); ++i) {
            const double time = seconds(ways[i], x, target);
            if (round > 0) times[i].push_back(time);  // the first round warms up
        }
    }
    std::vector<Row> rows;
    for (std::size_t i = 0; i < ways.size(); ++i) {
        rows.push_back({&ways[i], slope(ways[i]), median(times[0]) / median(times[i]),
                        gradient_error(ways[i], ways[0], x, target)});
    }
    return rows;
}

int bench_memory(const Request& request) {
    const int threads = choose_threads(request);
    std::string text = fmt::format(
        "One training step, {0} -> {0} channels, {1}x{1} frames, 3x3 kernel, batch {2}, {3} threads\n\n"
        "cell       memory     floats per unit and step  speed over plain  gradient error\n",
        kChannels, kSide, kBatch, threads);
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const std::vector<Way>& ways : all_ways()) {
        for (const Row& row : measure(ways)) {
            text += fmt::format("{:<10} {:<10} {:>24.2f}  {:>15.2f}x  {:>14.1e}\n", row.way->cell, row.way->memory,
                                row.floats, row.ratio, row.error);
            rows.push_back({{"cell", row.way->cell},
                            {"memory", row.way->memory},
                            {"floats_per_unit_step", row.floats},
                            {"ratio", row.ratio},
                            {"grad_rel_error", row.error}});
        }
    }
    text += fmt::format(
        "\nfloats: slope of the peak of tensor bytes over {} to {} steps, without what the step found "
        "(x, weights and\ntheir gradients); speed: time of the plain way / time, medians of {} rounds "
        "in turn\n",
        kSteps.front(), kSteps.back(), kRounds);
    const nlohmann::ordered_json report = {{"schema", "nowcell.bench_memory/1"}, {"threads", threads}, {"rows", rows}};
    deliver(request, text, json_text(report));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_bench_memory(const nowcell::Request& request) { return nowcell::bench_memory(request); }

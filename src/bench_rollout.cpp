// `nowcell bench rollout`: a forecast that goes on from its states, beside one that reads all frames again for each.
#include "cells/trial/timing.h"
#include "src/device.h"
#include "src/json.h"
#include "src/log.h"
#include "src/report.h"
#include "src/sequence_model.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <vector>

namespace nowcell {
namespace {

constexpr std::int64_t kGiven = 10;
constexpr std::int64_t kHorizon = 10;
constexpr std::int64_t kSide = 64;

// The network of Keras' next-frame example: three layers of 64 filters with kernels of 5, 3 and 1, batch norms between
// them, and a head over time.
std::shared_ptr<SequenceModel> keras_example() {
    ModelOptions options;
    options.strategy = "next-frame";
    options.head = "conv3d";
    options.output_activation = "sigmoid";
    for (const std::int64_t kernel : {5, 3, 1}) {
        LayerOptions layer;
        layer.filters = 64;
        layer.kernel = {kernel};
        layer.activation = "relu";
        if (kernel > 1) layer.norm = "batch_keras";
        options.layers.push_back(layer);
    }
    at::manual_seed(1);
    auto model = make_sequence_model(1, options);
    model->eval();
    return model;
}

// As the example does: each frame is forecast from all that are known, given ones and forecasts, from zero states on.
torch::Tensor from_the_prefix(SequenceModel& model, const torch::Tensor& input) {
    torch::Tensor known = input;
    for (std::int64_t lead = 0; lead < kHorizon; ++lead) known = at::cat({known, model.forecast(known, {}, 1)}, 1);
    return known.narrow(1, kGiven, kHorizon);
}

int bench_rollout(const Request& request) {
    const int threads = choose_threads(request);
    make_deterministic(1);
    const c10::NoGradGuard no_grad;
    const auto model = keras_example();
    const torch::Tensor input = at::rand({1, kGiven, 1, kSide, kSide});
    const std::int64_t rounds = request.integer("--rounds", 3);
    std::vector<double> stateful, prefix;
    torch::Tensor one, other;
    ProgressLine progress;
    for (std::int64_t round = 0; round <= rounds; ++round) {
        const double first = seconds_of([&] { one = model->forecast(input, {}, kHorizon); });
        const double second = seconds_of([&] { other = from_the_prefix(*model, input); });
        progress.update(fmt::format("round {} of {}", round, rounds));
        if (round == 0) continue;  // it warms up
        stateful.push_back(first);
        prefix.push_back(second);
    }
    const double ratio = median(prefix) / median(stateful);
    const double difference = (one - other).abs().max().item<double>();
    const std::int64_t steps = kGiven + kHorizon - 1;
    const std::int64_t all_steps = kHorizon * kGiven + kHorizon * (kHorizon - 1) / 2;
    const std::string text = fmt::format(
        "{0} given frames, {1} forecast, {2}x{2} px, the network of Keras' next-frame example, {3} thread{4}\n\n"
        "states go on              {5:>4} steps  {6:>8.3f} s\n"
        "prefix again each time    {7:>4} steps  {8:>8.3f} s\n\n"
        "ratio {9:.2f} (of steps {10:.2f}); largest difference of the frames {11:.1e}; medians of {12} rounds in "
        "turn\n",
        kGiven, kHorizon, kSide, threads, threads == 1 ? "" : "s", steps, median(stateful), all_steps, median(prefix),
        ratio, static_cast<double>(all_steps) / static_cast<double>(steps), difference, rounds);
    const nlohmann::ordered_json report = {{"schema", "nowcell.bench_rollout/1"},
                                           {"threads", threads},
                                           {"given", kGiven},
                                           {"horizon", kHorizon},
                                           {"stateful_steps", steps},
                                           {"prefix_steps", all_steps},
                                           {"stateful_s", median(stateful)},
                                           {"prefix_s", median(prefix)},
                                           {"ratio", ratio},
                                           {"largest_difference", difference},
                                           {"rounds", rounds}};
    deliver(request, text, json_text(report));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_bench_rollout(const nowcell::Request& request) { return nowcell::bench_rollout(request); }

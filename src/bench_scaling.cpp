// `nowcell bench scaling`: how time and memory of a ConvLSTM grow with frames, steps and threads.
#include "cells/conv_lstm.h"
#include "cells/trial/timing.h"
#include "src/allocation_meter.h"
#include "src/device.h"
#include "src/json.h"
#include "src/report.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nowcell {
namespace {

constexpr std::int64_t kChannels = 32;
constexpr std::int64_t kSteps = 4;
constexpr int kRounds = 7;

struct Size {
    std::int64_t batch, steps, side;
};

torch::Tensor frames(const Size& size) {
    at::manual_seed(2);
    return at::randn({size.batch, size.steps, kChannels, size.side, size.side});
}

ConvLstm make_layer(bool sequences) {
    ConvLstmOptions options;
    options.input_channels = options.filters = kChannels;
    options.return_sequences = sequences;
    at::manual_seed(1);
    ConvLstm layer(options);
    layer.eval();
    return layer;
}

void run(ConvLstm& layer, const torch::Tensor& x, bool training) {
    if (!training) {
        const at::NoGradGuard none;
        layer.forward(x);
        return;
    }
    layer.zero_grad();
    const torch::Tensor out = layer.forward(x);
    out.backward(out.detach());
}

double seconds(ConvLstm& layer, const torch::Tensor& x, bool training) {
    return seconds_of([&] { run(layer, x, training); });
}

// Nanoseconds a pixel and step, for each size in turn.
std::vector<double> pixel_times(const std::vector<Size>& sizes, bool training) {
    ConvLstm layer = make_layer(true);
    std::vector<torch::Tensor> inputs;
    for (const Size& size : sizes) inputs.push_back(frames(size));
    std::vector<std::vector<double>> times(sizes.size());
    for (int round = 0; round <= kRounds; ++round) {
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            const double time = seconds(layer, inputs[i], training);
            if (round > 0) times[i].push_back(time);  // the first round warms up
        }
    }
    std::vector<double> result;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const auto pixels = static_cast<double>(sizes[i].batch * sizes[i].steps * sizes[i].side * sizes[i].side);
        result.push_back(median(times[i]) * 1e9 / pixels);
    }
    return result;
}

// Time with one thread / time with all, measured in turn.
double thread_gain(bool training, std::int64_t batch, int threads) {
    ConvLstm layer = make_layer(true);
    const torch::Tensor x = frames({batch, kSteps, 64});
    std::vector<double> one, all;
    for (int round = 0; round <= kRounds; ++round) {
        at::set_num_threads(1);
        const double first = seconds(layer, x, training);
        at::set_num_threads(threads);
        const double second = seconds(layer, x, training);
        if (round == 0) continue;
        one.push_back(first);
        all.push_back(second);
    }
    return median(one) / median(all);
}

// The most that a forecast of the last frame holds at once, beyond its input.
double forecast_floats(std::int64_t steps) {
    ConvLstm layer = make_layer(false);
    const torch::Tensor x = frames({1, steps, 32});
    run(layer, x, false);  // plans and packed weights are kept
    const AllocationMeter meter;
    run(layer, x, false);
    return static_cast<double>(meter.peak_bytes()) / sizeof(float) / static_cast<double>(kChannels * 32 * 32);
}

int bench_scaling(const Request& request) {
    const int threads = choose_threads(request);
    const std::vector<Size> sizes = {{1, kSteps, 64}, {1, kSteps, 128}, {1, kSteps, 256}};
    const std::vector<std::int64_t> lengths = {5, 10, 20, 40};
    std::string text = fmt::format("ConvLSTM {0} -> {0} channels, 3x3 kernel, {1} threads\n", kChannels, threads);
    nlohmann::ordered_json report = {{"schema", "nowcell.bench_scaling/1"}, {"threads", threads}};

    text += "\nns per pixel and step   64x64 128x128  256x256  largest / smallest\n";
    for (const bool training : {false, true}) {
        const std::vector<double> times = pixel_times(sizes, training);
        const auto [least, most] = std::minmax_element(times.begin(), times.end());
        const char* const direction = training ? "training" : "inference";
        text += fmt::format("{:<21} {:>7.0f} {:>7.0f} {:>8.0f} {:>19.2f}\n", direction, times[0], times[1], times[2],
                            *most / *least);
        report["pixel_step_ns"][direction] = times;
    }
    text += fmt::format("\nspeed-up of {} threads over one, 64x64\n", threads);
    for (const bool training : {false, true}) {
        for (const std::int64_t batch : {1, 4}) {
            const double gain = thread_gain(training, batch, threads);
            const char* const direction = training ? "training" : "inference";
            text += fmt::format("{:<9} batch {}: {:.2f}\n", direction, batch, gain);
            report["thread_gain"][direction][fmt::format("batch_{}", batch)] = gain;
        }
    }
    text += "\nfloats per hidden unit that a forecast of the last frame holds at once\n";
    for (const std::int64_t steps : lengths) {
        const double floats = forecast_floats(steps);
        text += fmt::format("{:>2} steps: {:.1f}\n", steps, floats);
        report["inference_floats"][std::to_string(steps)] = floats;
    }
    deliver(request, text, json_text(report));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_bench_scaling(const nowcell::Request& request) { return nowcell::bench_scaling(request); }

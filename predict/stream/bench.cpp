// `nowcell bench stream`: time and memory per frame of a stream that runs long.
#include "cells/trial/timing.h"
#include "predict/stream/stream.h"
#include "src/device.h"
#include "src/json.h"
#include "src/report.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <vector>

namespace nowcell {
namespace {

constexpr std::int64_t kWarmUp = 50;
constexpr double kBarTail = 1.5;
constexpr std::int64_t kInput = 10;

struct Size {
    std::int64_t side;
    std::int64_t filters;
};
constexpr Size kTimed{64, 16};
constexpr Size kTiny{16, 4};

Forecaster network(const Size& size) {
    const Config config = Config::parse(
        fmt::format("[data]\npath = \"memory\"\ninput_steps = {}\noutput_steps = 1\n[[model.layers]]\nfilters = {}\n",
                    kInput, size.filters),
        "bench", {});
    at::manual_seed(1);
    const TrainedOn on{1, size.side, size.side, "1", 0.0, "memory", "/frames", ""};
    return {config,       make_sequence_model(1, ModelOptions::from(config), on.frame()),
            Normalizer{}, BaselineOptions{},
            on,           torch::kCPU};
}

// Different frames, made beforehand.
std::vector<torch::Tensor> frames_of(const Size& size) {
    at::manual_seed(2);
    std::vector<torch::Tensor> out;
    for (int i = 0; i < 16; ++i) out.push_back(at::rand({1, size.side, size.side}));
    return out;
}

// Of a frame; what other processes do is not in the CPU time.
struct Cost {
    double wall_s, cpu_s;
};

double process_cpu_s() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Reads frames and forecasts from each, as a service does.
class Runner {
 public:
    Runner(const Forecaster& forecaster, const std::string& context, const std::vector<torch::Tensor>& frames)
        : stream_(forecaster, options(context)), frames_(frames) {}

    Cost step() {
        const torch::Tensor& frame = frames_[static_cast<std::size_t>(count_++) % frames_.size()];
        const double cpu_s = process_cpu_s();
        const double wall_s = seconds_of([&] {
            if (stream_.observe(frame.clone()).ready) forecast_ = stream_.forecast();
        });
        return {wall_s, process_cpu_s() - cpu_s};
    }

 private:
    static StreamOptions options(const std::string& context) {
        StreamOptions out;
        out.context = context;
        return out;
    }

    Stream stream_;
    const std::vector<torch::Tensor>& frames_;
    std::int64_t count_ = 0;
    torch::Tensor forecast_;
};

struct Latency {
    double p50, p99, cpu_p50, cpu_p99;
    double tail() const { return p99 / p50; }
    double cpu_tail() const { return cpu_p99 / cpu_p50; }
};

Latency latency(const std::vector<Cost>& costs) {
    std::vector<double> wall, cpu;
    for (const Cost& cost : costs) wall.push_back(cost.wall_s), cpu.push_back(cost.cpu_s);
    std::sort(wall.begin(), wall.end());
    std::sort(cpu.begin(), cpu.end());
    const std::size_t middle = costs.size() / 2, high = costs.size() * 99 / 100;
    return {wall[middle], wall[high], cpu[middle], cpu[high]};
}

struct Times {
    Latency window, all;
    double gain() const { return window.p50 / all.p50; }
};

// Both kinds of context in turn, so that whatever else the machine does meets both.
Times measure_times(std::int64_t count) {
    const Forecaster forecaster = network(kTimed);
    const auto frames = frames_of(kTimed);
    Runner window(forecaster, "window", frames);
    Runner all(forecaster, "all", frames);
    std::vector<Cost> window_costs, all_costs;
    for (std::int64_t i = 0; i < kWarmUp + count; ++i) {
        const Cost one = window.step(), other = all.step();
        if (i < kWarmUp) continue;
        window_costs.push_back(one);
        all_costs.push_back(other);
    }
    return {latency(window_costs), latency(all_costs)};
}

double resident_mb() {
    std::ifstream in("/proc/self/statm");
    double pages = 0.0;
    in >> pages >> pages;
    return pages * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

struct Memory {
    std::int64_t frames;
    double mb;
};

// After 1000, 10,000, 100,000, ... frames of both kinds of context.
std::vector<Memory> measure_memory(std::int64_t count) {
    const Forecaster forecaster = network(kTiny);
    const auto frames = frames_of(kTiny);
    Runner window(forecaster, "window", frames);
    Runner all(forecaster, "all", frames);
    std::vector<Memory> out;
    std::int64_t next = 1000;
    for (std::int64_t i = 1; i <= count; ++i) {
        window.step();
        all.step();
        if (i != next && i != count) continue;
        out.push_back({i, resident_mb()});
        next *= 10;
    }
    return out;
}

std::string text_of(const Times& times, const std::vector<Memory>& memory) {
    std::string out = fmt::format("{} x {} px, {} filters, {} input steps, 1 lead time\n\n", kTimed.side, kTimed.side,
                                  kTimed.filters, kInput);
    out += fmt::format("{:<10}{:>12}{:>12}{:>12}{:>24}\n", "context", "p50, ms", "p99, ms", "p99 / p50",
                       "p99 / p50 of CPU time");
    const auto row = [&](const char* name, const Latency& it) {
        out += fmt::format("{:<10}{:>12.3f}{:>12.3f}{:>12.2f}{:>24.2f}\n", name, 1e3 * it.p50, 1e3 * it.p99, it.tail(),
                           it.cpu_tail());
    };
    row("window", times.window);
    row("all", times.all);
    out += fmt::format(
        "\nA frame costs {:.1f} times as much with a window (bar: {:.1f}); p99 / p50: bar {:.1f}, on a machine that "
        "does nothing else\n\n",
        times.gain(), kInput / 2.0, kBarTail);
    out += fmt::format("{} x {} px, {} filters\n\n{:>12}{:>18}\n", kTiny.side, kTiny.side, kTiny.filters, "frames",
                       "resident, MB");
    for (const Memory& at : memory) out += fmt::format("{:>12}{:>18.2f}\n", at.frames, at.mb);
    return out;
}

std::string json_of(const Times& times, const std::vector<Memory>& memory) {
    using Json = nlohmann::ordered_json;
    const auto part = [](const Latency& it) {
        return Json{
            {"p50_s", it.p50}, {"p99_s", it.p99}, {"p99_over_p50", it.tail()}, {"cpu_p99_over_p50", it.cpu_tail()}};
    };
    Json rows = Json::array();
    for (const Memory& at : memory) rows.push_back({{"frames", at.frames}, {"resident_mb", at.mb}});
    return json_text({{"schema", "nowcell.bench-stream/1"},
                      {"input_steps", kInput},
                      {"window", part(times.window)},
                      {"all", part(times.all)},
                      {"window_over_all", times.gain()},
                      {"memory", rows},
                      {"growth_mb", memory.back().mb - memory.front().mb}});
}

int bench_stream(const Request& request) {
    choose_threads(request);
    const Times times = measure_times(request.integer("--timed", 500));
    const std::vector<Memory> memory = measure_memory(request.integer("--frames", 10000));
    deliver(request, text_of(times, memory), json_of(times, memory));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_bench_stream(const nowcell::Request& request) { return nowcell::bench_stream(request); }

#include "cells/cpu/plan.h"

#include "cells/cpu/engine_use.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <optional>

namespace nowcell::cpu {
namespace {

int points_of(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::winograd_safe: return 6;
        case Algorithm::winograd_fast: return 8;
        default: return 0;
    }
}

void serial(int count, const std::function<void(int)>& work) {
    for (int i = 0; i < count; ++i) work(i);
}

// Tiles of a product, measured: what a block touches should stay in the second-level cache, and the sums of the weight
// gradients should not be read and written too often.
constexpr int kBlock = 48;
constexpr int kGradientBlock = 96;

// FNV-1a over up to kSampled numbers spread over the tensor.
std::uint64_t sampled(std::uint64_t hash, const float* numbers, std::size_t count) {
    constexpr std::size_t kSampled = 512;
    const std::size_t step = std::max<std::size_t>(1, count / kSampled);
    for (std::size_t i = 0; i < count; i += step) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, numbers + i, sizeof bits);
        hash = (hash ^ bits) * 0x100000001b3ULL;
    }
    return hash;
}

// Numbers in [-1,1), the same each time.
class Noise {
 public:
    float next() {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<float>(static_cast<std::int32_t>(state_ >> 32U)) * 0x1p-31F;
    }
    std::vector<float> many(std::size_t count) {
        std::vector<float> numbers(count);
        for (float& n : numbers) n = next();
        return numbers;
    }

 private:
    std::uint64_t state_ = 1;
};

// One step of a layer on frames of noise, small enough to be run a few times.
class Trial {
 public:
    Trial(const Problem& problem, const Weights& weights)
        : problem_(smaller(problem)),
          weights_(weights),
          share_(static_cast<double>(problem_.batch * problem_.height) / (problem.batch * problem.height)) {
        Noise noise;
        const auto pixels = static_cast<std::size_t>(problem_.batch * problem_.height * problem_.width);
        const auto filters = static_cast<std::size_t>(problem_.filters);
        x_ = noise.many(pixels * static_cast<std::size_t>(problem_.channels));
        h_ = noise.many(pixels * filters);
        c_ = noise.many(pixels * filters);
        out_.resize(pixels * filters);
        last_.resize(pixels * filters);
    }

    /// Hidden states of one step.
    const std::vector<float>& run(Algorithm algorithm) {
        prepare(algorithm);
        forward();
        return out_;
    }
    /// Seconds of a forward step, the best of a few, and its share of packing the weights once for `steps`. The
    /// backward pass has the same products, so that it need not be timed.
    double seconds(Algorithm algorithm, int steps) {
        const auto clock = [] { return std::chrono::steady_clock::now(); };
        prepare(algorithm);
        const auto begin = clock();
        plan_->pack(weights_, {}, false);  // again, into memory that is there
        const std::chrono::duration<double> packing = clock() - begin;
        double best = 1e30;
        double spent = 0.0;
        for (int i = 0; i < 20 && (i < 3 || spent < 2e-3); ++i) {
            const auto start = clock();
            forward();
            const std::chrono::duration<double> took = clock() - start;
            best = std::min(best, took.count());
            spent += took.count();
        }
        return problem_.training ? best + packing.count() * share_ / steps : best;
    }

 private:
    // At most some GFLOP: first fewer items, then lower frames. Not too few: weights are read once for all of them.
    static Problem smaller(Problem p) {
        constexpr double kMost = 8e9;
        const double each = 8.0 * p.kernel * p.kernel * p.filters * (p.filters + p.channels) * p.width;
        p.threads = 1;
        p.pixel_peephole = false;
        while (p.batch > 1 && each * p.height * p.batch > kMost) p.batch = (p.batch + 1) / 2;
        while (p.height > 16 && each * p.height * p.batch > kMost) p.height = (p.height + 1) / 2;
        return p;
    }
    void prepare(Algorithm algorithm) {
        plan_.emplace(problem_, algorithm, *kernels_for(algorithm, problem_.kernel));
        plan_->pack(weights_, {}, false);
    }
    Frames frames(std::vector<float>& data, int depth) const {
        return {data.data(), static_cast<std::ptrdiff_t>(problem_.height) * problem_.width * depth, 0, true};
    }
    void forward() {
        ForwardCall call;
        call.steps = 1;
        call.x = frames(x_, problem_.channels);
        call.h_first = frames(h_, problem_.filters);
        call.c_first = frames(c_, problem_.filters);
        call.h = frames(out_, problem_.filters);
        call.h_last = frames(last_, problem_.filters);
        call.c_last = frames(last_, problem_.filters);
        run_forward(plan_->layer(nullptr), plan_->kernels(), plan_->workers(), serial, *arena_.get(), call);
        arena_.get()->reset();
    }
    Problem problem_;
    Weights weights_;
    double share_;  // of the whole problem
    std::vector<float> x_, h_, c_, out_, last_;
    std::optional<Plan> plan_;
    ArenaLease arena_;
};

// Largest difference of a hidden state from the direct convolution after one step that an algorithm may have, as a
// share of the largest state (but of 1 where all are smaller).
constexpr float kTolerance = 1e-4F;

bool agrees(const std::vector<float>& got, const std::vector<float>& exact) {
    float largest = 1.0F;
    for (const float value : exact) largest = std::isfinite(value) ? std::max(largest, std::abs(value)) : largest;
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isfinite(exact[i]) && !(std::abs(got[i] - exact[i]) <= kTolerance * largest)) return false;
    }
    return true;
}

bool agrees_with_direct(const Problem& problem, Algorithm algorithm, const Weights& weights) {
    Trial trial(problem, weights);
    const std::vector<float> exact = trial.run(Algorithm::direct);
    return agrees(trial.run(algorithm), exact);
}

// Multiplications of a step: of the products, and some for each channel that goes to the points and back.
double multiplications(const Problem& problem, Algorithm algorithm) {
    constexpr double kTransform = 8.0;
    const int m = kernels_for(algorithm, problem.kernel)->outputs;
    const int points = points_of(algorithm);
    const double tiles = static_cast<double>((problem.height + m - 1) / m) * ((problem.width + m - 1) / m);
    const double depth = problem.filters + problem.channels;
    const double columns = 4.0 * problem.filters;
    if (points == 0) return tiles * problem.kernel * problem.kernel * depth * columns;
    return tiles * points * points * (depth * columns + kTransform * (depth + columns));
}

// Those that the processor has kernels for, the most exact first of those with as many multiplications.
std::vector<Algorithm> candidates(const Problem& problem) {
    std::vector<Algorithm> all;
    for (const Algorithm algorithm : {Algorithm::direct, Algorithm::winograd_safe, Algorithm::winograd_fast}) {
        if (problem.algorithm != Algorithm::automatic && problem.algorithm != algorithm) continue;
        if (kernels_for(algorithm, problem.kernel) != nullptr) all.push_back(algorithm);
    }
    std::stable_sort(all.begin(), all.end(), [&](Algorithm a, Algorithm b) {
        return multiplications(problem, a) < multiplications(problem, b);
    });
    return all;
}

// The fewest multiplications, unless another is clearly faster: timings are noisy, and the choice should be the same in
// the next run; where it must be, nothing is timed. What differs too much from the direct convolution is out.
Algorithm choose(const Problem& problem, const Weights& weights, int steps) {
    constexpr double kClearly = 1.25;
    const std::vector<Algorithm> all = candidates(problem);
    if (all.empty() || all == std::vector{Algorithm::direct}) return Algorithm::direct;
    Trial trial(problem, weights);
    const std::vector<float> exact = trial.run(Algorithm::direct);
    Algorithm chosen = Algorithm::direct;
    double best = 0.0;
    for (const Algorithm algorithm : all) {
        if (algorithm != Algorithm::direct && !agrees(trial.run(algorithm), exact)) continue;
        if (all.size() == 1 || !problem.timed) return algorithm;
        const double seconds = trial.seconds(algorithm, steps);
        if (best > 0.0 && seconds * kClearly >= best) continue;
        chosen = algorithm;
        best = seconds;
    }
    return chosen;
}

// Choices and plans of the process.
struct Cache {
    std::mutex mutex;
    std::list<std::pair<Problem, Algorithm>> choices;  // newest first
    std::list<std::unique_ptr<Plan>> plans;            // used last first
    std::map<std::string, Algorithm> settled;          // by another process, see settle_engine_choices()
};

Cache& cache() {
    static auto* const kept = new Cache();  // outlives threads that end after main
    return *kept;
}

constexpr std::size_t kMostChoices = 512;
constexpr std::size_t kMostPlans = 64;
constexpr std::size_t kMostBytes = std::size_t{1} << 30;

std::unique_ptr<Plan> taken(const Problem& problem, const WeightStamp& stamp) {
    const std::lock_guard lock(cache().mutex);
    auto& plans = cache().plans;
    const auto same = [&](const std::unique_ptr<Plan>& plan) {
        return plan->problem() == problem && plan->stamp().input == stamp.input && plan->stamp().hidden == stamp.hidden;
    };
    const auto found = std::find_if(plans.begin(), plans.end(), same);
    if (found == plans.end()) return nullptr;
    std::unique_ptr<Plan> plan = std::move(*found);
    plans.erase(found);
    return plan;
}

std::optional<Algorithm> chosen_before(const Problem& problem) {
    const std::lock_guard lock(cache().mutex);
    for (const auto& [known, algorithm] : cache().choices) {
        if (known == problem) return algorithm;
    }
    return {};
}

// Problems that may be computed differently have different texts.
std::string text_of(const Problem& p) {
    std::string text;
    for (const int part :
         {p.batch, p.height, p.width, p.channels, p.filters, p.kernel, p.threads, static_cast<int>(p.training),
          static_cast<int>(p.standard), static_cast<int>(p.pixel_peephole), static_cast<int>(p.timed),
          static_cast<int>(p.activation), static_cast<int>(p.recurrent_activation), static_cast<int>(p.algorithm)}) {
        text += (text.empty() ? "" : " ") + std::to_string(part);
    }
    return text;
}

std::optional<Algorithm> settled_before(const Problem& problem) {
    const std::lock_guard lock(cache().mutex);
    const auto found = cache().settled.find(text_of(problem));
    if (found == cache().settled.end()) return {};
    return kernels_for(found->second, problem.kernel) == nullptr ? std::nullopt : std::optional(found->second);
}

void remember(const Problem& problem, Algorithm algorithm) {
    const std::lock_guard lock(cache().mutex);
    cache().choices.emplace_front(problem, algorithm);
    if (cache().choices.size() > kMostChoices) cache().choices.pop_back();
}

}  // namespace

WeightStamp stamp_of(const Weights& weights, std::int64_t input_version, std::int64_t hidden_version,
                     std::size_t input_floats, std::size_t hidden_floats) {
    constexpr std::uint64_t kStart = 0xcbf29ce484222325ULL;
    return {weights.input, weights.hidden, input_version, hidden_version,
            sampled(sampled(kStart, weights.input, input_floats), weights.hidden, hidden_floats)};
}

const Kernels* kernels_for(Algorithm algorithm, int kernel) {
#if defined(__x86_64__)
    if (isa() == Isa::avx512) return avx512_kernels(points_of(algorithm), kernel);
    if (isa() == Isa::avx2) return avx2_kernels(points_of(algorithm), kernel);
#endif
    static_cast<void>(algorithm);
    static_cast<void>(kernel);
    return nullptr;
}

Plan::Plan(const Problem& problem, Algorithm algorithm, const Kernels& kernels)
    : problem_(problem), algorithm_(algorithm), kernels_(&kernels) {
    layer_.batch = problem.batch;
    layer_.height = problem.height;
    layer_.width = problem.width;
    layer_.channels = problem.channels;
    layer_.filters = problem.filters;
    layer_.kernel = problem.kernel;
    layer_.activation = problem.activation;
    layer_.recurrent_activation = problem.recurrent_activation;
    layer_.standard = problem.standard;
    layer_.peephole_pixel = problem.pixel_peephole ? problem.filters : 0;
    workers_ = workers_for(layer_, kernels, problem.threads);
    const int m = kernels.outputs;
    const int tiles = problem.batch * ((problem.height + m - 1) / m) * ((problem.width + m - 1) / m);
    const int each = (tiles + workers_.count - 1) / workers_.count;
    layer_.block = std::min(each, kBlock);
    layer_.gradient_block = std::min(4 * each, kGradientBlock);
}

void Plan::pack(const Weights& weights, const WeightStamp& stamp, bool backward) {
    if (!(stamp == stamp_) || !stamp.known()) packed_forward_ = packed_backward_ = false;
    stamp_ = stamp;
    const std::size_t columns = static_cast<std::size_t>(4 * (problem_.filters + 2 * kernels_->vector_width));
    float* const bias = bias_.reserve(columns);
    if (!packed_forward_) {
        kernels_->pack_forward(layer_, weights, forward_.reserve(kernels_->forward_weights(layer_)));
        packed_forward_ = true;
    }
    kernels_->pack_bias(layer_, weights.bias, bias);
    if (backward && !packed_backward_) {
        kernels_->pack_backward(layer_, weights, backward_.reserve(kernels_->backward_weights(layer_)));
        packed_backward_ = true;
    }
}

Layer Plan::layer(const float* peephole) const {
    Layer layer = layer_;
    layer.forward_weights = forward_.data();
    layer.backward_weights = backward_.data();
    layer.bias = bias_.data();
    layer.peephole = peephole;
    return layer;
}

std::string Plan::text() const {
    return name_of(algorithm_) + ", " + kernels_->isa + ", " + std::to_string(workers_.count) +
           (workers_.count == 1 ? " thread" : " threads");
}

PlanLease::PlanLease(const Problem& problem, const Weights& weights, const WeightStamp& stamp, int steps)
    : plan_(taken(problem, stamp)) {
    if (plan_ != nullptr) return;
    std::optional<Algorithm> algorithm = chosen_before(problem);
    const std::optional<Algorithm> settled = settled_before(problem);
    if (settled) {
        if (!algorithm) remember(problem, *settled);
        algorithm = settled;
    } else if (!algorithm) {
        algorithm = choose(problem, weights, steps);
        remember(problem, *algorithm);
    } else if (*algorithm != Algorithm::direct && stamp.known() && !agrees_with_direct(problem, *algorithm, weights)) {
        algorithm = Algorithm::direct;  // other weights than those it was chosen with
    }
    plan_ = std::make_unique<Plan>(problem, *algorithm, *kernels_for(*algorithm, problem.kernel));
}

PlanLease::~PlanLease() {
    const std::lock_guard lock(cache().mutex);
    auto& plans = cache().plans;
    plans.push_front(std::move(plan_));
    std::size_t bytes = 0;
    std::size_t count = 0;
    plans.remove_if([&](const std::unique_ptr<Plan>& plan) {
        bytes += plan->bytes();
        return ++count > 1 && (count > kMostPlans || bytes > kMostBytes);
    });
}

}  // namespace nowcell::cpu

namespace nowcell {

std::map<std::string, std::string> engine_choices() {
    const std::lock_guard lock(cpu::cache().mutex);
    std::map<std::string, std::string> names;
    for (const auto& [problem, algorithm] : cpu::cache().choices) {
        names.emplace(cpu::text_of(problem), name_of(algorithm));
    }
    return names;
}

void settle_engine_choices(const std::map<std::string, std::string>& choices) {
    const std::lock_guard lock(cpu::cache().mutex);
    const std::vector<std::string>& known = algorithm_names();
    for (const auto& [problem, name] : choices) {
        if (std::find(known.begin(), known.end(), name) == known.end()) continue;
        cpu::cache().settled[problem] = algorithm_from(name);
    }
}

}  // namespace nowcell

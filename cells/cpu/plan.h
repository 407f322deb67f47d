// Everything that is decided once for a problem: algorithm, block sizes, packed weights.
#pragma once

#include "cells/algorithm.h"
#include "cells/cpu/isa.h"
#include "cells/cpu/sequence.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nowcell::cpu {

/// A size of problem; plans are kept by it.
struct Problem {
    int batch = 0, height = 0, width = 0, channels = 0, filters = 0, kernel = 0;
    int threads = 1;
    bool training = false;
    bool standard = true;  ///< tanh and sigmoid, no peephole, nothing kept
    bool pixel_peephole = false;
    bool timed = true;  ///< whether timings may decide: two runs may then choose differently
    Activation activation = Activation::tanh;
    Activation recurrent_activation = Activation::sigmoid;
    Algorithm algorithm = Algorithm::automatic;

    bool operator==(const Problem&) const = default;
};

/// Which weights these are: the same numbers at the same place, as far as can be told in microseconds.
struct WeightStamp {
    const void* input = nullptr;
    const void* hidden = nullptr;
    std::int64_t input_version = -1;  ///< of the tensor; -1 if it keeps none
    std::int64_t hidden_version = -1;
    std::uint64_t sample = 0;  ///< hash of some of the numbers: writes that do not count versions

    /// Whether a change would show; if not, weights are packed again each time.
    bool known() const { return input_version >= 0 && hidden_version >= 0; }
    bool operator==(const WeightStamp&) const = default;
};
WeightStamp stamp_of(const Weights& weights, std::int64_t input_version, std::int64_t hidden_version,
                     std::size_t input_floats, std::size_t hidden_floats);

class Plan {
 public:
    /// kernels: of `algorithm`, not null.
    Plan(const Problem& problem, Algorithm algorithm, const Kernels& kernels);

    /// Packs what is not packed yet from these weights.
    void pack(const Weights& weights, const WeightStamp& stamp, bool backward);
    /// peephole: as Layer has it, or null.
    Layer layer(const float* peephole) const;

    const Problem& problem() const { return problem_; }
    const Kernels& kernels() const { return *kernels_; }
    const Workers& workers() const { return workers_; }
    Algorithm algorithm() const { return algorithm_; }
    const WeightStamp& stamp() const { return stamp_; }
    /// "winograd-fast, avx512, 2 threads".
    std::string text() const;
    std::size_t bytes() const { return (forward_.size() + backward_.size()) * sizeof(float); }

 private:
    Problem problem_;
    Algorithm algorithm_;
    const Kernels* kernels_;
    Workers workers_;
    Layer layer_;
    WeightStamp stamp_;
    bool packed_forward_ = false, packed_backward_ = false;
    FloatBuffer forward_, backward_, bias_;
};

/// The kernels of an algorithm on this processor; null where it has none for that kernel size.
const Kernels* kernels_for(Algorithm algorithm, int kernel);

/// A plan for one call; back in the cache at the end of the scope. The cache is bounded, and locked only at both ends.
class PlanLease {
 public:
    /// steps: of the call at hand. Builds a plan where there is none: chooses by timing, checks against `direct`.
    PlanLease(const Problem& problem, const Weights& weights, const WeightStamp& stamp, int steps);
    ~PlanLease();
    PlanLease(const PlanLease&) = delete;
    PlanLease& operator=(const PlanLease&) = delete;
    Plan& operator*() const { return *plan_; }
    Plan* operator->() const { return plan_.get(); }

 private:
    std::unique_ptr<Plan> plan_;
};

}  // namespace nowcell::cpu

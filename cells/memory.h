// What training keeps of the forward pass for the backward pass.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nowcell {

enum class Memory {
    store,       ///< gates and states of every step: fastest
    recompute,   ///< states alone, a third of it; the gates are computed again
    checkpoint,  ///< every hidden state, but of T cell states only about T / sqrt(T); the rest is computed twice again.
                 ///< Where no kernels of ours run (other devices, ConvGRU, options they lack): recompute
};

/// store, recompute, checkpoint. Throws c10::ValueError that lists them.
Memory memory_from(const std::string& name);
const char* name_of(Memory memory);

/// What a forward pass leaves for its backward pass.
enum class Saved {
    none,         ///< nothing: inference
    states,       ///< the states of every step
    gates,        ///< also the activated gates
    checkpoints,  ///< every hidden state, some cell states: see checkpoint_distance()
};

/// What training with that memory keeps.
Saved saved_for(Memory memory);

/// Steps from one saved cell state to the next.
std::int64_t checkpoint_distance(std::int64_t steps);

/// none, states, gates, checkpoints. Throws c10::ValueError that lists them.
Saved saved_from(std::string_view name);
const char* name_of(Saved saved);

}  // namespace nowcell

// What training keeps of the forward pass for the backward pass.
#pragma once

#include <string>
#include <string_view>

namespace nowcell {

enum class Memory {
    store,      ///< gates and states of every step: fastest
    recompute,  ///< states alone, a third of it; the gates are computed again
};

/// store, recompute. Throws c10::ValueError that lists them.
Memory memory_from(const std::string& name);
const char* name_of(Memory memory);

/// What a forward pass leaves for its backward pass.
enum class Saved {
    none,    ///< nothing: inference
    states,  ///< the states of every step
    gates,   ///< also the activated gates
};

/// none, states, gates. Throws c10::ValueError that lists them.
Saved saved_from(std::string_view name);
const char* name_of(Saved saved);

}  // namespace nowcell

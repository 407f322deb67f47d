#include "cells/memory.h"

#include "cells/choice.h"

#include <cmath>

namespace nowcell {
namespace {

const std::vector<std::string>& memory_names() {
    static const std::vector<std::string> names = {"store", "recompute", "checkpoint"};
    return names;
}

const std::vector<std::string>& saved_names() {
    static const std::vector<std::string> names = {"none", "states", "gates", "checkpoints"};
    return names;
}

}  // namespace

Memory memory_from(const std::string& name) { return choice<Memory>("memory", name, memory_names()); }

const char* name_of(Memory memory) { return memory_names()[static_cast<std::size_t>(memory)].c_str(); }

Saved saved_from(std::string_view name) { return choice<Saved>("saved", name, saved_names()); }

const char* name_of(Saved saved) { return saved_names()[static_cast<std::size_t>(saved)].c_str(); }

Saved saved_for(Memory memory) {
    switch (memory) {
        case Memory::store: return Saved::gates;
        case Memory::recompute: return Saved::states;
        case Memory::checkpoint: return Saved::checkpoints;
    }
    return Saved::gates;
}

std::int64_t checkpoint_distance(std::int64_t steps) {
    return static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(steps))));
}

}  // namespace nowcell

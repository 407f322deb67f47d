#include "cells/memory.h"

#include "cells/choice.h"

namespace nowcell {

Memory memory_from(const std::string& name) { return choice<Memory>("memory", name, {"store", "recompute"}); }

const char* name_of(Memory memory) { return memory == Memory::store ? "store" : "recompute"; }

Saved saved_from(std::string_view name) { return choice<Saved>("saved", name, {"none", "states", "gates"}); }

const char* name_of(Saved saved) {
    constexpr const char* kNames[] = {"none", "states", "gates"};
    return kNames[static_cast<std::size_t>(saved)];
}

}  // namespace nowcell

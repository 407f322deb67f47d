#include "cells/memory.h"

#include <c10/util/Exception.h>

namespace nowcell {

Memory memory_from(const std::string& name) {
    TORCH_CHECK_VALUE(name == "store" || name == "recompute", "memory: got \"", name,
                      "\", expected store or recompute");
    return name == "store" ? Memory::store : Memory::recompute;
}

const char* name_of(Memory memory) { return memory == Memory::store ? "store" : "recompute"; }

Saved saved_from(std::string_view name) {
    for (const Saved saved : {Saved::none, Saved::states, Saved::gates}) {
        if (name == name_of(saved)) return saved;
    }
    TORCH_CHECK_VALUE(false, "saved: got \"", name, "\", expected none, states or gates");
}

const char* name_of(Saved saved) {
    constexpr const char* kNames[] = {"none", "states", "gates"};
    return kNames[static_cast<std::size_t>(saved)];
}

}  // namespace nowcell

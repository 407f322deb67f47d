#include "cells/cpu/engine_use.h"

#include <algorithm>
#include <mutex>

namespace nowcell {
namespace {

constexpr std::size_t kMost = 256;
std::mutex mutex;
std::vector<EngineUse>& all() {
    static std::vector<EngineUse> uses;
    return uses;
}

}  // namespace

std::vector<EngineUse> engine_uses() {
    const std::lock_guard lock(mutex);
    return all();
}

void forget_engine_uses() {
    const std::lock_guard lock(mutex);
    all().clear();
}

void note_engine_use(const EngineUse& use, bool backward) {
    const std::lock_guard lock(mutex);
    auto found = std::find_if(all().begin(), all().end(), [&](const EngineUse& other) {
        return other.layer == use.layer && other.engine == use.engine && other.reason == use.reason;
    });
    if (found == all().end()) {
        if (all().size() == kMost) return;
        found = all().insert(all().end(), use);
    }
    ++(backward ? found->backward_calls : found->forward_calls);
}

}  // namespace nowcell

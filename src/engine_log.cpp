#include "src/engine_log.h"

#include "cells/cpu/engine_use.h"
#include "src/log.h"

#include <fmt/format.h>

#include <set>

namespace nowcell {

void log_engines() {
    static std::set<std::string> told;
    for (const EngineUse& use : engine_uses()) {
        const std::string reason = use.reason.empty() ? "" : " (" + use.reason + ")";
        const std::string line = fmt::format("layer {}: {}{}", use.layer, use.engine, reason);
        if (!told.insert(line).second) continue;
        if (reason.empty()) {
            log_verbose(line);
        } else {
            log_info(line);
        }
    }
}

}  // namespace nowcell

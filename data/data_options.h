// The [data] and [eval] sections of a configuration.
#pragma once

#include "data/frame_source.h"
#include "data/windows.h"
#include "src/config.h"

#include <string>

namespace nowcell {

/// What a run reads and how it cuts it.
struct DataOptions {
    SourceOptions source;
    WindowOptions window;  ///< history as residual_on and the baselines of the score table need it
    SplitOptions split;
    std::string normalize = "minmax";
    std::int64_t period = 0;

    static DataOptions from(const Config& config);
};

}  // namespace nowcell

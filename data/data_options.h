// The [data] section of a configuration.
#pragma once

#include "data/augment.h"
#include "data/frame_source.h"
#include "data/windows.h"
#include "src/config.h"

#include <memory>
#include <string>

namespace nowcell {

/// What a run reads and how it cuts it.
struct DataOptions {
    SourceOptions source;
    SourceOptions target;  ///< of pairs: where the targets are; see FrameSource::target
    WindowOptions window;  ///< history as every baseline of the score table needs it
    SplitOptions split;
    std::string normalize = "minmax";
    std::int64_t period = 0;    ///< steps of a window; 0: none, or not yet settled (train/prepare.h)
    std::int64_t prefetch = 2;  ///< batches read ahead in training
    AugmentOptions augment;     ///< of the training part

    static DataOptions from(const Config& config);
};

/// Opens the source, and with window.paired its targets. Throws as open_source and pair_sources do.
std::unique_ptr<FrameSource> open_data(const DataOptions& options);

}  // namespace nowcell

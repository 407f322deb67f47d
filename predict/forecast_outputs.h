// The files that a forecast is written to, as it is made.
#pragma once

#include "predict/forecast_run.h"

#include <string>
#include <vector>

namespace nowcell {

/// Where and as what.
struct OutputOptions {
    std::string folder;
    /// By the names of `predict --as`: "h5", "npy", "png" (a file per lead time), and of the first recording "strip",
    /// "gif" and "mp4".
    std::vector<std::string> formats;
    bool force = false;  ///< replace what exists
};

/// The words of --as, each once, in the order that they are written in. Throws Error(usage) on an unknown one.
std::vector<std::string> formats_from(const std::vector<std::string>& words);

/// Refuses outputs that exist (without options.force) or cannot be written. Throws Error(output).
void check_outputs(const OutputOptions& options);

/// What is written: files, and a folder for "png".
std::vector<std::string> output_paths(const OutputOptions& options);

/// Whether every output is there.
bool outputs_exist(const OutputOptions& options);

/// Makes the forecasts of a run and writes them; when anything fails, nothing is left behind. Memory does not depend on
/// horizon and recordings: pictures hold the first lead times that fit in 64 MB (at least 12, at most 1000).
/// Returns the paths written. Throws Error(output), Error(usage) for formats that cannot hold such frames, and what the
/// run throws; an exception from `use`, which is called after each piece, ends the work likewise.
std::vector<std::string> write_outputs(const ForecastRun& run, const Normalizer& normalizer, const SourceInfo& info,
                                       const ForecastRecord& record, const OutputOptions& options,
                                       const std::function<void()>& use = {});

}  // namespace nowcell

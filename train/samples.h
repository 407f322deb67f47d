// Forecasts of validation windows as pictures, epoch by epoch.
#pragma once

#include "data/loader.h"
#include "predict/forecaster.h"
#include "predict/pictures/pictures.h"

#include <string>
#include <vector>

namespace nowcell {

/// A few windows that are forecast again and again; their frames are read once.
class Samples {
 public:
    /// The first `count` of the windows, or all. The source must outlive the samples.
    Samples(const FrameSource& source, const WindowOptions& window, const std::vector<Window>& windows,
            std::int64_t count);

    /// Writes PREFIX_s0.png and PREFIX_s0.gif, _s1 and so on, for forecasts titled `title`. Returns the paths of the
    /// PNG files. Throws Error(output).
    std::vector<std::string> write(const Forecaster& forecaster, const std::string& prefix,
                                   const std::string& title) const;

    /// The first window alone, as a PNG strip.
    void write_first(const Forecaster& forecaster, const std::string& path, const std::string& title) const;

 private:
    Forecast picture(const Forecaster& forecaster, std::int64_t sample, const std::string& title) const;

    const SourceInfo& info_;
    WindowOptions window_;
    Batch batch_;  // (count,...)
};

}  // namespace nowcell

#include "train/samples.h"

#include "src/files.h"

#include <fmt/format.h>

#include <algorithm>

namespace nowcell {
namespace {

std::vector<Window> first_of(const std::vector<Window>& windows, std::int64_t count) {
    const auto most = static_cast<std::int64_t>(windows.size());
    return {windows.begin(), windows.begin() + std::min(count, most)};
}

}  // namespace

Samples::Samples(const FrameSource& source, const WindowOptions& window, const std::vector<Window>& windows,
                 std::int64_t count)
    : info_(source.info()), window_(window), batch_(read_windows(source, window, first_of(windows, count))) {}

Forecast Samples::picture(const Forecaster& forecaster, std::int64_t sample, const std::string& title) const {
    const torch::Tensor past = batch_.past.narrow(0, sample, 1);
    const torch::Tensor input = past[0].slice(0, past.size(1) - window_.input_steps);
    return drawable({input, forecaster.forecast(past, window_.output_steps)[0], batch_.target[sample], title,
                     info_.step_s * static_cast<double>(window_.frame_step)});
}

std::vector<std::string> Samples::write(const Forecaster& forecaster, const std::string& prefix,
                                        const std::string& title) const {
    make_parent(prefix);
    std::vector<std::string> paths;
    for (std::int64_t sample = 0; sample < batch_.past.size(0); ++sample) {
        const Forecast forecast = picture(forecaster, sample, title);
        const ColourScale scale = colour_scale(forecast, info_.units);
        paths.push_back(fmt::format("{}_s{}.png", prefix, sample));
        write_strip(paths.back(), forecast, scale);
        write_gif(fmt::format("{}_s{}.gif", prefix, sample), forecast, scale);
    }
    return paths;
}

void Samples::write_first(const Forecaster& forecaster, const std::string& path, const std::string& title) const {
    const Forecast forecast = picture(forecaster, 0, title);
    write_strip(path, forecast, colour_scale(forecast, info_.units));
}

}  // namespace nowcell

// The handler of data info.
#include "data/frame_source.h"
#include "src/json.h"
#include "src/report.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace nowcell {
namespace {

constexpr std::int64_t kBlockFrames = 64;

// What reading every frame tells.
struct Survey {
    double min = std::numeric_limits<double>::infinity();
    double max = -std::numeric_limits<double>::infinity();
    double sum = 0.0;
    std::int64_t finite = 0;
    std::int64_t missing = 0;
};

void survey_block(const torch::Tensor& block, Survey& survey) {
    const torch::Tensor valid = block.masked_select(at::isfinite(block)).to(at::kDouble);
    survey.missing += block.numel() - valid.numel();
    survey.finite += valid.numel();
    if (valid.numel() == 0) return;
    survey.min = std::min(survey.min, valid.min().item<double>());
    survey.max = std::max(survey.max, valid.max().item<double>());
    survey.sum += valid.sum().item<double>();
}

Survey survey(const FrameSource& source) {
    Survey result;
    const SourceInfo& info = source.info();
    for (std::size_t r = 0; r < info.frames.size(); ++r) {
        for (std::int64_t t = 0; t < info.frames[r]; t += kBlockFrames) {
            survey_block(source.read(static_cast<std::int64_t>(r), t, std::min(kBlockFrames, info.frames[r] - t)),
                         result);
        }
    }
    return result;
}

std::string frames_text(const SourceInfo& info) {
    const auto [least, most] = std::minmax_element(info.frames.begin(), info.frames.end());
    const std::string each = *least == *most ? fmt::format("{}", *least) : fmt::format("{} to {}", *least, *most);
    return fmt::format("{} recording{} of {} frames", info.frames.size(), info.frames.size() == 1 ? "" : "s", each);
}

std::string step_text(const SourceInfo& info) {
    if (info.step_s <= 0.0) return "unknown (lead times are counted in steps)";
    return fmt::format("{} s{}", info.step_s, info.start.empty() ? "" : ", first frame " + info.start);
}

std::string info_text(const SourceInfo& info, const Survey& values) {
    const double all = static_cast<double>(values.finite + values.missing);
    std::string out = fmt::format("{}  {}\n", info.path, info.dataset);
    const auto line = [&](const std::string& name, const std::string& value) {
        out += fmt::format("  {:<11}{}\n", name, value);
    };
    line("layout", fmt::format("{} [{}]", info.layout, fmt::join(info.stored_shape, ", ")));
    line("frames", fmt::format("{}, {} channel{}, {} x {} px", frames_text(info), info.channels,
                               info.channels == 1 ? "" : "s", info.height, info.width));
    line("stored", fmt::format("{}, {}, {}", info.stored_type,
                               info.chunk_shape.empty() ? std::string("contiguous")
                                                        : fmt::format("chunks [{}]", fmt::join(info.chunk_shape, ", ")),
                               info.filters == "none" ? "not compressed" : info.filters));
    line("values", fmt::format("stored x {} + {}{}", info.scale, info.offset,
                               info.has_fill ? fmt::format(", {} is missing", info.fill) : std::string()));
    line("time step", step_text(info));
    line("units", info.units);
    if (values.finite > 0) {
        line("range", fmt::format("{:.6g} to {:.6g}, mean {:.6g}", values.min, values.max,
                                  values.sum / static_cast<double>(values.finite)));
    }
    line("missing", values.missing == 0 ? std::string("none")
                                        : fmt::format("{} values ({:.2f} %)", values.missing,
                                                      100.0 * static_cast<double>(values.missing) / all));
    return out;
}

std::string info_json(const SourceInfo& info, const Survey& values) {
    nlohmann::ordered_json report = {{"schema", "nowcell.data_info/1"},
                                     {"path", info.path},
                                     {"dataset", info.dataset},
                                     {"layout", info.layout},
                                     {"shape", info.stored_shape},
                                     {"chunk", info.chunk_shape},
                                     {"type", info.stored_type},
                                     {"filters", info.filters},
                                     {"recordings", info.frames.size()},
                                     {"frames", info.frames},
                                     {"channels", info.channels},
                                     {"height", info.height},
                                     {"width", info.width},
                                     {"units", info.units},
                                     {"scale", info.scale},
                                     {"offset", info.offset},
                                     {"step_s", info.step_s},
                                     {"start", info.start},
                                     {"missing", values.missing},
                                     {"fingerprint", info.fingerprint}};
    if (values.finite > 0) {
        report["min"] = values.min;
        report["max"] = values.max;
        report["mean"] = values.sum / static_cast<double>(values.finite);
    }
    return json_text(report);
}

int show_info(const Request& request) {
    SourceOptions options;
    options.path = request.text("FILE");
    options.dataset = request.text("--dataset");
    options.missing = "mask";
    const auto source = open_source(options);
    const Survey values = survey(*source);
    deliver(request, info_text(source->info(), values), info_json(source->info(), values));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_data_info(const nowcell::Request& request) { return nowcell::show_info(request); }

// The handler of data stats.
#include "data/commands/report_text.h"
#include "data/commands/source_request.h"
#include "data/commands/value_counts.h"
#include "data/frame_blocks.h"
#include "data/moments.h"
#include "src/json.h"
#include "src/log.h"
#include "src/report.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace nowcell {
namespace {

constexpr std::array<double, 7> kPercents = {1, 5, 25, 50, 75, 95, 99};
constexpr int kBins = 16;
constexpr std::size_t kWorst = 5;
constexpr std::int64_t kMostChannels = 64;  // counts of one take up to 8 MiB

struct Channel {
    Moments moments;
    ValueCounts counts;
};

struct FrameName {
    std::int64_t recording = 0, frame = 0;
};

struct FrameMissing {
    FrameName name;
    std::int64_t count = 0;
};

// What one pass over the frames tells.
class Statistics {
 public:
    explicit Statistics(const SourceInfo& info)
        : info_(info), channels_(static_cast<std::size_t>(std::min(info.channels, kMostChannels))) {}

    void add(const FrameBlock& block) {
        const torch::Tensor read = block.frames.contiguous();
        for (std::size_t c = 0; c < channels_.size(); ++c) {
            const torch::Tensor values = read.select(1, static_cast<std::int64_t>(c)).contiguous();
            Channel& channel = channels_[c];
            channel.moments.add(values);
            channel.counts.add(values.const_data_ptr<float>(), values.numel());
        }
        for (std::int64_t t = 0; t < block.range.count; ++t) {
            add_frame({block.range.recording, block.range.first + t}, read[t]);
        }
    }

    const std::vector<Channel>& channels() const { return channels_; }
    const std::vector<FrameMissing>& worst() const { return worst_; }

    std::int64_t frames = 0;
    std::int64_t missing = 0;   ///< values
    std::int64_t holed = 0;     ///< frames with a missing value
    std::int64_t constant = 0;  ///< frames of one value
    std::int64_t repeated = 0;  ///< frames that equal the one before
    double jump = -1.0;         ///< the largest mean change between neighbours; -1: there are none
    FrameName jump_at;          ///< the later of the two

 private:
    bool continues(const FrameName& name) const {
        if (!before_.defined() || name.frame == 0) return false;
        const auto r = static_cast<std::size_t>(name.recording);
        return r >= info_.breaks.size() ||
               !std::binary_search(info_.breaks[r].begin(), info_.breaks[r].end(), name.frame);
    }

    void add_frame(const FrameName& name, const torch::Tensor& frame) {
        ++frames;
        const torch::Tensor known = frame.isfinite();
        const std::int64_t gone = frame.numel() - known.sum().item<std::int64_t>();
        add_missing(name, gone);
        if (gone < frame.numel()) {
            const torch::Tensor values = gone == 0 ? frame : frame.masked_select(known);
            const auto [least, most] = at::aminmax(values);
            if (least.item<float>() == most.item<float>()) ++constant;
        }
        if (continues(name)) compare(name, frame);
        before_ = frame;
    }

    void add_missing(const FrameName& name, std::int64_t gone) {
        if (gone == 0) return;
        missing += gone;
        ++holed;
        worst_.push_back({name, gone});
        std::stable_sort(worst_.begin(), worst_.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
        if (worst_.size() > kWorst) worst_.pop_back();
    }

    // Where both have a value.
    void compare(const FrameName& name, const torch::Tensor& frame) {
        const torch::Tensor change = (frame - before_).abs();
        const torch::Tensor both = change.isfinite();
        const double count = both.sum().item<double>();
        const bool same_holes = frame.isfinite().equal(before_.isfinite());
        const double sum = change.masked_fill(both.logical_not(), 0.0).sum(at::kDouble).item<double>();
        if (same_holes && sum == 0.0) ++repeated;
        if (count == 0.0 || sum / count <= jump) return;
        jump = sum / count;
        jump_at = name;
    }

    const SourceInfo& info_;
    std::vector<Channel> channels_;
    std::vector<FrameMissing> worst_;
    torch::Tensor before_;
};

std::string name_text(const SourceInfo& info, const FrameName& name) {
    return info.frames.size() > 1 ? fmt::format("frame {} of recording {}", name.frame, name.recording)
                                  : fmt::format("frame {}", name.frame);
}

std::string percent_text(std::int64_t part, double whole) {
    return fmt::format("{:.2f} %", 100.0 * static_cast<double>(part) / whole);
}

std::string bars_text(const std::vector<ValueCounts::Entry>& sorted) {
    constexpr double kLongest = 50.0;
    const std::vector<double> counts = histogram(sorted, kBins);
    const double most = *std::max_element(counts.begin(), counts.end());
    double total = 0.0;
    for (const double count : counts) total += count;
    const auto low = static_cast<double>(sorted.front().low);
    const double width = (static_cast<double>(sorted.back().high) - low) / kBins;
    if (width == 0.0) return fmt::format("  all values are {:.6g}\n", low);
    std::string out;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const auto length = static_cast<std::size_t>(std::ceil(counts[i] / most * kLongest));
        out += fmt::format("  {:>12.6g}  {:>6.2f} %  {}\n", low + width * static_cast<double>(i),
                           100.0 * counts[i] / total, std::string(length, '#'));
    }
    return out + fmt::format("  {:>12.6g}\n", static_cast<double>(sorted.back().high));
}

std::string channel_text(const SourceInfo& info, std::size_t index, const Channel& channel) {
    const Moments& moments = channel.moments;
    std::string out = info.channels > 1 ? fmt::format("\nchannel {}\n", index) : "";
    if (moments.count == 0) return out + report_line("values", "none");
    const auto sorted = channel.counts.sorted();
    out += report_line("values", fmt::format("{:.0f}", moments.count));
    out += report_line("range", fmt::format("{:.7g} to {:.7g}", moments.min, moments.max));
    out += report_line("mean", fmt::format("{:.7g}, standard deviation {:.7g}", moments.mean, moments.deviation()));
    std::string percents;
    for (const double percent : kPercents) {
        percents += fmt::format("{}{:g} %: {:.6g}", percents.empty() ? "" : "   ", percent,
                                percentile(sorted, percent / 100.0));
    }
    out += report_line("percentiles", " " + percents + (channel.counts.exact() ? "" : "   (to 0.05 %)"));
    return out + bars_text(sorted);
}

std::string stats_text(const SourceInfo& info, const Statistics& stats) {
    const auto values = static_cast<double>(stats.frames * info.channels * info.height * info.width);
    const auto frames = static_cast<double>(stats.frames);
    std::string out = fmt::format("{}{}{}\n", info.path, info.dataset.empty() ? "" : "  ", info.dataset);
    out += report_line("frames", frames_text(info));
    out += report_line("units", info.units);
    out += report_line("missing", stats.missing == 0 ? std::string("none")
                                                     : fmt::format("{} values ({}) in {} frame{}", stats.missing,
                                                                   percent_text(stats.missing, values), stats.holed,
                                                                   plural(stats.holed)));
    const double per_frame = values / frames;
    std::string worst;
    for (const FrameMissing& one : stats.worst()) {
        worst += fmt::format("{}{} ({})", worst.empty() ? "" : ", ", name_text(info, one.name),
                             percent_text(one.count, per_frame));
    }
    if (!worst.empty()) out += report_line("most in", worst);
    out += report_line("constant", fmt::format("{} frame{} of one value ({})", stats.constant, plural(stats.constant),
                                               percent_text(stats.constant, frames)));
    out += report_line("repeated", fmt::format("{} frame{} equal to the one before ({})", stats.repeated,
                                               plural(stats.repeated), percent_text(stats.repeated, frames)));
    if (stats.jump >= 0.0) {
        out += report_line("jump", fmt::format("{:.6g} is the largest mean change between neighbours, at {}",
                                               stats.jump, name_text(info, stats.jump_at)));
    }
    for (std::size_t c = 0; c < stats.channels().size(); ++c) out += channel_text(info, c, stats.channels()[c]);
    return out;
}

nlohmann::ordered_json channel_json(const Channel& channel) {
    const Moments& moments = channel.moments;
    nlohmann::ordered_json out = {{"values", moments.count}};
    if (moments.count == 0) return out;
    const auto sorted = channel.counts.sorted();
    out.update({{"min", moments.min},
                {"max", moments.max},
                {"mean", moments.mean},
                {"deviation", moments.deviation()},
                {"percentiles_exact", channel.counts.exact()}});
    for (const double percent : kPercents) {
        out["percentiles"][fmt::format("{:g}", percent)] = percentile(sorted, percent / 100.0);
    }
    out["histogram"] = {{"from", sorted.front().low}, {"to", sorted.back().high}, {"counts", histogram(sorted, kBins)}};
    return out;
}

std::string stats_json(const SourceInfo& info, const Statistics& stats) {
    const auto name = [](const FrameName& frame) {
        return nlohmann::ordered_json{{"recording", frame.recording}, {"frame", frame.frame}};
    };
    nlohmann::ordered_json report = {{"schema", "nowcell.data_stats/1"},
                                     {"path", info.path},
                                     {"dataset", info.dataset},
                                     {"units", info.units},
                                     {"frames", stats.frames},
                                     {"missing", stats.missing},
                                     {"frames_with_missing", stats.holed},
                                     {"constant_frames", stats.constant},
                                     {"repeated_frames", stats.repeated},
                                     {"fingerprint", info.fingerprint}};
    report["most_missing"] = nlohmann::ordered_json::array();
    for (const FrameMissing& one : stats.worst()) {
        nlohmann::ordered_json entry = name(one.name);
        entry["missing"] = one.count;
        report["most_missing"].push_back(entry);
    }
    if (stats.jump >= 0.0) {
        report["largest_jump"] = name(stats.jump_at);
        report["largest_jump"]["mean_change"] = stats.jump;
    }
    report["channels"] = nlohmann::ordered_json::array();
    for (const Channel& channel : stats.channels()) report["channels"].push_back(channel_json(channel));
    return json_text(report);
}

int show_stats(const Request& request) {
    const auto source = open_source(source_options(request));
    if (source->info().channels > kMostChannels) {
        log_warning(fmt::format("{} has {} channels: numbers of the first {}", source->info().path,
                                source->info().channels, kMostChannels));
    }
    Statistics stats(source->info());
    for_each_block(*source, "reading", [&](const FrameBlock& block) { stats.add(block); });
    deliver(request, stats_text(source->info(), stats), stats_json(source->info(), stats));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_data_stats(const nowcell::Request& request) { return nowcell::show_stats(request); }

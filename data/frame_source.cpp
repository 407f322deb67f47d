#include "data/frame_source.h"

#include "src/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

const std::vector<std::string> kPolicies = {"error", "zero", "mask", "hold"};

std::unique_ptr<FrameFetcher> open_fetcher(const SourceOptions& options) {
    if (options.trust == "readers") return open_readers(options);
    if (options.trust == "direct") return open_direct(options);
    throw Error(ExitCode::usage, fmt::format("data.trust: got '{}', expected readers or direct", options.trust));
}

// Tensors over what a fetcher decodes, with the policy for missing values.
class FetchedSource : public FrameSource {
 public:
    explicit FetchedSource(const SourceOptions& options) : missing_(options.missing) {
        if (std::find(kPolicies.begin(), kPolicies.end(), missing_) == kPolicies.end()) {
            throw Error(ExitCode::usage, fmt::format("data.missing: got '{}', expected one of {}", missing_,
                                                     fmt::join(kPolicies, ", ")));
        }
        fetcher_ = open_fetcher(options);
    }

    const SourceInfo& info() const override { return fetcher_->info(); }

    torch::Tensor read(std::int64_t recording, std::int64_t first, std::int64_t count) const override {
        return read_batch({{recording, first, count}})[0];
    }

    torch::Tensor read_batch(const std::vector<FrameRange>& ranges) const override {
        for (const FrameRange& range : ranges) check(range, ranges.front().count);
        const std::int64_t count = ranges.empty() ? 0 : ranges.front().count;
        const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(ranges.size()), count, info().channels,
                                                 info().height, info().width};
        const Fetched fetched = fetcher_->fetch(ranges);
        torch::Tensor frames = torch::from_blob(
            fetched.values.get(), shape, [keep = fetched.values](void*) {}, torch::kFloat32);
        if (fetched.missing > 0 && missing_ == "error") refuse(frames, ranges, fetched.missing);
        if (fetched.missing > 0 && missing_ == "zero") frames.nan_to_num_(0.0);
        return frames;
    }

 private:
    void check(const FrameRange& range, std::int64_t count) const {
        const auto recordings = static_cast<std::int64_t>(info().frames.size());
        if (range.recording >= 0 && range.recording < recordings && range.first >= 0 && range.count >= 0 &&
            range.count == count &&
            range.count <= info().frames[static_cast<std::size_t>(range.recording)] - range.first) {
            return;
        }
        throw Error(ExitCode::internal,
                    fmt::format("{} frames from {} on of recording {} asked of {}, which has {} such", range.count,
                                range.first, range.recording, info().path, recordings));
    }

    [[noreturn]] void refuse(const torch::Tensor& frames, const std::vector<FrameRange>& ranges,
                             std::int64_t missing) const {
        const float* values = frames.const_data_ptr<float>();
        std::int64_t at = std::find_if(values, values + frames.numel(), [](float v) { return std::isnan(v); }) - values;
        std::int64_t index[5] = {};
        for (int i = 5; i-- > 0; at /= frames.size(i)) index[i] = at % frames.size(i);
        const FrameRange& range = ranges[static_cast<std::size_t>(index[0])];
        throw Error(
            ExitCode::data,
            fmt::format("{} of {} values read from {} are missing or not finite", missing, frames.numel(), info().path),
            position_text(info(), range.recording, range.first + index[1], index[2], index[3], index[4]),
            "--missing mask, or --set data.missing=mask in training, leaves them out of it; hold repeats the last "
            "known value, zero takes 0");
    }

    std::string missing_;
    std::unique_ptr<FrameFetcher> fetcher_;
};

}  // namespace

torch::Tensor FrameSource::read_batch(const std::vector<FrameRange>& ranges) const {
    std::vector<torch::Tensor> out;
    for (const FrameRange& range : ranges) out.push_back(read(range.recording, range.first, range.count));
    return torch::stack(out);
}

std::string position_text(const SourceInfo& info, std::int64_t recording, std::int64_t t, std::int64_t c,
                          std::int64_t y, std::int64_t x) {
    std::string out;
    for (const char letter : info.layout) {
        const std::int64_t at = letter == 'n'   ? recording
                                : letter == 't' ? t
                                : letter == 'c' ? c
                                : letter == 'h' ? y + info.first_row
                                                : x + info.first_column;
        out += fmt::format("{}{}", out.empty() ? "" : ",", at);
    }
    const bool many = info.layout.find('t') == std::string::npos;
    return fmt::format("{}[{}]{}", info.dataset, out, many ? fmt::format(" of frame {}", t) : "");
}

std::unique_ptr<FrameSource> open_source(const SourceOptions& options) {
    return std::make_unique<FetchedSource>(options);
}

}  // namespace nowcell

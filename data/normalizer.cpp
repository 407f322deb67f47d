#include "data/normalizer.h"

#include "data/moments.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace nowcell {
namespace {

constexpr std::int64_t kBlockValues = 4 << 20;  // 16 MiB of float32: the memory of a fit whatever the file holds

// Calls `use` with blocks (t,C,H,W) of the training part.
void for_each_block(const FrameSource& source, const SplitOptions& split,
                    const std::function<void(const torch::Tensor&)>& use) {
    const SourceInfo& info = source.info();
    const std::int64_t frame = info.channels * info.height * info.width;
    const std::int64_t step = std::max<std::int64_t>(1, kBlockValues / std::max<std::int64_t>(1, frame));
    for (const Span& span : part_spans(info, split, Part::train)) {
        for (std::int64_t first = span.begin; first < span.end; first += step) {
            use(source.read(span.recording, first, std::min(step, span.end - first)));
        }
    }
}

[[noreturn]] void fail_empty(const SourceInfo& info) {
    throw Error(ExitCode::data, fmt::format("the train part of {} in {} holds no values", info.dataset, info.path), "",
                "widen data.split.train");
}

double range_of(const Normalizer& normalizer) { return normalizer.max - normalizer.min; }

[[noreturn]] void fail_unknown(const std::string& kind) {
    const std::vector<std::string> kinds = {"minmax", "zscore", "log1p", "none"};
    throw Error(ExitCode::usage, fmt::format("data.normalize: got '{}', expected minmax, zscore, log1p or none", kind),
                "", did_you_mean(kind, kinds));
}

}  // namespace

Normalizer Normalizer::fit(const std::string& kind, const FrameSource& source, const SplitOptions& split) {
    if (kind != "minmax" && kind != "zscore" && kind != "log1p" && kind != "none") fail_unknown(kind);
    Moments moments;
    for_each_block(source, split, [&](const torch::Tensor& block) { moments.add(block); });
    if (moments.count == 0) fail_empty(source.info());
    Normalizer out;
    out.kind = kind;
    out.min = moments.min;
    out.max = moments.max > moments.min ? moments.max : moments.min + 1.0;
    out.mean = moments.mean;
    out.deviation = moments.max > moments.min ? moments.deviation() : 1.0;
    return out;
}

// The logarithm is taken of the distance from the minimum, with its sign: values below the minimum of the training part
// stay finite, and the map stays invertible.
torch::Tensor Normalizer::apply(const torch::Tensor& physical) const {
    if (kind == "minmax") return unit_range(physical);
    if (kind == "zscore") return (physical - mean) / deviation;
    if (kind == "none") return physical;
    if (kind != "log1p") fail_unknown(kind);
    const torch::Tensor above = physical - min;
    return above.sign() * above.abs().log1p() / std::log1p(range_of(*this));
}

torch::Tensor Normalizer::invert(const torch::Tensor& normalized) const {
    if (kind == "minmax") return normalized * range_of(*this) + min;
    if (kind == "zscore") return normalized * deviation + mean;
    if (kind == "none") return normalized;
    if (kind != "log1p") fail_unknown(kind);
    return normalized.sign() * (normalized.abs() * std::log1p(range_of(*this))).expm1() + min;
}

double Normalizer::scale() const {
    if (kind == "log1p") return std::nan("");
    return kind == "minmax" ? max - min : kind == "zscore" ? deviation : 1.0;
}

torch::Tensor Normalizer::unit_range(const torch::Tensor& physical) const { return (physical - min) / range_of(*this); }

torch::Tensor training_mean(const FrameSource& source, const SplitOptions& split) {
    const SourceInfo& info = source.info();
    torch::Tensor sum = torch::zeros({info.channels, info.height, info.width}, torch::kFloat64);
    torch::Tensor count = torch::zeros_like(sum);
    for_each_block(source, split, [&](const torch::Tensor& block) {
        const torch::Tensor valid = block.isfinite();
        sum += block.to(torch::kFloat64).masked_fill(valid.logical_not(), 0.0).sum(0);
        count += valid.sum(0);
    });
    const double values = count.sum().item<double>();
    if (values == 0) fail_empty(info);
    const double overall = sum.sum().item<double>() / values;  // for a pixel that is never seen
    return torch::where(count > 0, sum / count.clamp_min(1), torch::full_like(sum, overall)).to(torch::kFloat32);
}

}  // namespace nowcell

#include "predict/array_cases.h"

#include "data/missing.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>

namespace nowcell {
namespace {

// What is read together.
struct Piece {
    Batch batch;
    std::vector<torch::Tensor> forecasts;
};

[[noreturn]] void fail(const SourceInfo& info, const std::string& what, const std::string& hint = "") {
    throw Error(ExitCode::data, what, fmt::format("{} {}", info.path, info.dataset), hint);
}

// All recordings of an array have one length.
std::int64_t length_of(const SourceInfo& info) {
    for (const std::int64_t frames : info.frames) {
        if (frames != info.frames.front()) fail(info, "samples differ in length");
    }
    return info.frames.front();
}

void check_frames(const SourceInfo& truth, const SourceInfo& forecast, bool ensemble) {
    if (forecast.frames.size() != truth.frames.size()) {
        fail(forecast, fmt::format("got {} samples, the truth has {}", forecast.frames.size(), truth.frames.size()),
             "--forecast-layout and --truth-layout name the dimensions in their stored order, such as tnhw");
    }
    if (forecast.height != truth.height || forecast.width != truth.width) {
        fail(forecast, fmt::format("got frames of {}x{}, the truth has {}x{}", forecast.height, forecast.width,
                                   truth.height, truth.width));
    }
    if (!ensemble && forecast.channels != truth.channels) {
        fail(forecast, fmt::format("got {} channels, the truth has {}", forecast.channels, truth.channels),
             truth.channels == 1 ? "--ensemble when these are members of an ensemble" : "");
    }
}

}  // namespace

struct ArrayCases::Impl {
    std::vector<ForecastArray> forecasts;
    std::unique_ptr<FrameSource> truth;
    ArrayOptions options;
    std::int64_t leads = 0;
    std::int64_t past = 0;
    std::int64_t done = 0;
    std::future<Piece> ahead;
    Piece current;

    std::int64_t samples() const { return static_cast<std::int64_t>(truth->info().frames.size()); }

    torch::Tensor read(const FrameSource& source, std::int64_t begin, std::int64_t end, std::int64_t first,
                       std::int64_t count) const {
        std::vector<FrameRange> ranges;
        for (std::int64_t i = begin; i < end; ++i) ranges.push_back({i, first, count});
        return source.read_batch(ranges);
    }

    Piece piece(std::int64_t begin, std::int64_t count) const {
        const std::int64_t end = std::min(samples(), begin + count);
        Piece out;
        if (begin >= end) return out;
        const torch::Tensor frames = read(*truth, begin, end, 0, past + leads);
        if (past > 0) out.batch.past = frames.narrow(1, 0, past);
        out.batch.target = frames.narrow(1, past, leads);
        out.batch.valid = known_values(out.batch.target);
        out.batch.first = begin;
        for (const ForecastArray& forecast : forecasts) {
            torch::Tensor values = read(*forecast.source, begin, end, 0, leads);
            if (options.ensemble) values = values.transpose(1, 2).unsqueeze(3);
            out.forecasts.push_back(values.contiguous());
        }
        return out;
    }

    void read_ahead() {
        ahead = std::async(std::launch::async, [this, begin = done] { return piece(begin, options.batch); });
    }
};

ArrayCases::ArrayCases(std::vector<ForecastArray> forecasts, std::unique_ptr<FrameSource> truth, ArrayOptions options)
    : impl_(std::make_unique<Impl>()) {
    const SourceInfo& info = truth->info();
    impl_->leads = length_of(forecasts.front().source->info());
    for (const ForecastArray& forecast : forecasts) {
        check_frames(info, forecast.source->info(), options.ensemble);
        const std::int64_t leads = length_of(forecast.source->info());
        if (leads == impl_->leads) continue;
        fail(forecast.source->info(),
             fmt::format("got {} lead times, {} has {}", leads, forecasts.front().name, impl_->leads));
    }
    if (options.ensemble && info.channels != 1) {
        fail(info, fmt::format("got {} channels, expected 1: those of the forecasts are members", info.channels));
    }
    const std::int64_t frames = length_of(info);
    impl_->past = options.truth_start >= 0 ? options.truth_start : frames - impl_->leads;
    if (impl_->past < 0 || impl_->past + impl_->leads > frames) {
        fail(info,
             fmt::format("the truth has {} frames, the forecasts have {} lead times{}", frames, impl_->leads,
                         options.truth_start >= 0 ? fmt::format(" from frame {} on", options.truth_start) : ""),
             frames >= impl_->leads ? fmt::format("--truth-start 0 to {}", frames - impl_->leads) : "");
    }
    impl_->forecasts = std::move(forecasts);
    impl_->truth = std::move(truth);
    impl_->options = options;
    impl_->read_ahead();
}

ArrayCases::~ArrayCases() = default;

std::int64_t ArrayCases::samples() const { return impl_->samples(); }
std::int64_t ArrayCases::leads() const { return impl_->leads; }
std::int64_t ArrayCases::past_frames() const { return impl_->past; }
const SourceInfo& ArrayCases::info() const { return impl_->truth->info(); }

std::vector<Contender> ArrayCases::contenders() const {
    std::vector<Contender> all;
    for (std::size_t i = 0; i < impl_->forecasts.size(); ++i) {
        Contender one{impl_->forecasts[i].name,
                      [impl = impl_.get(), i](const Batch&, std::int64_t) { return impl->current.forecasts[i]; }};
        if (impl_->options.ensemble) one.members = impl_->forecasts[i].source->info().channels;
        all.push_back(std::move(one));
    }
    return all;
}

Batch ArrayCases::sample(std::int64_t index, std::vector<torch::Tensor>& forecasts) const {
    Piece piece = impl_->piece(index, 1);
    forecasts = std::move(piece.forecasts);
    return std::move(piece.batch);
}

bool ArrayCases::next(Batch& batch, std::vector<ForecastTime>& times) {
    impl_->current = impl_->ahead.get();
    if (impl_->current.forecasts.empty()) return false;
    batch = impl_->current.batch;
    for (std::int64_t i = 0; i < batch.target.size(0); ++i) times.push_back({batch.first + i, impl_->past - 1});
    impl_->done += batch.target.size(0);
    impl_->read_ahead();
    return true;
}

}  // namespace nowcell

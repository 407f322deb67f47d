#include "predict/forecast_run.h"

#include "data/loader.h"
#include "data/time_start.h"
#include "predict/stream/context.h"
#include "src/error.h"
#include "src/log.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

namespace nowcell {
namespace {

// What a forecast reads before the first lead time; the baselines of the score table may need more.
WindowOptions forecast_window(const Forecaster& model) {
    WindowOptions window = model.data().window;
    window.paired = false;  // no targets are needed
    window.history = model.history();
    return window;
}

const std::vector<std::int64_t>& breaks_of(const SourceInfo& info, std::int64_t recording) {
    static const std::vector<std::int64_t> none;
    const auto at = static_cast<std::size_t>(recording);
    return at < info.breaks.size() ? info.breaks[at] : none;
}

}  // namespace

ForecastRun::ForecastRun(const Forecaster& model, const FrameSource& source, const ForecastChoice& choice)
    : model_(model),
      source_(source),
      info_(source.info()),
      window_(forecast_window(model)),
      horizon_(choice.horizon.value_or(window_.output_steps)),
      whole_(choice.whole) {
    const auto recordings = static_cast<std::int64_t>(info_.frames.size());
    if (choice.recording && *choice.recording >= recordings) {
        throw Error(ExitCode::data, fmt::format("no recording {}: there are {}", *choice.recording, recordings),
                    info_.path, fmt::format("--recording 0 to {}", recordings - 1));
    }
    for (std::int64_t i = 0; i < recordings; ++i) {
        if (choice.recording && *choice.recording != i) continue;
        whole_ ? find_whole(choice, i) : find_windows(choice, i);
    }
}

void ForecastRun::find_windows(const ForecastChoice& choice, std::int64_t recording) {
    const std::int64_t start = choice.start.value_or(frames_of(recording) - span());
    const std::int64_t first = window_.first_frame(start);
    const std::int64_t last = start + span() - 1;
    const bool there = first >= 0 && last < frames_of(recording) && continuous(info_, recording, first, last);
    if (!there) fail_start(choice, recording);
    origins_.push_back({recording, first, last});
}

void ForecastRun::find_whole(const ForecastChoice& choice, std::int64_t recording) {
    const std::int64_t last = choice.start ? *choice.start + span() - 1 : frames_of(recording) - 1;
    std::int64_t first = 0;
    for (const std::int64_t jump : breaks_of(info_, recording)) {
        if (jump <= last) first = jump;
    }
    const std::int64_t least = (model_.least_history() - 1) * window_.frame_step + 1;
    if (last >= frames_of(recording) || last - first + 1 < least) fail_start(choice, recording);
    origins_.push_back({recording, first, last});
}

void ForecastRun::fail_start(const ForecastChoice& choice, std::int64_t recording) const {
    const std::int64_t before = -window_.first_frame(0);
    const std::int64_t frames = frames_of(recording);
    const std::string extra = before > 0 ? fmt::format(" after {} earlier ones for its {} baseline", before,
                                                       model_.network().options().guides().front())
                                         : "";
    const std::string apart =
        window_.frame_step > 1 ? fmt::format(" that are {} frames apart", window_.frame_step) : "";
    const std::int64_t last = frames - span();
    const std::size_t jumps = breaks_of(info_, recording).size();
    throw Error(
        ExitCode::data,
        fmt::format("recording {} has {} frames{}: the model needs {} input frames{}{}{}", recording, frames,
                    jumps > 0 ? fmt::format(" with {} jumps of time", jumps) : "",
                    whole_ && !choice.start ? model_.least_history() : window_.input_steps, apart, extra,
                    choice.start ? fmt::format(" from frame {} on", *choice.start) : ""),
        info_.path,
        choice.start && last >= before ? fmt::format("--start {} to {}", before, last) : "give a longer recording");
}

ForecastShape ForecastRun::shape() const {
    return {static_cast<std::int64_t>(origins_.size()), horizon_, info_.channels, info_.height, info_.width};
}

double ForecastRun::step_s() const { return info_.step_s * static_cast<double>(window_.frame_step); }

ForecastRecord ForecastRun::record() const {
    ForecastRecord record;
    record.units = info_.units;
    record.step_s = step_s();
    record.source = info_.path;
    record.calendar = info_.calendar;
    record.channel_order = info_.channel_order;
    for (const Origin& origin : origins_) {
        record.last_input.push_back(static_cast<double>(origin.last));
        record.recordings.push_back(origin.recording);
    }
    // The start is that of one recording, up to where time first jumps.
    const std::optional<double> start = start_seconds(info_);
    const bool known = start && info_.step_s > 0.0 && info_.frames.size() == 1 && origins_.size() == 1;
    if (known && continuous(info_, 0, 0, origins_.front().last)) {
        record.last_input_s = {*start + static_cast<double>(origins_.front().last) * info_.step_s};
    }
    return record;
}

void ForecastRun::make(const Use& use) const {
    // LibTorch's convolutions add in another order for a larger batch: alone, a recording has the bits of a stream.
    const bool alone = whole_ || model_.device().is_cpu();
    const auto together = alone ? std::size_t{1} : static_cast<std::size_t>(model_.config().integer("eval.batch"));
    ProgressLine progress;
    for (std::size_t begin = 0; begin < origins_.size(); begin += together) {
        const std::size_t end = std::min(origins_.size(), begin + together);
        make_batch(begin, end, [&](std::int64_t first, std::int64_t lead, const torch::Tensor& frames) {
            use(first, lead, frames);
            const std::string leads = fmt::format(", lead time {} of {}", lead + frames.size(1), horizon_);
            progress.update(fmt::format("forecast {} of {} recordings{}", end, origins_.size(), leads));
        });
    }
}

void ForecastRun::make_batch(std::size_t begin, std::size_t end, const Use& use) const {
    const std::int64_t block = leads_together(shape());
    const auto pieces = [&](const auto& next) {
        for (std::int64_t lead = 0; lead < horizon_; lead += block) {
            const std::int64_t leads = std::min(block, horizon_ - lead);
            use(static_cast<std::int64_t>(begin), lead, next(lead, leads));
        }
    };
    const auto rolled = [&](Rollout rollout) {
        pieces([&](std::int64_t, std::int64_t leads) { return rollout.next(leads); });
    };
    if (whole_) return rolled(after_all_frames(origins_[begin]));
    std::vector<Window> windows;
    for (std::size_t i = begin; i < end; ++i) {
        windows.push_back({origins_[i].recording, origins_[i].last + 1 - span()});
    }
    const torch::Tensor past = read_windows(source_, window_, windows, false).past;
    if (!model_.network().options().looks_ahead()) return rolled(model_.start(past));
    const torch::Tensor frames = model_.forecast(past, horizon_);  // which can only be made whole
    pieces([&](std::int64_t lead, std::int64_t leads) { return frames.narrow(1, lead, leads); });
}

// As a stream reads them.
Rollout ForecastRun::after_all_frames(const Origin& origin) const {
    constexpr std::int64_t kReadTogether = 16;
    const std::unique_ptr<Context> context = whole_context(model_);
    for (std::int64_t at = origin.first; at <= origin.last; at += kReadTogether) {
        const std::int64_t count = std::min(kReadTogether, origin.last + 1 - at);
        const torch::Tensor block = source_.read(origin.recording, at, count);
        for (std::int64_t i = 0; i < count; ++i) context->observe(block[i].clone(), false);
    }
    return context->start();
}

torch::Tensor ForecastRun::frames(std::int64_t recording, std::int64_t first, std::int64_t count) const {
    std::vector<torch::Tensor> all;
    for (std::int64_t i = 0; i < count; ++i) {
        all.push_back(source_.read(recording, first + i * window_.frame_step, 1));
    }
    return all.empty() ? torch::Tensor() : at::cat(all);
}

torch::Tensor ForecastRun::input_of(const Origin& origin) const {
    const std::int64_t count = std::min((origin.last - origin.first) / window_.frame_step + 1, window_.input_steps);
    return frames(origin.recording, origin.last - (count - 1) * window_.frame_step, count);
}

torch::Tensor ForecastRun::truth_of(const Origin& origin, std::int64_t most) const {
    std::int64_t count = 0;
    for (; count < most; ++count) {
        const std::int64_t next = origin.last + (count + 1) * window_.frame_step;
        if (next >= frames_of(origin.recording) || !continuous(info_, origin.recording, origin.last, next)) break;
    }
    return frames(origin.recording, origin.last + window_.frame_step, count);
}

}  // namespace nowcell

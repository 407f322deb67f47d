// Forecasts from frames that come one at a time, some of them late, twice, damaged or not at all.
#pragma once

#include "predict/stream/context.h"
#include "predict/stream/stream_clock.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

struct StreamOptions {
    std::int64_t horizon = 0;  ///< lead times of a forecast; 0: the output steps of training
    std::string context =
        "window";                  ///< "window": the last frames, as predict reads; "all": every frame since the start
    std::int64_t min_input = 0;    ///< steps before the first forecast; 0: all that the model was trained on
    std::string gap = "fill";      ///< missing steps: "fill" by the model's forecast, "hold" the last frame, "reset"
    std::int64_t longest_gap = 3;  ///< steps in a row that are filled; more: the stream starts over
    double most_missing = 1.0;     ///< a frame with this share of missing values, or more, is a missing frame
    double step = 0.0;             ///< see StreamClock
    std::optional<FrameSize> frame;  ///< nothing: the size of training
};

/// What became of a frame. `result`: "accepted"; "filled": it is missing, and another stands for it; "rejected": the
/// stream is as it was, or has started over. Flags are the words of the table in predict/stream/README.md.
struct Observation {
    std::string result;
    std::vector<std::string> flags;
    std::string detail = {};          ///< a sentence for people; may be empty
    double missing = 0.0;             ///< share of its values, 0..1
    std::int64_t filled_steps = 0;    ///< missing steps in front of it, or it itself, that were filled
    std::int64_t steps = 0;           ///< that a forecast is now made from
    std::int64_t context_filled = 0;  ///< frames of these, and of the history behind them, that stand for missing ones
    bool ready = false;               ///< there is a new forecast to be made
};

/// Why frames cannot be taken.
struct Refusal {
    std::string flag;
    std::string detail;
};

/// How many frames were offered since the beginning of the stream, and what became of them.
struct StreamCounts {
    std::int64_t offered = 0;
    std::int64_t accepted = 0;
    std::int64_t filled = 0;
    std::int64_t rejected = 0;
};

/// One stream. Reads no files and no clock: the same frames in the same order give the same forecasts.
class Stream {
 public:
    /// The forecaster outlives the stream. Throws Error(usage) on options that do not fit it.
    Stream(const Forecaster& forecaster, StreamOptions options);

    /// Whether frames of that kind are this stream's; units "1": not known.
    std::optional<Refusal> misfit(std::int64_t channels, const FrameSize& size, const std::string& units = "1") const;

    /// Takes the next frame. values: (C,H,W) float32 in physical units on the CPU; missing: NaN or infinite. They are
    /// kept and must not change. after_jump: an unknown time has passed since the frame before.
    Observation observe(torch::Tensor values, const std::optional<FrameTime>& time = {}, bool after_jump = false);

    /// Counts a frame that is none: of another size, unreadable, ...
    Observation reject(const Refusal& why);

    /// Whether forecast() can be called.
    bool ready() const { return context_->steps() >= needed_; }

    /// The lead times after the newest step, (horizon,C,H,W) float32 in physical units.
    torch::Tensor forecast() const { return context_->forecast(options_.horizon); }

    const StreamCounts& counts() const { return counts_; }
    const StreamOptions& options() const { return options_; }
    std::int64_t needed_steps() const { return needed_; }

    /// All that later forecasts depend on. `model`: what names the model, kept beside it.
    SafeTensors save(const std::string& model) const;

    /// Goes on from what save() gave; `path` stands for it in messages. Throws Error(model) when it is of another
    /// model, frame size or kind of context.
    void load(const SafeTensors& saved, const std::string& model, const std::string& path);

 private:
    Observation observation(std::string result, std::vector<std::string> flags, std::string detail = "");
    bool fill(std::int64_t steps);
    bool start_over(std::vector<std::string>& flags);
    double missing_share(torch::Tensor& values) const;
    std::string shape_text() const;

    const Forecaster& forecaster_;
    StreamOptions options_;
    FrameSize frame_;
    std::int64_t needed_;
    std::unique_ptr<Context> context_;
    StreamClock clock_;
    StreamCounts counts_;
    std::int64_t filled_in_a_row_ = 0;
    std::uint64_t last_hash_ = 0;
};

/// What names a model in a saved state: a hash of its weights and of what turns their output into physical values.
std::string identity_of(const Forecaster& forecaster);

}  // namespace nowcell

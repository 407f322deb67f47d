// Forecasts of the recordings of one source, made piece by piece: what `nowcell predict` does.
#pragma once

#include "data/frame_source.h"
#include "predict/forecast_file.h"
#include "predict/forecaster.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// What to forecast of a source.
struct ForecastChoice {
    std::optional<std::int64_t> start = {};      ///< first frame of the input; not set: the last input of a recording
    std::optional<std::int64_t> recording = {};  ///< not set: all
    std::optional<std::int64_t> horizon = {};    ///< not set: the output steps of training
    bool whole = false;  ///< the network reads every frame up to the end of the input, one by one, from zeros
};

/// Where a forecast begins.
struct Origin {
    std::int64_t recording = 0;
    std::int64_t first = 0;  ///< first frame that is read
    std::int64_t last = 0;   ///< last frame of the input; lead time 1 is one step later
};

/// The forecasts of one source. Memory does not depend on horizon and recordings.
class ForecastRun {
 public:
    /// model and source outlive it. Throws Error(data) where a recording is too short.
    ForecastRun(const Forecaster& model, const FrameSource& source, const ForecastChoice& choice);

    const std::vector<Origin>& origins() const { return origins_; }
    ForecastShape shape() const;
    /// Units, times and recordings; without what the run does not know: model and history.
    ForecastRecord record() const;

    /// frames (B,n,C,H,W), physical units, of origins [first, first + B) and lead times [lead, lead + n) from 0. Pieces
    /// are as long as leads_together(shape()) says; the lead times of an origin come in order.
    using Use = std::function<void(std::int64_t first, std::int64_t lead, const torch::Tensor& frames)>;
    void make(const Use& use) const;

    /// Frames of the input, (n,C,H,W), n <= T_in, oldest first, and the true frames of at most `most` lead times,
    /// (m,C,H,W), where the recording has them without a jump; undefined where it has none.
    torch::Tensor input_of(const Origin& origin) const;
    torch::Tensor truth_of(const Origin& origin, std::int64_t most) const;

    double step_s() const;  ///< of lead times; 0: not known

 private:
    void find_windows(const ForecastChoice& choice, std::int64_t recording);
    void find_whole(const ForecastChoice& choice, std::int64_t recording);
    [[noreturn]] void fail_start(const ForecastChoice& choice, std::int64_t recording) const;
    std::int64_t frames_of(std::int64_t recording) const { return info_.frames[static_cast<std::size_t>(recording)]; }
    std::int64_t span() const { return window_.reach(window_.input_steps); }
    torch::Tensor frames(std::int64_t recording, std::int64_t first, std::int64_t count) const;
    void make_batch(std::size_t begin, std::size_t end, const Use& use) const;
    Rollout after_all_frames(const Origin& origin) const;

    const Forecaster& model_;
    const FrameSource& source_;
    const SourceInfo& info_;
    WindowOptions window_;
    std::int64_t horizon_;
    bool whole_;
    std::vector<Origin> origins_;
};

}  // namespace nowcell

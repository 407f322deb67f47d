// A trained network with all that turns physical past frames into physical forecasts.
#pragma once

#include "data/baseline.h"
#include "data/data_options.h"
#include "data/normalizer.h"
#include "predict/rollout.h"
#include "src/checkpoint.h"
#include "src/sequence_model.h"

#include <memory>
#include <string>

namespace nowcell {

/// What a network was trained on; stored in the checkpoint beside the weights.
struct TrainedOn {
    std::int64_t channels = 1;
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::string units = "1";
    double step_s = 0.0;
    std::string path;
    std::string dataset;
    std::string fingerprint;

    FrameSize frame() const { return {height, width}; }

    /// True when a source is the one that was trained on.
    bool is(const SourceInfo& info) const { return info.fingerprint == fingerprint && info.dataset == dataset; }
};

/// Input and guides of a batch in model units, on the network's device; see SequenceModel::forecast.
struct Prepared {
    torch::Tensor input;   ///< (B,T_in,C,H,W), missing values filled as data.missing says
    torch::Tensor guides;  ///< (B,horizon,G C,H,W), or undefined
};

/// Forecasts in physical units from frames in physical units.
class Forecaster {
 public:
    Forecaster(Config config, std::shared_ptr<SequenceModel> network, Normalizer normalizer, BaselineOptions baselines,
               TrainedOn trained_on, torch::Device device);

    /// `model`: RUN or FILE as users type it. overrides: "key=value" in place of what the run was configured with.
    /// Throws Error(model).
    static Forecaster load(const std::string& model, torch::Device device,
                           const std::vector<std::string>& overrides = {});

    /// The same from a checkpoint that has been read and its resolved configuration; `path` stands for it in messages.
    static Forecaster from(const Checkpoint& checkpoint, const std::string& path, torch::Device device, Config config);

    /// Everything load() needs.
    void put(Checkpoint& checkpoint) const;

    /// past: (B,P,C,H,W) float32, P >= least_history(), NaN where a value is missing. Returns (B,horizon,C,H,W) float32
    /// on the CPU, without missing values.
    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const;

    /// The same as a forecast in progress, of any length. past: as forecast(). This must outlive it.
    Rollout start(const torch::Tensor& past) const;

    /// Reads frames one by one after those that `memory` holds (none: from zeros). frames: (B,n,C,H,W) float32,
    /// physical units; NaN where a value is missing, for which the mean stands in, or what the caller holds. Not for a
    /// network with model.relative, which has no level before its input ends: Throws Error(model).
    void read(const torch::Tensor& frames, SequenceMemory& memory) const;

    /// A forecast in progress from frames that read() has read. past: the last of them, (B,P,C,H,W),
    /// P >= least_history(). This must outlive it.
    Rollout go_on(const SequenceMemory& memory, const torch::Tensor& past) const;

    /// guides: what guide_frames() gives, or undefined: it is called.
    Prepared prepare(const torch::Tensor& past, std::int64_t horizon, torch::Tensor guides = {}) const;

    /// The forecasts of the network's guides, one behind the other along the channels: (B,horizon,G C,H,W), physical
    /// units, on the CPU; undefined when it has none. May be called from any thread.
    torch::Tensor guide_frames(const torch::Tensor& past, std::int64_t horizon) const;

    const std::vector<std::unique_ptr<Baseline>>& guides() const { return guides_; }
    std::int64_t history() const;        ///< past frames that a forecast is made from: T_in, or more for its guides
    std::int64_t least_history() const;  ///< that its guides need, at least 1; from fewer than T_in it forecasts too
    const Config& config() const { return config_; }
    const DataOptions& data() const { return data_; }
    const Normalizer& normalizer() const { return normalizer_; }
    const BaselineOptions& baselines() const { return baselines_; }
    const TrainedOn& trained_on() const { return trained_on_; }
    SequenceModel& network() const { return *network_; }
    torch::Device device() const { return device_; }

    /// Refuses frames of other channels, or of a size that the network cannot read. Throws Error(data).
    void check_source(const SourceInfo& info) const;

 private:
    torch::Tensor input_of(const torch::Tensor& past) const;  // model units, on the device

    Config config_;
    DataOptions data_;
    std::shared_ptr<SequenceModel> network_;
    Normalizer normalizer_;
    BaselineOptions baselines_;
    std::vector<std::unique_ptr<Baseline>> guides_;
    TrainedOn trained_on_;
    torch::Device device_;
};

}  // namespace nowcell

// The network of a configuration: past frames in, the next frames out, all in model units.
#pragma once

#include "src/rollout.h"
#include "src/stack.h"

#include <memory>
#include <optional>
#include <string>

namespace nowcell {

/// What a loss compares; both (B,T,C,H,W), T as the strategy teaches.
struct Supervised {
    torch::Tensor prediction;
    torch::Tensor target;
    std::int64_t first = 0;  ///< which frame the first one is, counted from the first of the input
};

/// What a training step shows a network, in model units.
struct Lesson {
    torch::Tensor input;        ///< (B,T_in,C,H,W)
    torch::Tensor target;       ///< (B,T_out,C,H,W): the frames after the input, what is taught
    torch::Tensor guides = {};  ///< (B,T_out,G C,H,W), or undefined
    /// (B,T_in+T_out-1) bool on the CPU: whether step s shows the true frame s, else the network's own forecast of it;
    /// column 0 is true. Undefined: next-frame shows every true frame, a decoder none. A decoder reads the columns
    /// from T_in on; one with guides sees no frames, so none.
    torch::Tensor shown = {};
    torch::Tensor seen = {};  ///< (B,T_out,C,H,W): what is shown in place of target; undefined: target itself
};

/// A stack of recurrent layers with a head, and a strategy for using it.
class SequenceModel : public torch::nn::Module {
 public:
    /// frame: of the data; kept where the options tie the network to it.
    SequenceModel(std::int64_t channels, ModelOptions options, const std::optional<FrameSize>& frame);

    /// Reads a window from its first frame on, in one sweep. input: (B,T_in,C,H,W), T_in >= 1; the level of a relative
    /// network is its last frame. Throws c10::ValueError on shapes that do not fit, see misfit().
    SequenceMemory begin(const torch::Tensor& input);

    /// Reads frames (B,n,C,H,W), n >= 1, after those that `memory` holds (none: from zeros), one by one: any way of
    /// cutting a sequence into pieces gives the same bits. Throws c10::ValueError on shapes that do not fit, for a
    /// relative network, which has no level before its input ends, and for a memory that advance() has used.
    void observe(const torch::Tensor& frames, SequenceMemory& memory);

    /// The next `leads` lead times, closed loop: no frame after those read is seen. guides: (B,leads,G C,H,W) of these
    /// lead times, the frames of the options().guides() baselines one behind the other along the channels; undefined
    /// when there are none. Returns (B,leads,C,H,W); n calls for one lead time give the bits of one call for n.
    /// Throws c10::ValueError on shapes that do not fit, and where options().looks_ahead().
    torch::Tensor advance(SequenceMemory& memory, const torch::Tensor& guides, std::int64_t leads);

    /// begin() and advance() in one; the only way where options().looks_ahead().
    virtual torch::Tensor forecast(const torch::Tensor& input, const torch::Tensor& guides, std::int64_t horizon);

    /// What training compares. Gradients flow through own forecasts that are shown.
    /// Throws c10::ValueError on shapes that do not fit.
    virtual Supervised supervised(const Lesson& lesson) = 0;

    /// Why the network cannot read frames of that size; nothing when it can.
    std::optional<Problem> misfit(const FrameSize& frame) const { return nowcell::misfit(options_, frame, frame_); }

    /// From now on forecasts go in tiles of (about) that size, each step through all layers before the next: what is
    /// there at once is the frames, the states and the work of a tile. Equal to whole frames but for rounding.
    /// Throws Error(usage) where a layer needs whole frames.
    void set_tiling(const Tiling& tiling);

    const ModelOptions& options() const { return options_; }
    /// The only frame size that the network reads; nothing: any that fits.
    const std::optional<FrameSize>& frame() const { return frame_; }
    std::int64_t channels() const { return channels_; }
    std::int64_t parameter_count() const;

 protected:
    /// Frames (B,n,C,H,W) in one sweep, after what memory holds.
    virtual void read(const torch::Tensor& frames, SequenceMemory& memory) = 0;
    /// The next lead time (B,1,C,H,W); guides (B,1,G C,H,W) of it, or undefined. The caller counts memory.leads.
    virtual torch::Tensor next(SequenceMemory& memory, const torch::Tensor& guides) = 0;

    torch::Tensor fold(const torch::Tensor& frames) const;    ///< (B,T,C,H,W) -> (B,T,C p p,H/p,W/p)
    torch::Tensor unfold(const torch::Tensor& frames) const;  ///< the inverse
    void check_frames(const torch::Tensor& frames, const char* what, std::int64_t channels) const;

    /// The layers of the options. frames_seen: frames that they read per step, along the channels.
    std::shared_ptr<LayerStack> make_stack(std::int64_t frames_seen) const;
    /// The same, of which the states alone are wanted: its last layer has neither norm nor residual.
    std::shared_ptr<LayerStack> make_encoder() const;
    /// The same for a decoder, which goes from the coarsest scale to the finest where there are several.
    std::shared_ptr<LayerStack> make_decoder(std::int64_t frames_seen) const;
    std::shared_ptr<Head> make_head(const LayerStack& stack) const;

    /// The guides (B,horizon,G C,H,W) as a network sees them: relative to `level` (undefined: as they are), folded.
    torch::Tensor seen_guides(const torch::Tensor& guides, const torch::Tensor& level, std::int64_t horizon) const;
    /// What the head gave, unfolded: added to the corrected guide, or to the level.
    torch::Tensor completed(const torch::Tensor& frames, const torch::Tensor& guides, const torch::Tensor& level) const;

    std::int64_t folded_channels() const { return channels_ * options_.patch * options_.patch; }

 private:
    std::optional<FrameSize> folded_frame() const;

    std::int64_t channels_;
    ModelOptions options_;
    std::optional<FrameSize> frame_;
};

/// Builds the network that the options describe. channels: C of the data; frame: its size, which a network with an
/// options.tie() is built for; any other reads every size that fits. Throws c10::ValueError when it is needed and
/// absent.
std::shared_ptr<SequenceModel> make_sequence_model(std::int64_t channels, const ModelOptions& options,
                                                   const std::optional<FrameSize>& frame = {});

}  // namespace nowcell

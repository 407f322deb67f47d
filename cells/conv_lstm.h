// A ConvLSTM layer.
#pragma once

#include "cells/algorithm.h"
#include "cells/recurrent_layer.h"

namespace nowcell {

enum class Peephole {
    none,
    channel,  ///< one weight per hidden channel: any frame size
    pixel,    ///< one per hidden unit, as in the paper: ties the layer to a frame size
};

enum class GateNorm {
    none,
    channels,  ///< over the 4F gate channels of each pixel: any frame size
    frame,     ///< over (4F,size...): ties the layer to a frame size
};

enum class NormOn {
    parts,  ///< the input part and the recurrent part, each with its own scale and shift (OpenSTL)
    sum,    ///< their sum
};

Peephole peephole_from(const std::string& name);   ///< none, channel, pixel; throws c10::ValueError
GateNorm gate_norm_from(const std::string& name);  ///< none, channels, frame; throws c10::ValueError
NormOn norm_on_from(const std::string& name);      ///< parts, sum; throws c10::ValueError

/// The shape of a layer.
struct ConvLstmOptions : RecurrentOptions {
    double forget_bias = 1.0;  ///< initial bias of the forget gate
    Peephole peephole = Peephole::none;
    GateNorm norm = GateNorm::none;
    NormOn norm_on = NormOn::parts;
    double zoneout_cell = 0.0;  ///< chance that a cell state keeps its old value
    Algorithm algorithm = Algorithm::automatic;
    std::vector<std::int64_t> frame = {};  ///< size of the input frame; for Peephole::pixel and GateNorm::frame
};

/// One ConvLSTM layer over a sequence. Parameters: `input` (4F,C,kernel...), `hidden` (4F,F,kernel...), `bias` (4F),
/// gates i, f, g, o; where the options ask for them `peephole` (3,F,size'...) or (3,F,1...) for i, f, o, and
/// `norm_input_scale`, `norm_input_shift`, `norm_hidden_scale`, `norm_hidden_shift` (4F) or (4F,size'...) (on the sum:
/// the input pair alone). Initialised as Keras does: Glorot-uniform on the fused shape, orthogonal recurrent kernel,
/// zero bias but for f; peepholes zero. The bias is part of the input part, before its norm.
class ConvLstm : public RecurrentLayer {
 public:
    /// Throws c10::ValueError on options that make no layer.
    explicit ConvLstm(const ConvLstmOptions& options);

    const ConvLstmOptions& options() const { return options_; }
    const ConvLstmWeights& weights() const { return weights_; }

 private:
    torch::Tensor sequence(const torch::Tensor& x, State& state, const SequenceNoise& noise,
                           const SequenceOrder& order) override;
    double zoneout_cell() const override { return options_.zoneout_cell; }
    std::vector<std::int64_t> state_size(const char* option) const;
    void add_peephole();
    void add_norm();

    ConvLstmOptions options_;
    ConvLstmWeights weights_;
};

}  // namespace nowcell

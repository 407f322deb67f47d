// What a network is made of and what it costs, by arithmetic: nothing is built and no random number drawn.
#pragma once

#include "src/frame_size.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// Channels and size of frames or hidden states.
struct FrameShape {
    std::int64_t channels = 0;
    FrameSize size = {};

    std::int64_t values() const { return channels * size.height * size.width; }
    std::string text() const;  ///< "CxHxW"
};

/// What a training step works on.
struct TrainingShape {
    FrameShape frame;
    std::int64_t batch = 1;
    std::int64_t input_steps = 10;
    std::int64_t output_steps = 10;
};

/// One part of a network: a recurrent layer, a norm, a convolution.
struct PartSummary {
    std::string name;  ///< as the names of its parameters begin: "encoder.layer0"
    std::string kind;  ///< "conv_lstm 3x3"
    FrameShape input;
    FrameShape output;
    std::int64_t parameters = 0;
    std::int64_t statistics = 0;  ///< numbers that training gathers beside the parameters
    std::int64_t macs = 0;        ///< multiply-accumulates of the convolutions per frame that it reads
    std::int64_t steps = 0;       ///< frames that it reads in a training step, per window
    std::int64_t kept = 0;        ///< numbers that the backward pass needs, of the same
};

/// Pixels of the input that the middle of the first forecast frame can depend on, at most; the frame's rim cuts it.
struct ReceptiveField {
    FrameSize newest;          ///< of the newest input frame
    FrameSize oldest;          ///< of the first of input_steps frames
    bool whole_frame = false;  ///< a norm over the frame lets every pixel see all others
};

/// Bytes of a training step in float32: an estimate, without what the convolution library takes for itself.
struct MemoryEstimate {
    std::int64_t weights = 0;
    std::int64_t gradients = 0;
    std::int64_t optimizer = 0;    ///< two numbers per parameter, as Adam
    std::int64_t activations = 0;  ///< kept for the backward pass, and the gradients that flow through the largest part
    std::int64_t frames = 0;       ///< input, target and forecast

    std::int64_t total() const { return weights + gradients + optimizer + activations + frames; }
};

struct ModelSummary {
    std::vector<PartSummary> parts;
    std::int64_t parameters = 0;
    std::int64_t statistics = 0;
    std::int64_t macs = 0;  ///< forward, of one window in training
    ReceptiveField field;
    MemoryEstimate memory;
};

/// The frame must fit the network, see misfit().
ModelSummary summarize(const ModelOptions& options, const TrainingShape& shape);

}  // namespace nowcell

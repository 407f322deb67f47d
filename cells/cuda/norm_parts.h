// What the files of the norm kernels share: numbers that are normalised together, and the sums of their parts.
#pragma once

#include "cells/cuda/norm.h"
#include "cells/cuda/planner.h"

namespace nowcell::cuda {

/// Frames, or rows of channels: `count` spans of `length` numbers, per_item of them in each item of the batch.
struct NormSpans {
    std::uint32_t count = 0, per_item = 1, length = 0;
    std::uint32_t parts = 1, chunk = 0;  ///< of norm_parts
};
NormSpans norm_spans(const StepShape& shape, NormOver over);
/// Whether all indices fit 32 bits.
bool norm_fits(const StepShape& shape);

/// Whether the row fits the registers of the kernels below.
bool norm_rows_fit(const StepShape& shape, Storage storage, bool packs);
cudaError_t norm_rows_forward(const NormForward& call, bool packs, cudaStream_t stream);
cudaError_t norm_rows_backward(const NormBackward& call, bool packs, cudaStream_t stream);

/// Means and squared deviations of the parts of every span of x + addend, into a workspace (count,parts,2).
struct NormMoments {
    NormSpans spans;
    Frames<const void> x, addend;
    float* partials = nullptr;
};
cudaError_t norm_moments(const NormMoments& call, Storage storage, bool packs, cudaStream_t stream);
cudaError_t norm_spans_forward(const NormForward& call, bool packs, cudaStream_t stream);
cudaError_t norm_spans_backward(const NormBackward& call, bool packs, cudaStream_t stream);

}  // namespace nowcell::cuda

// Which kernels normalise: rows in registers, or spans in two stages.
#include "cells/cuda/norm.h"

#include "cells/cuda/norm_parts.h"

#include <algorithm>

namespace nowcell::cuda {
namespace {

std::int64_t channels_of(const StepShape& shape) { return 4 * static_cast<std::int64_t>(shape.filters); }

bool in_packs(const NormSpans& spans, Storage storage, std::initializer_list<Frames<const void>> frames,
              std::initializer_list<const float*> parameters) {
    const std::size_t bytes = element_bytes(storage);
    return moves_packs(storage, spans.length) &&
           std::all_of(frames.begin(), frames.end(),
                       [&](const auto& f) { return !f || is_aligned(f.data, f.batch, bytes); }) &&
           std::all_of(parameters.begin(), parameters.end(),
                       [](const float* p) { return is_aligned(p, 0, sizeof(float)); });
}

}  // namespace

NormSpans norm_spans(const StepShape& shape, NormOver over) {
    NormSpans spans;
    const std::int64_t pixels = over == NormOver::pixel ? shape.pixels() : 1;
    const std::int64_t length = over == NormOver::pixel ? channels_of(shape) : shape.pixels() * channels_of(shape);
    spans.per_item = static_cast<std::uint32_t>(pixels);
    spans.count = static_cast<std::uint32_t>(pixels * shape.batch);
    spans.length = static_cast<std::uint32_t>(length);
    const NormParts parts = norm_parts(length);
    spans.parts = parts.parts, spans.chunk = parts.chunk;
    return spans;
}

bool norm_fits(const StepShape& shape) { return frame_fits(shape, channels_of(shape)) && product_fits(shape); }

std::size_t norm_workspace_bytes(const StepShape& shape, NormOver over) {
    const NormSpans spans = norm_spans(shape, over);
    const std::size_t sums = 2 * sizeof(float) * spans.length;
    // Backward over spans: four numbers for each part, then the sums of groups.
    const std::size_t in_two_stages =
        4 * sizeof(float) * spans.count * spans.parts + sums * norm_groups(spans.length, spans.count);
    const std::size_t in_registers =
        over == NormOver::pixel ? sums * static_cast<std::size_t>(sum_blocks(spans.count)) : 0;
    return std::max(in_two_stages, in_registers);
}

cudaError_t norm_forward(const NormForward& a, cudaStream_t stream) {
    if (!norm_fits(a.shape)) return cudaErrorInvalidValue;
    const bool packs = in_packs(norm_spans(a.shape, a.over), a.storage, {a.x, a.addend, a.y}, {a.scale, a.shift});
    if (a.over == NormOver::pixel && norm_rows_fit(a.shape, a.storage, packs))
        return norm_rows_forward(a, packs, stream);
    return norm_spans_forward(a, packs, stream);
}

cudaError_t norm_backward(const NormBackward& a, cudaStream_t stream) {
    if (!norm_fits(a.shape) || (a.d_scale == nullptr) != (a.d_shift == nullptr)) return cudaErrorInvalidValue;
    const bool packs = in_packs(norm_spans(a.shape, a.over), a.storage, {a.x, a.addend, a.d_y, a.d_x},
                                {a.scale, a.d_scale, a.d_shift});
    if (a.over == NormOver::pixel && norm_rows_fit(a.shape, a.storage, packs))
        return norm_rows_backward(a, packs, stream);
    return norm_spans_backward(a, packs, stream);
}

}  // namespace nowcell::cuda

#include "cells/noise.h"

#include <ATen/ATen.h>

namespace nowcell {

torch::Tensor keep_at(const torch::Tensor& keep, std::int64_t step) {
    return keep.select(1, keep.size(1) == 1 ? 0 : step);
}

torch::Tensor keep_old(const torch::Tensor& keep, std::int64_t step, const torch::Tensor& old,
                       const torch::Tensor& next) {
    if (!keep.defined()) return next;
    const torch::Tensor share = keep_at(keep, step);
    // Not a lerp: shares of 0 and 1 must give the one or the other exactly.
    const torch::Tensor renewed = (1 - share) * next;
    return old.defined() ? share * old + renewed : renewed;
}

}  // namespace nowcell

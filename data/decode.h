// Stored numbers to physical values.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace nowcell {

/// How numbers are packed: value = stored * scale + offset, unless stored is one of the fills.
struct Packing {
    double scale = 1.0;
    double offset = 0.0;
    std::vector<double> fills;
    float missing_as = 0.0F;  ///< what takes the place of a missing or non-finite value
};

/// Values, with what was missing or not finite replaced and counted.
struct Decoded {
    torch::Tensor values;  ///< float32, the shape of what was stored
    std::int64_t missing = 0;
    std::int64_t first_missing = -1;  ///< position in the flattened tensor
};

/// stored: integer of 8 to 64 bits, float32 or float64, contiguous, any shape. Computes in double.
Decoded decode(const torch::Tensor& stored, const Packing& packing);

}  // namespace nowcell

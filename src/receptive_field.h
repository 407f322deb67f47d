// How far a forecast sees.
#pragma once

#include "src/model_summary.h"

namespace nowcell {

/// Of the first forecast frame, for `input_steps` frames of input.
ReceptiveField receptive_field(const ModelOptions& options, std::int64_t input_steps);

}  // namespace nowcell

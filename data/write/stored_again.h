// Physical values back to the integers that they were decoded from.
#pragma once

#include "data/formats/source_info.h"

#include <torch/types.h>

#include <optional>
#include <string>

namespace nowcell {

/// Inverts the packing of a source: stored = (value - offset) / scale, a missing value is the fill.
class StoredAgain {
 public:
    explicit StoredAgain(const SourceInfo& info);

    /// The type of the values that come back: that of the source for integers, else float32.
    torch::ScalarType type() const { return type_; }
    bool exact() const { return type_ != torch::kFloat32; }

    /// The stored values of frames, in their shape; nullopt when a value is not that of exactly one stored integer, or
    /// is missing where there is no fill. float32 comes back as it is.
    std::optional<torch::Tensor> of(const torch::Tensor& frames) const;

 private:
    torch::ScalarType type_;
    double scale_, offset_;
    std::optional<double> fill_;
};

}  // namespace nowcell

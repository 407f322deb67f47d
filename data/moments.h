// Statistics of values that arrive in blocks.
#pragma once

#include <torch/types.h>

#include <limits>

namespace nowcell {

/// Count, mean, squared deviations and range of finite values, merged block by block: exact where the sum of squares
/// would cancel, as for temperatures in kelvins. Source: Chan, Golub & LeVeque, "Updating formulae and a pairwise
/// algorithm for computing sample variances", 1979.
struct Moments {
    double count = 0;
    double mean = 0;
    double squares = 0;  ///< sum of squared distances from the mean
    double min = std::numeric_limits<double>::infinity();
    double max = -std::numeric_limits<double>::infinity();

    void add(const torch::Tensor& block);  ///< float32 of any shape; NaN and infinities are passed over
    void merge(const Moments& other);
    double deviation() const;  ///< of the population; 0 without values
};

}  // namespace nowcell

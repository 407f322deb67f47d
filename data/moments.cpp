#include "data/moments.h"

#include <algorithm>
#include <cmath>

namespace nowcell {

void Moments::add(const torch::Tensor& block) {
    const torch::Tensor values = block.contiguous();
    const float* begin = values.const_data_ptr<float>();
    const float* end = begin + values.numel();
    Moments other;
    double sum = 0;
    for (const float* at = begin; at != end; ++at) {
        if (!std::isfinite(*at)) continue;
        sum += *at;
        other.count += 1;
        other.min = std::min<double>(other.min, *at);
        other.max = std::max<double>(other.max, *at);
    }
    if (other.count == 0) return;
    other.mean = sum / other.count;
    for (const float* at = begin; at != end; ++at) {
        const double difference = *at - other.mean;
        if (std::isfinite(difference)) other.squares += difference * difference;
    }
    merge(other);
}

void Moments::merge(const Moments& other) {
    if (other.count == 0) return;
    const double total = count + other.count;
    const double shift = other.mean - mean;
    squares += other.squares + shift * shift * count * other.count / total;
    mean += shift * other.count / total;
    count = total;
    min = std::min(min, other.min);
    max = std::max(max, other.max);
}

double Moments::deviation() const { return count > 0 ? std::sqrt(squares / count) : 0.0; }

}  // namespace nowcell

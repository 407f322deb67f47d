// A field as the sum of fields of one scale each, and how long such a scale lives.
#pragma once

#include <torch/types.h>

#include <optional>
#include <vector>

namespace nowcell {

/// Gaussian filters on a logarithmic axis of wavenumbers, (bands, H, W / 2 + 1) float32 for at::fft_rfft2, the largest
/// scale first. Neighbouring bands are about a factor of 2.5 apart; the mean of the field is in the first. Their sum
/// is 1 everywhere. Source: Seed 2003; Pulkkinen et al. 2019, section 2.4.
torch::Tensor band_filters(std::int64_t height, std::int64_t width);

/// Fields taken apart by band_filters.
class Cascade {
 public:
    explicit Cascade(const torch::Tensor& fields);  ///< (n,H,W) float32, finite

    std::int64_t bands() const { return filters_.size(0); }
    torch::Tensor band(std::int64_t index) const;  ///< (n,H,W); the sum over all bands is the fields again

 private:
    torch::Tensor filters_;
    torch::Tensor spectrum_;
    std::vector<std::int64_t> size_;
};

/// x(t+1) = phi1 x(t) + phi2 x(t-1) + noise.
struct Autoregression {
    double phi1 = 0.0;
    double phi2 = 0.0;
};

/// From correlations at lags 1 and 2 (Yule and Walker); of order 1 without the second. Brought to what decays without
/// swinging: 0 <= lag1 < 1, and lag2 from that of the process with a double root to lag1.
Autoregression autoregression(double lag1, std::optional<double> lag2);

/// One band of a field in time: its last two frames in units of their own means and deviations, and how they go on.
class Scale {
 public:
    /// fields: (n,H,W) float32, n >= 2, oldest first. known: (H,W) bool, what is fitted on; undefined: all of it.
    Scale(const torch::Tensor& fields, const torch::Tensor& known);

    const Autoregression& process() const { return process_; }
    void add_next(const torch::Tensor& sum);  ///< adds the next step, in the units of the field, to (H,W)

 private:
    torch::Tensor now_;
    torch::Tensor before_;
    double mean_ = 0.0;
    double deviation_ = 0.0;
    Autoregression process_;
};

}  // namespace nowcell

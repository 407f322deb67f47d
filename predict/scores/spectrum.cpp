// Radially averaged power spectra.
#include "predict/scores/families.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

namespace nowcell {
namespace {

constexpr double kLeastPower = 1e-10;  // of the truth's whole power: 100 dB below it
constexpr double kRounding = 1e-24;    // of its mean's power: what a constant field may have

// Wavenumbers are counted in cycles per the longer side. As pysteps' rapsd: without that of two pixels.
std::int64_t bins_of(std::int64_t height, std::int64_t width) { return (std::max(height, width) + 1) / 2; }

// Where each coefficient of a real transform (H, W/2 + 1) belongs, and how many of the whole one it stands for.
struct Bins {
    std::vector<std::int64_t> bin;  // -1: none
    std::vector<double> weight;
    std::vector<double> counts;  // of each bin

    Bins(std::int64_t height, std::int64_t width, bool by_index)
        : counts(static_cast<std::size_t>(bins_of(height, width)), 0.0) {
        const auto longer = static_cast<double>(std::max(height, width));
        for (std::int64_t i = 0; i < height * (width / 2 + 1); ++i) {
            const std::int64_t row = i / (width / 2 + 1), column = i % (width / 2 + 1);
            const auto ky = static_cast<double>(row <= height / 2 ? row : row - height) *
                            (by_index ? 1.0 : longer / static_cast<double>(height));
            const auto kx = static_cast<double>(column) * (by_index ? 1.0 : longer / static_cast<double>(width));
            const auto nearest = static_cast<std::int64_t>(std::nearbyint(std::sqrt(kx * kx + ky * ky)));
            bin.push_back(nearest < static_cast<std::int64_t>(counts.size()) ? nearest : -1);
            weight.push_back(column == 0 || 2 * column == width ? 1.0 : 2.0);
            if (bin.back() >= 0) counts[static_cast<std::size_t>(bin.back())] += weight.back();
        }
    }
};

// The last one made by this thread: frames of a data set are of one size.
const Bins& bins_for(std::int64_t height, std::int64_t width, bool by_index) {
    using Size = std::tuple<std::int64_t, std::int64_t, bool>;
    thread_local Size last{1, 1, false};
    thread_local Bins bins(1, 1, false);
    const Size size{height, width, by_index};
    if (size != last) bins = Bins(height, width, by_index);
    last = size;
    return bins;
}

// Adds the mean power of each bin, |F|^2 / (H W).
void add_power(const Bins& bins, const std::vector<double>& field, std::int64_t height, std::int64_t width,
               double* sums) {
    const at::Tensor plane = at::from_blob(const_cast<double*>(field.data()), {height, width}, at::kDouble);
    const at::Tensor transform = at::view_as_real(at::fft_rfft2(plane)).contiguous();
    const double* values = transform.const_data_ptr<double>();
    const auto pixels = static_cast<double>(height * width);
    for (std::size_t i = 0; i < bins.bin.size(); ++i) {
        if (bins.bin[i] < 0) continue;
        const auto bin = static_cast<std::size_t>(bins.bin[i]);
        const double power = values[2 * i] * values[2 * i] + values[2 * i + 1] * values[2 * i + 1];
        sums[bin] += bins.weight[i] * power / (pixels * bins.counts[bin]);
    }
}

// A field whose missing values are `filler`.
std::vector<double> filled(const FramePair& plane, const float* field, double filler) {
    std::vector<double> out(field, field + plane.pixels());
    for (std::int64_t i = 0; i < plane.pixels(); ++i) {
        if (!plane.counts(i)) out[static_cast<std::size_t>(i)] = filler;
    }
    return out;
}

class Spectrum : public ScoreFamily {
 public:
    explicit Spectrum(bool by_index) : by_index_(by_index) { quantities_ = {{"ralsd"}}; }

    // The mean power of each bin of the forecast, then of the truth, then the number of planes.
    std::size_t slots(const FramePair& frame) const override {
        return 2 * static_cast<std::size_t>(bins_of(frame.height, frame.width)) + 1;
    }

    void measure(const FramePair& frame, double* sums) const override {
        const Bins& bins = bins_for(frame.height, frame.width, by_index_);
        for (std::int64_t c = 0; c < frame.channels; ++c) {
            const FramePair plane = frame.channel(c);
            double sum = 0.0;
            std::int64_t known = 0;
            for (std::int64_t i = 0; i < plane.pixels(); ++i) {
                if (!plane.counts(i)) continue;
                sum += static_cast<double>(plane.truth[i]);
                ++known;
            }
            if (known == 0) continue;
            const double filler = sum / static_cast<double>(known);
            add_power(bins, filled(plane, plane.forecast, filler), plane.height, plane.width, sums);
            add_power(bins, filled(plane, plane.truth, filler), plane.height, plane.width, sums + bins.counts.size());
            sums[2 * bins.counts.size()] += 1.0;
        }
    }

    std::vector<std::size_t> parts(std::size_t, std::size_t slots) const override {
        std::vector<std::size_t> all(slots);
        std::iota(all.begin(), all.end(), 0);
        return all;
    }

    // Without the mean of the frame, bin 0.
    double score(std::size_t, const std::vector<double>& sums) const override {
        const std::size_t bins = sums.size() / 2;
        double whole = 0.0, squares = 0.0;
        for (std::size_t i = 1; i < bins; ++i) whole += sums[bins + i];
        if (bins < 2 || sums.back() == 0.0 || whole <= kRounding * sums[bins]) return std::nan("");
        for (std::size_t i = 1; i < bins; ++i) {
            const double forecast = std::max(sums[i], kLeastPower * whole);
            const double truth = std::max(sums[bins + i], kLeastPower * whole);
            squares += std::pow(10.0 * std::log10(truth / forecast), 2);
        }
        return std::sqrt(squares / static_cast<double>(bins - 1));
    }

    bool keeps_windows() const override { return false; }

    std::vector<ScoreCurve> curves(std::int64_t lead, const FramePair& frame,
                                   const std::vector<double>& sums) const override {
        const std::size_t bins = sums.size() / 2;
        if (bins < 2 || sums.back() == 0.0) return {};
        const auto longer = static_cast<double>(std::max(frame.height, frame.width));
        std::vector<ScoreCurve> curves;
        for (const std::size_t first : {std::size_t{0}, bins}) {
            ScoreCurve curve{
                first == 0 ? "spectrum" : "spectrum of truth", {}, lead, {}, {}, {}, "wavenumber [1/px]", "power"};
            for (std::size_t i = 1; i < bins; ++i) {
                curve.x.push_back(static_cast<double>(i) / longer);
                curve.y.push_back(sums[first + i] / sums.back());
            }
            curves.push_back(std::move(curve));
        }
        return curves;
    }

 private:
    bool by_index_;
};

}  // namespace

std::shared_ptr<const ScoreFamily> spectrum_family(bool by_index) { return std::make_shared<Spectrum>(by_index); }

}  // namespace nowcell

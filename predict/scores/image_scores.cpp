// SSIM, MS-SSIM, PSNR and sharpness.
#include "predict/scores/families.h"

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

// On 0..1; where nothing is known both take the mean of what is known of the truth.
Plane plane_of(const ImageRules& rules, const FramePair& frame) {
    Plane plane;
    plane.height = frame.height;
    plane.width = frame.width;
    plane.x.resize(static_cast<std::size_t>(frame.pixels()));
    plane.y = plane.x;
    double sum = 0.0;
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < frame.pixels(); ++i) {
        if (!frame.counts(i)) continue;
        const auto at = static_cast<std::size_t>(i);
        plane.x[at] = rules.scale(frame.forecast[i]);
        if (rules.clip) plane.x[at] = std::clamp(plane.x[at], 0.0, 1.0);
        plane.y[at] = rules.scale(frame.truth[i]);
        sum += plane.y[at];
        ++count;
    }
    if (frame.known == nullptr) return plane;
    plane.known.assign(frame.known, frame.known + frame.pixels());
    const double neutral = count > 0 ? sum / static_cast<double>(count) : 0.0;
    for (std::size_t at = 0; at < plane.x.size(); ++at) {
        if (plane.known[at] == 0) plane.x[at] = plane.y[at] = neutral;
    }
    return plane;
}

class Images : public ScoreFamily {
 public:
    explicit Images(const ImageRules& rules) : rules_(rules) {
        quantities_ = {{"ssim"}, {"psnr"}};
        if (rules.multi_scale) quantities_.push_back({"ms-ssim"});
    }

    std::size_t slots(const FramePair&) const override { return 2 * quantities_.size(); }

    void measure(const FramePair& frame, double* sums) const override {
        SsimSums total;
        double square = 0.0, scales = 0.0;
        std::int64_t known = 0, planes = 0;
        for (std::int64_t c = 0; c < frame.channels; ++c) {
            const Plane plane = plane_of(rules_, frame.channel(c));
            const std::uint8_t* mask = plane.known.empty() ? nullptr : plane.known.data();
            for (std::size_t i = 0; i < plane.x.size(); ++i) {
                if (mask != nullptr && mask[i] == 0) continue;
                square += (plane.x[i] - plane.y[i]) * (plane.x[i] - plane.y[i]);
                ++known;
            }
            const SsimSums one =
                structural_similarity(rules_.ssim, plane.x.data(), plane.y.data(), mask, plane.height, plane.width);
            total.structure += one.structure;
            total.windows += one.windows;
            if (!rules_.multi_scale || one.windows == 0) continue;
            scales += multi_scale_ssim(rules_.ssim, plane, one);
            ++planes;
        }
        const auto add = [&](std::size_t index, double value, std::int64_t weight) {
            sums[2 * index] = weight > 0 ? value : 0.0;
            sums[2 * index + 1] = weight > 0 ? 1.0 : 0.0;
        };
        add(0, total.structure / static_cast<double>(total.windows), total.windows);
        add(1, psnr(square / static_cast<double>(known)), known);
        if (rules_.multi_scale) add(2, scales / static_cast<double>(planes), planes);
    }

    std::vector<std::size_t> parts(std::size_t index, std::size_t) const override { return {2 * index, 2 * index + 1}; }

    double score(std::size_t, const std::vector<double>& parts) const override { return mean_of(parts[0], parts[1]); }

 private:
    double psnr(double error) const { return std::min(-10.0 * std::log10(error), rules_.most_psnr); }

    ImageRules rules_;
};

// Mean length of the steps to the next row and column, of the forecast over that of the truth.
class Sharpness : public ScoreFamily {
 public:
    Sharpness() { quantities_ = {{"sharpness"}}; }

    std::size_t slots(const FramePair&) const override { return 2; }

    void measure(const FramePair& frame, double* sums) const override {
        for (std::int64_t c = 0; c < frame.channels; ++c) add(frame.channel(c), sums);
    }

    std::vector<std::size_t> parts(std::size_t, std::size_t) const override { return {0, 1}; }

    double score(std::size_t, const std::vector<double>& parts) const override { return mean_of(parts[0], parts[1]); }

 private:
    static void add(const FramePair& plane, double* sums) {
        // A frame of one row or column has steps along it alone.
        const std::int64_t down = plane.height > 1 ? plane.width : 0, right = plane.width > 1 ? 1 : 0;
        const std::int64_t rows = std::max<std::int64_t>(plane.height - 1, 1);
        const std::int64_t columns = std::max<std::int64_t>(plane.width - 1, 1);
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t at = row * plane.width; at < row * plane.width + columns; ++at) {
                if (!plane.counts(at) || !plane.counts(at + down) || !plane.counts(at + right)) continue;
                const auto step = [&](const float* field) {
                    const double here = field[at], dy = field[at + down] - here, dx = field[at + right] - here;
                    return std::sqrt(dx * dx + dy * dy);
                };
                sums[0] += step(plane.forecast);
                sums[1] += step(plane.truth);
            }
        }
    }
};

}  // namespace

std::shared_ptr<const ScoreFamily> image_family(const ImageRules& rules) { return std::make_shared<Images>(rules); }

std::shared_ptr<const ScoreFamily> sharpness_family() { return std::make_shared<Sharpness>(); }

}  // namespace nowcell

#include "predict/pictures/fields.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace nowcell {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

float finite_or_nan(float value) { return std::isfinite(value) ? value : kNan; }

cv::Mat as_mat(Field& field) { return {field.height, field.width, CV_32FC(field.channels), field.values.data()}; }

Field reduced(const Field& field, const PanelSize& size) {
    Field known = field, mask = field;
    for (std::size_t i = 0; i < field.values.size(); ++i) {
        const bool good = std::isfinite(field.values[i]);
        known.values[i] = good ? field.values[i] : 0.0f;
        mask.values[i] = good ? 1.0f : 0.0f;
    }
    cv::Mat sum, part;
    cv::resize(as_mat(known), sum, {size.width, size.height}, 0, 0, cv::INTER_AREA);
    cv::resize(as_mat(mask), part, {size.width, size.height}, 0, 0, cv::INTER_AREA);
    Field result{size.width, size.height, field.channels, {}};
    const auto* sums = sum.ptr<float>();
    const auto* parts = part.ptr<float>();
    for (std::size_t i = 0; i < sum.total() * static_cast<std::size_t>(field.channels); ++i) {
        result.values.push_back(parts[i] >= 0.5f ? sums[i] / parts[i] : kNan);
    }
    return result;
}

Field enlarged(const Field& field, const PanelSize& size) {
    Field source = field;
    Field result{size.width, size.height, field.channels, {}};
    result.values.resize(static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height) *
                         static_cast<std::size_t>(field.channels));
    cv::Mat target = as_mat(result);
    cv::resize(as_mat(source), target, {size.width, size.height}, 0, 0, cv::INTER_NEAREST);
    return result;
}

}  // namespace

Field field_at(const torch::Tensor& frames, std::int64_t t) {
    const auto frame = frames[t].permute({1, 2, 0}).to(torch::kCPU, torch::kFloat32).contiguous();
    Field field{static_cast<int>(frame.size(1)), static_cast<int>(frame.size(0)), static_cast<int>(frame.size(2)), {}};
    const auto* data = frame.data_ptr<float>();
    field.values.assign(data, data + frame.numel());
    std::transform(field.values.begin(), field.values.end(), field.values.begin(), finite_or_nan);
    return field;
}

Field difference(const Field& forecast, const Field& truth) {
    Field result{truth.width, truth.height, 1, {}};
    const auto channels = static_cast<std::size_t>(truth.channels);
    for (std::size_t i = 0; i < truth.values.size(); i += channels) {
        float sum = 0;
        for (std::size_t c = 0; c < channels; ++c) sum += forecast.values[i + c] - truth.values[i + c];
        result.values.push_back(sum / static_cast<float>(channels));
    }
    return result;
}

double mean_absolute_error(const Field& forecast, const Field& truth) {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < truth.values.size(); ++i) {
        const double error = std::abs(static_cast<double>(forecast.values[i]) - static_cast<double>(truth.values[i]));
        if (!std::isfinite(error)) continue;
        sum += error;
        ++count;
    }
    return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

PanelSize panel_size(std::int64_t width, std::int64_t height, int max_width, int max_height) {
    const std::int64_t factor = std::min(max_width / width, max_height / height);
    if (factor >= 1) return {static_cast<int>(width * factor), static_cast<int>(height * factor)};
    const double scale = std::min(max_width / static_cast<double>(width), max_height / static_cast<double>(height));
    const auto scaled = [scale](std::int64_t side) {
        return std::max(2, static_cast<int>(std::lround(static_cast<double>(side) * scale)));
    };
    return {scaled(width), scaled(height)};
}

Field resized(const Field& field, const PanelSize& size) {
    return size.width >= field.width && size.height >= field.height ? enlarged(field, size) : reduced(field, size);
}

Image painted(const Field& field, const Colours& colours) {
    Image image{field.width, field.height, {}};
    const double min = colours.scale().min, range = std::max(colours.scale().max - min, 1e-30);
    const auto byte = [&](float value) {
        return static_cast<std::uint8_t>(
            std::lround(255 * std::clamp((static_cast<double>(value) - min) / range, 0.0, 1.0)));
    };
    const auto channels = static_cast<std::size_t>(field.channels);
    for (std::size_t i = 0; i < field.values.size(); i += channels) {
        const float* v = &field.values[i];
        const std::size_t pixel = i / channels, x = pixel % static_cast<std::size_t>(field.width);
        const std::size_t y = pixel / static_cast<std::size_t>(field.width);
        const bool known = std::all_of(v, v + channels, [](float value) { return std::isfinite(value); });
        if (!known)
            image.pixels.push_back((x + y) % 8 < 2 ? kMissingStripe : kMissing);
        else if (channels == 3)
            image.pixels.push_back({byte(v[0]), byte(v[1]), byte(v[2])});
        else
            image.pixels.push_back(colours.colour(static_cast<double>(v[0])));
    }
    return image;
}

double quantile(std::vector<float>& values, double q) {
    if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
    const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1) + 0.5);
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return static_cast<double>(values[static_cast<std::size_t>(at)]);
}

std::vector<float> sampled(const std::vector<torch::Tensor>& tensors) {
    std::int64_t total = 0;
    for (const auto& tensor : tensors) total += tensor.defined() ? tensor.numel() : 0;
    // Odd, so that it does not walk down one column of frames with an even width.
    const std::int64_t stride = total / 1'000'000 | 1;
    std::vector<float> values;
    for (const auto& tensor : tensors) {
        if (!tensor.defined()) continue;
        const auto flat = tensor.to(torch::kCPU, torch::kFloat32).contiguous();
        const auto* data = flat.data_ptr<float>();
        for (std::int64_t i = 0; i < flat.numel(); i += stride) {
            if (std::isfinite(data[i])) values.push_back(data[i]);
        }
    }
    return values;
}

}  // namespace nowcell

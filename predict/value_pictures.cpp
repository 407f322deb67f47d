#include "predict/value_pictures.h"

#include "src/error.h"
#include "src/json.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

namespace nowcell {
namespace {

std::string name_of(std::int64_t lead) { return fmt::format("lead_{:04}.png", lead); }

// frame: (C,H,W), C 1 or 3 (RGB).
std::string png_of(const torch::Tensor& frame, const PixelScale& scale) {
    const double most = scale.bits == 8 ? 255.0 : 65535.0;
    torch::Tensor pixels = ((frame.to(torch::kFloat64) - scale.offset) / scale.scale).round().clamp(0.0, most);
    if (pixels.size(0) == 3) pixels = pixels.flip(0);  // OpenCV has blue first
    pixels = pixels.permute({1, 2, 0}).to(scale.bits == 8 ? torch::kUInt8 : torch::kUInt16).contiguous();
    const int type = CV_MAKETYPE(scale.bits == 8 ? CV_8U : CV_16U, static_cast<int>(pixels.size(2)));
    const cv::Mat picture(static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)), type, pixels.data_ptr());
    std::vector<unsigned char> bytes;
    if (!cv::imencode(".png", picture, bytes)) throw Error(ExitCode::internal, "OpenCV encodes no PNG");
    return {bytes.begin(), bytes.end()};
}

}  // namespace

PixelScale pixel_scale(const SourceInfo& info, const Normalizer& normalizer) {
    if (info.channels != 1 && info.channels != 3) {
        throw Error(ExitCode::usage,
                    fmt::format("--as png: a picture has 1 or 3 channels, the frames have {}", info.channels),
                    info.path, "--as h5 or --as npy");
    }
    if (info.stored_type == "uint8") return {8, info.scale, info.offset};
    if (info.stored_type == "uint16") return {16, info.scale, info.offset};
    const double range = normalizer.max > normalizer.min ? normalizer.max - normalizer.min : 1.0;
    return {16, 1.2 * range / 65535.0, normalizer.min - 0.1 * range};
}

ValuePictures::ValuePictures(std::string folder, std::int64_t recordings, const PixelScale& scale,
                             const std::string& units)
    : folder_(std::move(folder)), single_(recordings == 1), scale_(scale), root_(folder_) {
    const nlohmann::ordered_json meaning = {{"schema", "nowcell.png/1"}, {"value", "pixel * scale + offset"},
                                            {"scale", scale.scale},      {"offset", scale.offset},
                                            {"bits", scale.bits},        {"units", units}};
    write_atomically(root_.add("scale.json"), json_text(meaning));
}

std::string ValuePictures::path_of(std::int64_t recording) const {
    return single_ ? folder_ : fmt::format("{}/recording_{:04}", folder_, recording);
}

OutputFolder& ValuePictures::folder_of(std::int64_t recording) {
    if (single_) return root_;
    std::unique_ptr<OutputFolder>& folder = recordings_[recording];
    if (!folder) folder = std::make_unique<OutputFolder>(path_of(recording));
    return *folder;
}

void ValuePictures::add(std::int64_t recording, std::int64_t lead, const torch::Tensor& frames) {
    OutputFolder& folder = folder_of(recording);
    leads_ = std::max(leads_, lead + frames.size(0));
    for (std::int64_t i = 0; i < frames.size(0); ++i) {
        write_atomically(folder.add(name_of(lead + i + 1)), png_of(frames[i], scale_));
    }
}

void ValuePictures::remove_later(const std::string& folder) const {
    for (std::int64_t lead = leads_ + 1; std::filesystem::remove(fmt::format("{}/{}", folder, name_of(lead))); ++lead) {
    }
}

void ValuePictures::commit() {
    if (single_) remove_later(folder_);
    for (auto& [recording, folder] : recordings_) {
        remove_later(path_of(recording));
        folder->commit();
    }
    root_.commit();
}

}  // namespace nowcell

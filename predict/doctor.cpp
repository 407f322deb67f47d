// What doctor says of OpenCV's codecs.
#include "src/doctor.h"

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/core/version.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/videoio.hpp>
#include <unistd.h>

#include <filesystem>

namespace nowcell {
namespace {

bool encodes_and_decodes(const char* extension, const cv::Mat& picture) {
    std::vector<unsigned char> bytes;
    return cv::imencode(extension, picture, bytes) && cv::imdecode(bytes, cv::IMREAD_COLOR).size() == picture.size();
}

bool writes_mp4(const cv::Mat& picture) {
    const auto path = std::filesystem::temp_directory_path() / fmt::format("nowcell-doctor-{}.mp4", ::getpid());
    const bool open =
        cv::VideoWriter(path.string(), cv::VideoWriter::fourcc('m', 'p', '4', 'v'), 10.0, picture.size()).isOpened();
    std::error_code error;
    std::filesystem::remove(path, error);
    return open;
}

}  // namespace
}  // namespace nowcell

extern "C" void nowcell_doctor_predict(const nowcell::Request&, nowcell::Findings& findings) {
    using namespace nowcell;
    const cv::Mat picture(64, 64, CV_8UC3, cv::Scalar(40, 90, 160));
    std::string lost;
    const auto try_one = [&](const char* name, const auto& works) {
        try {
            if (works()) return;
        } catch (const cv::Exception&) {  // OpenCV's way of saying that it has no such codec
        }
        lost += (lost.empty() ? "" : ", ") + std::string(name);
    };
    for (const char* extension : {".png", ".jpg", ".tif"}) {
        try_one(extension + 1, [&] { return encodes_and_decodes(extension, picture); });
    }
    try_one("mp4", [&] { return writes_mp4(picture); });
    const std::string text = fmt::format("{} (headers of {})", cv::getVersionString(), CV_VERSION);
    if (lost.empty()) {
        findings.push_back({"OpenCV", Health::pass, text + ", codecs png, jpg, tif, mp4"});
    } else {
        findings.push_back({"OpenCV", Health::warn, text + ", without codecs: " + lost,
                            "pictures need png; for the others install OpenCV's full packages"});
    }
}

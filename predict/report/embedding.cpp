#include "predict/report/embedding.h"

#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>

namespace nowcell {
namespace {

constexpr std::uintmax_t kMostRead = 64u << 20;
constexpr std::uint64_t kMostPixels = 40'000'000;
constexpr int kLeastWidth = 360;          // px; below it the text in a strip cannot be read
constexpr std::size_t kAroundFile = 900;  // bytes of markup, with a generous caption

struct Encoded {
    std::string bytes;
    const char* type;
    std::uint64_t width, height;
};

std::string base64(const std::string& bytes) {
    constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t three = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            three = three << 8 | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0u);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += i + k > bytes.size() ? '=' : kLetters[three >> (18 - 6 * k) & 63];
        }
    }
    return out;
}

std::size_t size_in_page(std::size_t bytes) { return (bytes + 2) / 3 * 4 + kAroundFile; }

std::uint64_t number_at(const std::string& bytes, std::size_t at, int count, bool big_end_first) {
    std::uint64_t value = 0;
    for (int i = 0; i < count; ++i) {
        const auto byte = static_cast<std::uint8_t>(bytes[at + static_cast<std::size_t>(i)]);
        value |= std::uint64_t{byte} << 8 * (big_end_first ? count - 1 - i : i);
    }
    return value;
}

// The size stands in the first bytes of either format.
std::optional<Encoded> recognised(const std::string& bytes) {
    if (bytes.size() > 32 && bytes.starts_with("\x89PNG\r\n\x1a\n")) {
        const auto width = number_at(bytes, 16, 4, true), height = number_at(bytes, 20, 4, true);
        return Encoded{bytes, "png", width, height};
    }
    if (bytes.size() > 32 && (bytes.starts_with("GIF89a") || bytes.starts_with("GIF87a"))) {
        const auto width = number_at(bytes, 6, 2, false), height = number_at(bytes, 8, 2, false);
        return Encoded{bytes, "gif", width, height};
    }
    return std::nullopt;
}

std::optional<Encoded> reduced(const Encoded& large, std::size_t room) {
    const std::vector<std::uint8_t> bytes(large.bytes.begin(), large.bytes.end());
    const cv::Mat picture = cv::imdecode(bytes, cv::IMREAD_COLOR);
    if (picture.empty()) return std::nullopt;
    double factor = 0.95 * std::sqrt(static_cast<double>(room) / static_cast<double>(size_in_page(large.bytes.size())));
    for (; picture.cols * factor >= kLeastWidth; factor *= 0.9) {
        cv::Mat small;
        std::vector<std::uint8_t> encoded;
        cv::resize(picture, small, {}, factor, factor, cv::INTER_AREA);
        cv::imencode(".png", small, encoded, {cv::IMWRITE_PNG_COMPRESSION, 9});
        if (size_in_page(encoded.size()) <= room) {
            return Encoded{{encoded.begin(), encoded.end()},
                           "png",
                           static_cast<std::uint64_t>(small.cols),
                           static_cast<std::uint64_t>(small.rows)};
        }
    }
    return std::nullopt;
}

std::string megabytes(std::uintmax_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

}  // namespace

Markup Embedding::figure(const Figure& figure) { return figure.path.empty() ? drawing(figure) : file(figure); }

Markup Embedding::framed(const Figure& figure, const Markup& content) {
    Markup whole = element("figure", content + element("figcaption", figure.caption),
                           {{"class", figure.half     ? "half"
                                      : figure.moving ? "moving"
                                                      : "whole"}});
    left_ -= std::min(left_, whole.size());
    ++shown_;
    return whole;
}

Markup Embedding::leave_out(const Figure& figure, const std::string& why) {
    const std::string what = figure.path.empty() ? figure.caption : figure.path;
    left_out_.push_back(fmt::format("{}: {}", what, why));
    return element("p", fmt::format("Left out: {} ({}).", what, why), {{"class", "note"}});
}

Markup Embedding::drawing(const Figure& figure) {
    const std::string svg = svg_text(figure.drawing);
    if (svg.size() + kAroundFile > left_) return leave_out(figure, "no room on the page");
    // Our own drawing, with its texts escaped; only its first tag is changed.
    const std::string tag = lone_element("svg", {{"role", "img"}, {"aria-label", figure.alt}}).html();
    return framed(figure, Markup::verbatim(tag.substr(0, tag.size() - 1) + svg.substr(4)));
}

Markup Embedding::file(const Figure& figure) {
    const std::size_t room = files_ > 1 ? left_ / files_ : left_;
    files_ -= files_ > 0 ? 1 : 0;
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(figure.path, error);
    if (error) return leave_out(figure, "it cannot be read");
    if (size > kMostRead) return leave_out(figure, megabytes(size) + " are too much for a page");
    const std::string bytes = read_text(figure.path);
    std::optional<Encoded> picture = recognised(bytes);
    if (!picture) return leave_out(figure, "neither PNG nor GIF");
    if (picture->width * picture->height > kMostPixels) return leave_out(figure, "too many pixels for a page");
    if (size_in_page(picture->bytes.size()) > room) {
        if (picture->type == std::string("png"))
            picture = reduced(*picture, room);
        else
            picture.reset();
    }
    if (!picture) return leave_out(figure, megabytes(size) + " do not fit on the page");
    return framed(
        figure,
        lone_element("img", {{"src", fmt::format("data:image/{};base64,{}", picture->type, base64(picture->bytes))},
                             {"alt", figure.alt},
                             {"width", std::to_string(picture->width)},
                             {"height", std::to_string(picture->height)}}));
}

}  // namespace nowcell

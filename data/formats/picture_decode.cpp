#include "data/formats/picture_decode.h"

#include "data/formats/checked.h"
#include "data/formats/file_bytes.h"
#include "data/formats/tiff_decode.h"

#include <fmt/format.h>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace nowcell {
namespace {

// Samples of P1 to P6 as numbers of header.type; those of 16 bits are big-endian.
std::vector<unsigned char> pnm_bits(const PictureFile& file) {
    const ImageHeader& header = file.header;
    const unsigned char* body = file.bytes.data() + header.body;
    const std::int64_t row = (header.width + 7) / 8;
    std::vector<unsigned char> out;
    for (std::int64_t y = 0; y < header.height; ++y) {
        for (std::int64_t x = 0; x < header.width; ++x) {
            out.push_back((body[y * row + x / 8] >> (7 - x % 8) & 1) != 0 ? 0 : 255);
        }
    }
    return out;
}

std::vector<unsigned char> pnm_text(const PictureFile& file, const std::string& path) {
    const ImageHeader& header = file.header;
    const auto samples = static_cast<std::size_t>(header.width * header.height * header.channels);
    std::vector<unsigned char> out;
    std::uint32_t value = 0;
    int digits = 0;
    const auto take = [&] {
        if (digits == 0) return;
        if (header.bits == 16) out.push_back(static_cast<unsigned char>(value >> 8));
        out.push_back(static_cast<unsigned char>(value));
        value = 0, digits = 0;
    };
    const std::size_t wanted = samples * size_of(header.type);
    for (auto at = static_cast<std::size_t>(header.body); at < file.bytes.size() && out.size() < wanted; ++at) {
        const unsigned char c = file.bytes[at];
        const bool digit = c >= '0' && c <= '9';
        if (!digit) {
            take();
            continue;
        }
        value = value * 10 + (c - '0');
        if (++digits > 5) refuse(path, "the PNM has a value that is too large");
        if (header.bits == 1) {
            value = value != 0 ? 0 : 255;
            take();
        }
    }
    if (out.size() < wanted) take();
    if (out.size() < wanted) {
        refuse(path, fmt::format("the PNM is truncated: got {} values, expected {}", out.size() / size_of(header.type),
                                 samples));
    }
    return out;
}

std::int64_t decode_pnm(const PictureFile& file, const std::string& path, float* out) {
    const ImageHeader& header = file.header;
    std::vector<unsigned char> made;
    if (header.variant == '4') made = pnm_bits(file);
    if (header.variant <= '3') made = pnm_text(file, path);
    const unsigned char* data = made.empty() ? file.bytes.data() + header.body : made.data();
    const auto item = static_cast<std::int64_t>(size_of(header.type));
    const std::int64_t pixel = item * header.channels;
    constexpr bool kSwapped = std::endian::native == std::endian::little;
    return decode({.data = data,
                   .type = header.type,
                   .swapped = kSwapped && item > 1,
                   .shape = {1, header.channels, header.height, header.width},
                   .strides = {0, item, pixel * header.width, pixel}},
                  {}, out);
}

cv::Mat decode_by_opencv(const PictureFile& file, const std::string& path) {
    static const bool silent = [] {
        cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
        return true;
    }();
    (void)silent;
    try {
        return cv::imdecode(without_ballast(file.bytes), cv::IMREAD_UNCHANGED);
    } catch (const cv::Exception& error) {
        refuse(path, fmt::format("the {} does not decode: {}", file.header.format, error.err));
    }
}

cv::Mat checked_decode(const PictureFile& file, const std::string& path) {
    const ImageHeader& header = file.header;
    cv::Mat image = decode_by_opencv(file, path);
    if (image.empty()) refuse(path, fmt::format("the {} is corrupt: it does not decode", header.format));
    const std::int64_t channels = header.channels == 2 ? 4 : header.channels;
    if (image.cols != header.width || image.rows != header.height || image.channels() != channels ||
        image.elemSize1() != size_of(header.type)) {
        refuse(path,
               fmt::format("the {} decodes to {} x {} pixels of {} channels of {} bytes, expected {} x {} of {} of {}",
                           header.format, image.cols, image.rows, image.channels(), image.elemSize1(), header.width,
                           header.height, channels, size_of(header.type)));
    }
    return image;
}

}  // namespace

PictureFile load_picture(const std::string& path, const ReaderLimits& limits) {
    const std::vector<char> bytes = read_bytes(path, limits.memory / 8);
    PictureFile file;
    file.bytes.assign(bytes.begin(), bytes.end());
    file.header = parse_image_header(file.bytes, path);
    const ImageHeader& header = file.header;
    const std::int64_t decoded = checked_product({header.width, header.height, header.channels}, 4);
    if (decoded < 0 || decoded > limits.memory / 8) {
        refuse(path,
               fmt::format("{} x {} pixels of {} channels take more than the limit of {} bytes", header.width,
                           header.height, header.channels, limits.memory / 8),
               "raise data.limits.memory");
    }
    return file;
}

std::int64_t decode_picture(const PictureFile& file, const std::string& path, float* out) {
    const ImageHeader& header = file.header;
    if (header.format == "PNM") return decode_pnm(file, path, out);
    if (header.format == "TIFF") return decode_tiff(file.bytes, header, path, out);
    const cv::Mat image = checked_decode(file, path);
    const auto item = static_cast<std::int64_t>(image.elemSize1());
    const std::int64_t plane = header.width * header.height;
    std::int64_t missing = 0;
    const auto take = [&](std::int64_t from, std::int64_t step, std::int64_t channels) {
        missing += decode({.data = image.data + from * item,
                           .type = header.type,
                           .shape = {1, channels, header.height, header.width},
                           .strides = {0, step * item, static_cast<std::int64_t>(image.step[0]),
                                       static_cast<std::int64_t>(image.elemSize())}},
                          {}, out);
        out += channels * plane;
    };
    if (header.channels <= 2) take(0, 1, 1);
    if (header.channels >= 3) take(2, -1, 3);  // OpenCV's order is blue, green, red
    if (header.channels % 2 == 0) take(3, 1, 1);
    return missing;
}

std::string channel_order(const ImageHeader& header) {
    static const std::array<const char*, 5> names = {"", "grey", "grey, alpha", "RGB", "RGBA"};
    return names[static_cast<std::size_t>(header.channels)];
}

}  // namespace nowcell

#include "data/formats/gif_decoder.h"

#include "data/formats/checked.h"

#include <fmt/format.h>
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace nowcell {
namespace {

// Rows of an interlaced image come in four passes.
std::vector<std::int64_t> row_order(std::int64_t rows, bool interlaced) {
    std::vector<std::int64_t> out;
    constexpr std::array<std::array<std::int64_t, 2>, 4> kPasses = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
    for (const auto& [first, step] : kPasses) {
        for (std::int64_t y = interlaced ? first : 0; y < rows; y += interlaced ? step : 1) out.push_back(y);
        if (!interlaced) break;
    }
    return out;
}

bool is_grey(const ColorMapObject& colours) {
    return std::all_of(colours.Colors, colours.Colors + colours.ColorCount,
                       [](const GifColorType& c) { return c.Red == c.Green && c.Green == c.Blue; });
}

}  // namespace

GifDecoder::GifDecoder(const std::string& path, std::int64_t limit) : path_(path) {
    int code = 0;
    file_ = DGifOpenFileName(path.c_str(), &code);
    if (file_ == nullptr) {
        const char* why = GifErrorString(code);
        refuse(path, fmt::format("the GIF is malformed: {}", why == nullptr ? "no reason given" : why));
    }
    width_ = file_->SWidth;
    height_ = file_->SHeight;
    const std::int64_t size = 3 * width_ * height_;
    if (size <= 0 || size > limit) {
        DGifCloseFile(file_, &code);
        refuse(path, fmt::format("a GIF of {} x {} pixels, the limit is {} bytes", width_, height_, limit));
    }
    canvas_.assign(static_cast<std::size_t>(size), 0);
}

GifDecoder::~GifDecoder() {
    int ignored = 0;
    DGifCloseFile(file_, &ignored);
}

void GifDecoder::fail(const std::string& why) const {
    throw Error(ExitCode::data, fmt::format("cannot read {}: the GIF is truncated or corrupt: {}", path_, why));
}

bool GifDecoder::next() {
    dispose();
    delay_s_ = 0.0;
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    while (record != TERMINATE_RECORD_TYPE) {
        if (DGifGetRecordType(file_, &record) == GIF_ERROR) fail("it has no end");
        if (record == EXTENSION_RECORD_TYPE) read_extension();
        if (record == IMAGE_DESC_RECORD_TYPE) {
            draw();
            return true;
        }
    }
    return false;
}

void GifDecoder::read_extension() {
    int kind = 0;
    GifByteType* bytes = nullptr;
    if (DGifGetExtension(file_, &kind, &bytes) == GIF_ERROR) fail("an extension does not end");
    while (bytes != nullptr) {
        GraphicsControlBlock block;
        if (kind == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(bytes[0], bytes + 1, &block) == GIF_OK) {
            control_ = {block.DisposalMode, block.TransparentColor};
            delay_s_ = 0.01 * block.DelayTime;
        }
        if (DGifGetExtensionNext(file_, &bytes) == GIF_ERROR) fail("an extension does not end");
    }
}

// What the last image leaves behind.
void GifDecoder::dispose() {
    if (disposal_ == DISPOSE_PREVIOUS) canvas_ = before_;
    if (disposal_ == DISPOSE_BACKGROUND) {
        for (std::int64_t y = top_; y < top_ + rows_; ++y) {
            const auto row = canvas_.begin() + 3 * (y * width_ + left_);
            std::fill(row, row + 3 * columns_, static_cast<unsigned char>(0));
        }
    }
    disposal_ = 0;
}

void GifDecoder::draw() {
    if (DGifGetImageDesc(file_) == GIF_ERROR) fail("an image is missing");
    const GifImageDesc& image = file_->Image;
    left_ = image.Left, top_ = image.Top, columns_ = image.Width, rows_ = image.Height;
    if (left_ < 0 || top_ < 0 || columns_ < 1 || rows_ < 1 || left_ + columns_ > width_ || top_ + rows_ > height_) {
        fail(fmt::format("an image of {} x {} at {}, {} in a frame of {} x {}", columns_, rows_, left_, top_, width_,
                         height_));
    }
    const ColorMapObject* colours = image.ColorMap != nullptr ? image.ColorMap : file_->SColorMap;
    if (colours == nullptr) fail("an image has no colours");
    grey_ = grey_ && is_grey(*colours);
    if (control_.disposal == DISPOSE_PREVIOUS) before_ = canvas_;
    std::vector<GifPixelType> row(static_cast<std::size_t>(columns_));
    for (const std::int64_t y : row_order(rows_, image.Interlace)) {
        if (DGifGetLine(file_, row.data(), static_cast<int>(columns_)) == GIF_ERROR) fail("an image does not end");
        unsigned char* to = canvas_.data() + 3 * ((top_ + y) * width_ + left_);
        for (std::int64_t x = 0; x < columns_; ++x, to += 3) {
            const int index = row[static_cast<std::size_t>(x)];
            if (index == control_.transparent) continue;
            if (index >= colours->ColorCount) fail(fmt::format("colour {} of {}", index, colours->ColorCount));
            const GifColorType& colour = colours->Colors[index];
            to[0] = colour.Red, to[1] = colour.Green, to[2] = colour.Blue;
        }
    }
    disposal_ = control_.disposal;
    control_ = {};
}

}  // namespace nowcell

#include "predict/pictures/gif.h"

#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include "src/error.h"

namespace nowcell {
namespace {

[[noreturn]] void fail(int code) {
    const char* reason = GifErrorString(code);
    throw Error(ExitCode::output,
                std::string("cannot encode a GIF: ") + (reason != nullptr ? reason : "unknown error"));
}

Box changed_box(const std::vector<std::uint8_t>& now, const std::vector<std::uint8_t>& before, int width, int height) {
    int left = width, right = -1, top = height, bottom = -1;
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const auto i = static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
            if (now[i] == before[i]) continue;
            left = std::min(left, x);
            right = std::max(right, x);
            top = std::min(top, y);
            bottom = y;
        }
    }
    // A frame without any change still has to last its time.
    return right < 0 ? Box{0, 0, 1, 1} : Box{left, top, right - left + 1, bottom - top + 1};
}

}  // namespace

// giflib writes into memory, because the files it makes itself are readable by their owner alone.
struct GifWriter::File {
    std::string bytes;
    GifFileType* gif = nullptr;

    static int append(GifFileType* gif, const GifByteType* data, int count) {
        static_cast<std::string*>(gif->UserData)
            ->append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(count));
        return count;
    }
};

GifWriter::GifWriter(int width, int height, Palette palette)
    : palette_(std::move(palette)), width_(width), height_(height), file_(nullptr) {
    auto file = std::make_unique<File>();
    int code = 0;
    file->gif = EGifOpen(&file->bytes, &File::append, &code);
    if (file->gif == nullptr) fail(code);
    file_ = file.release();
}

GifWriter::~GifWriter() {
    int code = 0;
    if (file_->gif != nullptr) EGifCloseFile(file_->gif, &code);
    delete file_;
}

void GifWriter::begin() {
    EGifSetGifVersion(file_->gif, true);
    const auto free_map = [](ColorMapObject* map) { GifFreeMapObject(map); };
    const std::unique_ptr<ColorMapObject, decltype(free_map)> map(GifMakeMapObject(256, nullptr), free_map);
    if (!map) throw Error(ExitCode::output, "cannot encode a GIF: out of memory");
    for (std::size_t i = 0; i < palette_.colours().size(); ++i) {
        const Rgb c = palette_.colours()[i];
        map->Colors[i] = {c.r, c.g, c.b};
    }
    if (EGifPutScreenDesc(file_->gif, width_, height_, 8, 0, map.get()) == GIF_ERROR) fail(file_->gif->Error);
    // Loop for ever: the block that Netscape 2.0 began and all viewers follow.
    constexpr std::array<std::uint8_t, 3> forever = {1, 0, 0};
    const bool good = EGifPutExtensionLeader(file_->gif, APPLICATION_EXT_FUNC_CODE) == GIF_OK &&
                      EGifPutExtensionBlock(file_->gif, 11, "NETSCAPE2.0") == GIF_OK &&
                      EGifPutExtensionBlock(file_->gif, 3, forever.data()) == GIF_OK &&
                      EGifPutExtensionTrailer(file_->gif) == GIF_OK;
    if (!good) fail(file_->gif->Error);
}

void GifWriter::put_frame(const std::vector<std::uint8_t>& pixels, const Box& box, double seconds) {
    GraphicsControlBlock control{};
    control.DisposalMode = DISPOSE_DO_NOT;
    // Viewers take delays below 0.02 s for a mistake and slow down.
    control.DelayTime = static_cast<int>(std::clamp(std::lround(seconds * 100), 2L, 6000L));
    control.TransparentColor = palette_.has_transparent() ? kTransparent : NO_TRANSPARENT_COLOR;
    std::array<GifByteType, 4> extension{};
    EGifGCBToExtension(&control, extension.data());
    bool good = EGifPutExtension(file_->gif, GRAPHICS_EXT_FUNC_CODE, 4, extension.data()) == GIF_OK &&
                EGifPutImageDesc(file_->gif, box.x, box.y, box.width, box.height, false, nullptr) == GIF_OK;
    std::vector<std::uint8_t> line(static_cast<std::size_t>(box.width));
    for (int y = box.y; good && y < box.y + box.height; ++y) {
        for (int x = 0; x < box.width; ++x) {
            const auto i =
                static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(box.x + x);
            const bool same = palette_.has_transparent() && !last_.empty() && last_[i] == pixels[i];
            line[static_cast<std::size_t>(x)] = same ? std::uint8_t{kTransparent} : pixels[i];
        }
        good = EGifPutLine(file_->gif, line.data(), box.width) == GIF_OK;
    }
    if (!good) fail(file_->gif->Error);
}

void GifWriter::add(const Image& image, double seconds) {
    std::vector<std::uint8_t> pixels;
    pixels.reserve(image.pixels.size());
    for (Rgb colour : image.pixels) pixels.push_back(palette_.index(colour));
    if (last_.empty()) begin();
    const Box box = last_.empty() ? Box{0, 0, width_, height_} : changed_box(pixels, last_, width_, height_);
    put_frame(pixels, box, seconds);
    last_ = std::move(pixels);
}

std::string GifWriter::bytes() {
    int code = 0;
    const bool good = EGifCloseFile(file_->gif, &code) == GIF_OK;
    file_->gif = nullptr;
    if (!good) fail(code);
    return std::move(file_->bytes);
}

}  // namespace nowcell

// TIFF and PNM: formats that may hold their samples as they are.
#include "data/formats/checked.h"
#include "data/formats/image_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace nowcell {
namespace {

using Span = std::span<const unsigned char>;

constexpr std::int64_t kMostPages = 100000;
constexpr std::uint32_t kMostValues = 1 << 20;  // strips or tiles
constexpr std::int64_t kMostSide = 1 << 20;
constexpr std::int64_t kMostLzwRatio = 3000;

enum Tag : int {
    kWidth = 256,
    kHeight = 257,
    kBits = 258,
    kCompression = 259,
    kPhotometric = 262,
    kStrips = 273,
    kSamples = 277,
    kRowsPerStrip = 278,
    kStripBytes = 279,
    kPlanar = 284,
    kPredictor = 317,
    kTileWidth = 322,
    kTileHeight = 323,
    kTiles = 324,
    kTileBytes = 325,
    kSampleFormat = 339,
};

// The first directory: the whole numbers of each tag.
class Directory {
 public:
    Directory(Span bytes, const std::string& path) : bytes_(bytes), path_(path), big_(bytes[0] == 'M') {
        if (bytes.size() < 8) refuse(path, "the TIFF is truncated");
        const std::uint32_t magic = number_at(bytes, 2, 2, big_);
        if (magic == 43) refuse(path, "a BigTIFF, which is not read", "convert it: tiffcp -c lzw IN OUT");
        if (magic != 42) refuse(path, "no TIFF");
        std::size_t at = number_at(bytes, 4, 4, big_);
        std::set<std::size_t> seen;
        for (; at != 0; ++pages_) {
            if (!seen.insert(at).second || pages_ >= kMostPages)
                refuse(path, "the pages of the TIFF go round in circles");
            at = read_directory(at, pages_ == 0);
        }
        if (pages_ == 0) refuse(path, "the TIFF has no picture");
    }

    std::int64_t pages() const { return pages_; }

    const std::vector<std::uint32_t>& all(int tag) const {
        static const std::vector<std::uint32_t> none;
        const auto found = values_.find(tag);
        return found == values_.end() ? none : found->second;
    }

    std::int64_t one(int tag, std::int64_t otherwise) const {
        const auto& values = all(tag);
        return values.empty() ? otherwise : std::int64_t{values.front()};
    }

 private:
    std::size_t read_directory(std::size_t at, bool keep) {
        if (at > bytes_.size() || bytes_.size() - at < 2)
            refuse(path_, "the TIFF is truncated: a directory lies behind its end");
        const std::size_t count = number_at(bytes_, at, 2, big_);
        const std::size_t size = 2 + 12 * count;
        if (bytes_.size() - at < size + 4) refuse(path_, "the TIFF is truncated in a directory");
        for (std::size_t i = 0; keep && i < count; ++i) read_entry(at + 2 + 12 * i);
        return number_at(bytes_, at + size, 4, big_);
    }

    void read_entry(std::size_t at) {
        const int tag = static_cast<int>(number_at(bytes_, at, 2, big_));
        const std::uint32_t type = number_at(bytes_, at + 2, 2, big_);
        const std::uint32_t count = number_at(bytes_, at + 4, 4, big_);
        const std::size_t size = type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : 0;
        static const std::set<int> wanted = {kWidth,     kHeight,     kBits,         kCompression, kPhotometric,
                                             kStrips,    kSamples,    kRowsPerStrip, kStripBytes,  kPlanar,
                                             kTileWidth, kTileHeight, kTiles,        kTileBytes,   kSampleFormat};
        if (wanted.count(tag) == 0) return;
        if (size == 0 || count == 0 || count > kMostValues || values_.count(tag) != 0) {
            refuse(path_, fmt::format("the TIFF is malformed in tag {}", tag));
        }
        const std::size_t bytes = size * count;
        const std::size_t from = bytes <= 4 ? at + 8 : number_at(bytes_, at + 8, 4, big_);
        if (from > bytes_.size() || bytes_.size() - from < bytes)
            refuse(path_, fmt::format("the TIFF is truncated: tag {} lies behind its end", tag));
        std::vector<std::uint32_t>& values = values_[tag];
        for (std::size_t i = 0; i < count; ++i) values.push_back(number_at(bytes_, from + i * size, size, big_));
    }

    Span bytes_;
    std::string path_;
    bool big_;
    std::int64_t pages_ = 0;
    std::map<int, std::vector<std::uint32_t>> values_;
};

bool all_equal(const std::vector<std::uint32_t>& values) {
    return std::all_of(values.begin(), values.end(), [&](auto value) { return value == values.front(); });
}

void set_tiff_type(const Directory& tags, const std::string& path, ImageHeader& header) {
    const std::int64_t format = tags.one(kSampleFormat, 1);
    const std::int64_t bits = tags.one(kBits, 1);
    static const std::map<std::pair<std::int64_t, std::int64_t>, StoredType> known = {
        {{8, 1}, StoredType::u8},   {{16, 1}, StoredType::u16}, {{8, 2}, StoredType::i8},   {{16, 2}, StoredType::i16},
        {{32, 1}, StoredType::u32}, {{32, 2}, StoredType::i32}, {{32, 3}, StoredType::f32}, {{64, 3}, StoredType::f64}};
    const auto found = known.find({bits, format});
    if (found == known.end() || !all_equal(tags.all(kBits)) || !all_equal(tags.all(kSampleFormat))) {
        refuse(
            path,
            fmt::format("TIFF samples of {} bits in format {}, expected integers of 8 to 32 bits or floats of 32 or 64",
                        bits, format));
    }
    header.type = found->second;
    header.bits = static_cast<int>(bits);
}

void check_colours(const Directory& tags, const std::string& path, ImageHeader& header) {
    const std::int64_t compression = tags.one(kCompression, 1);
    static const std::set<std::int64_t> read = {1, 5, 8, 32773, 32946};
    if (read.count(compression) == 0) {
        refuse(path, fmt::format("TIFF compression {}, expected none, LZW, deflate or PackBits", compression),
               "convert it: tiffcp -c lzw IN OUT");
    }
    const std::int64_t photometric = tags.one(kPhotometric, 1);
    const std::int64_t samples = tags.one(kSamples, 1);
    header.palette = photometric == 3;
    const bool fits = photometric == 2 ? samples == 3 || samples == 4 : photometric <= 3 && samples == 1;
    if (!fits || (header.palette && header.type != StoredType::u8)) {
        refuse(path, fmt::format("a TIFF of {} samples a pixel with photometric interpretation {}, expected grey, RGB, "
                                 "RGBA or a palette",
                                 samples, photometric));
    }
    header.channels = header.palette ? 3 : samples;
}

// Of strips or tiles: there are enough, and all lie within the file.
void check_pieces(Span bytes, const Directory& tags, const std::string& path, const ImageHeader& header) {
    const bool tiled = !tags.all(kTiles).empty() || !tags.all(kTileWidth).empty();
    const std::int64_t width = tiled ? tags.one(kTileWidth, 0) : header.width;
    const std::int64_t height =
        tiled ? tags.one(kTileHeight, 0) : std::min(tags.one(kRowsPerStrip, header.height), header.height);
    const auto& starts = tags.all(tiled ? kTiles : kStrips);
    const auto& sizes = tags.all(tiled ? kTileBytes : kStripBytes);
    if (width < 1 || height < 1 || width > kMostSide || height > kMostSide)
        refuse(path, "the TIFF has strips or tiles of an impossible size");
    if (tiled && (width > header.width + 1024 || height > header.height + 1024))
        refuse(path, "the TIFF has tiles much larger than its picture");
    const std::int64_t samples = tags.one(kSamples, 1);
    const std::int64_t planes = tags.one(kPlanar, 1) == 2 ? samples : 1;
    const std::int64_t pieces = ((header.width + width - 1) / width) * ((header.height + height - 1) / height) * planes;
    if (static_cast<std::int64_t>(starts.size()) < pieces || starts.size() != sizes.size()) {
        refuse(path, fmt::format("the TIFF has {} strips or tiles and {} sizes of them, expected {}", starts.size(),
                                 sizes.size(), pieces));
    }
    const std::int64_t item = header.bits / 8;
    const std::int64_t ratio = tags.one(kCompression, 1) == 1 ? 1 : kMostLzwRatio;
    std::int64_t there = 0;
    for (std::size_t i = 0; i < starts.size(); ++i) {
        if (starts[i] > bytes.size() || bytes.size() - starts[i] < sizes[i]) {
            refuse(path, fmt::format("the TIFF is truncated: strip or tile {} lies behind its end", i));
        }
        there += sizes[i];
    }
    if (there < header.width * header.height * samples * item / ratio) {
        refuse(path,
               fmt::format("the TIFF of {} x {} pixels has only {} bytes of data", header.width, header.height, there));
    }
}

// Numbers of a PNM header, with comments between them.
class PnmScanner {
 public:
    PnmScanner(Span bytes, const std::string& path) : bytes_(bytes), path_(path) {}

    std::int64_t number() {
        pass_blank();
        std::int64_t out = 0;
        const std::size_t begin = at_;
        for (; at_ < bytes_.size() && bytes_[at_] >= '0' && bytes_[at_] <= '9'; ++at_) {
            out = out * 10 + (bytes_[at_] - '0');
            if (out > kMostSide) refuse(path_, "a PNM header with an impossible number");
        }
        if (at_ == begin) refuse(path_, "a PNM header that is malformed or truncated");
        return out;
    }

    std::int64_t position() const { return static_cast<std::int64_t>(at_); }

 private:
    void pass_blank() {
        for (bool comment = false; at_ < bytes_.size(); ++at_) {
            const unsigned char c = bytes_[at_];
            if (c == '#') comment = true;
            if (c == '\n' || c == '\r') comment = false;
            if (!comment && c != ' ' && (c < '\t' || c > '\r')) return;
        }
    }

    Span bytes_;
    std::string path_;
    std::size_t at_ = 2;
};

}  // namespace

ImageHeader parse_tiff(Span bytes, const std::string& path) {
    const Directory tags(bytes, path);
    ImageHeader header;
    header.format = "TIFF";
    header.pages = tags.pages();
    header.width = tags.one(kWidth, 0);
    header.height = tags.one(kHeight, 0);
    if (header.width < 1 || header.height < 1 || header.width > kMostSide || header.height > kMostSide) {
        refuse(path,
               fmt::format("TIFF of {} x {} pixels, expected 1 to {} a side", header.width, header.height, kMostSide));
    }
    set_tiff_type(tags, path, header);
    check_colours(tags, path, header);
    check_pieces(bytes, tags, path, header);
    return header;
}

ImageHeader parse_pnm(Span bytes, const std::string& path) {
    ImageHeader header;
    header.format = "PNM";
    if (bytes.size() < 3 || bytes[1] < '1' || bytes[1] > '6') refuse(path, "no PNM picture");
    header.variant = static_cast<char>(bytes[1]);
    PnmScanner scanner(bytes, path);
    header.width = scanner.number();
    header.height = scanner.number();
    const bool bitmap = header.variant == '1' || header.variant == '4';
    const std::int64_t most = bitmap ? 1 : scanner.number();
    if (header.width < 1 || header.height < 1 || most < 1 || most > 65535) {
        refuse(path,
               fmt::format("PNM of {} x {} pixels up to {}, which there is not", header.width, header.height, most));
    }
    header.bits = bitmap ? 1 : most > 255 ? 16 : 8;
    header.type = most > 255 ? StoredType::u16 : StoredType::u8;
    header.channels = header.variant == '3' || header.variant == '6' ? 3 : 1;
    header.body = scanner.position() + 1;
    const std::int64_t samples = header.width * header.height * header.channels;
    const bool text = header.variant <= '3';
    const std::int64_t expected = text     ? (bitmap ? samples : 2 * samples - 1)
                                  : bitmap ? (header.width + 7) / 8 * header.height
                                           : samples * header.bits / 8;
    const std::int64_t there = static_cast<std::int64_t>(bytes.size()) - header.body;
    if (there < expected) {
        refuse(path, fmt::format("the PNM is truncated: got {} bytes behind its header, expected {}", there, expected));
    }
    return header;
}

}  // namespace nowcell

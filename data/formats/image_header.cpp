#include "data/formats/image_header.h"

#include "data/formats/checked.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cctype>
#include <string_view>

namespace nowcell {
namespace {

using Span = std::span<const unsigned char>;

constexpr std::int64_t kMostSide = 1 << 20;  // OpenCV's own limit
constexpr std::size_t kPngStart = 8;
constexpr std::int64_t kMostDeflateRatio = 1032;
constexpr int kMostScans = 200;  // each is decoded over the whole picture

bool begins(Span bytes, std::string_view magic) {
    return bytes.size() >= magic.size() &&
           std::string_view(reinterpret_cast<const char*>(bytes.data()), magic.size()) == magic;
}

void check_sides(const ImageHeader& header, const std::string& path) {
    if (header.width >= 1 && header.height >= 1 && header.width <= kMostSide && header.height <= kMostSide) return;
    refuse(path, fmt::format("{} of {} x {} pixels, expected 1 to {} a side", header.format, header.width,
                             header.height, kMostSide));
}

struct Chunk {
    std::size_t at = 0;    // of its length
    std::size_t size = 0;  // of its data
    std::string type;

    std::size_t data() const { return at + 8; }
    std::size_t end() const { return at + size + 12; }
    bool critical() const { return type[0] >= 'A' && type[0] <= 'Z'; }
};

Chunk chunk_at(Span bytes, std::size_t at, const std::string& path) {
    if (bytes.size() - at < 12) refuse(path, fmt::format("the PNG is truncated at byte {}: no IEND", bytes.size()));
    Chunk chunk{at, number_at(bytes, at, 4, true), ""};
    for (std::size_t i = at + 4; i < at + 8; ++i) {
        if (std::isalpha(bytes[i]) == 0) refuse(path, fmt::format("the PNG has no chunk at byte {}", at));
        chunk.type += static_cast<char>(bytes[i]);
    }
    if (chunk.size > bytes.size() - at - 12) {
        refuse(path, fmt::format("the PNG is truncated: chunk {} at byte {} has {} bytes, expected {}", chunk.type, at,
                                 bytes.size() - at - 12, chunk.size));
    }
    if (chunk.critical()) {
        const auto crc = crc32(0, bytes.data() + at + 4, static_cast<unsigned>(chunk.size + 4));
        if (crc != number_at(bytes, chunk.end() - 4, 4, true)) {
            refuse(path,
                   fmt::format("the PNG is corrupt: the checksum of chunk {} at byte {} differs", chunk.type, at));
        }
    }
    return chunk;
}

void set_png_type(ImageHeader& header, int colours, const std::string& path) {
    const int bits = header.bits;
    const bool small = bits == 1 || bits == 2 || bits == 4;
    const bool fits = (bits == 8) || (bits == 16 && colours != 3) || (small && (colours == 0 || colours == 3));
    if (!fits || colours < 0 || colours > 6 || colours == 1 || colours == 5) {
        refuse(path, fmt::format("PNG colour type {} with {} bits, which there is not", colours, bits));
    }
    header.palette = colours == 3;
    header.channels = colours == 0 ? 1 : colours == 4 ? 2 : colours == 6 ? 4 : 3;
    header.type = bits == 16 ? StoredType::u16 : StoredType::u8;
}

ImageHeader png_start(Span bytes, const Chunk& chunk, const std::string& path) {
    if (chunk.type != "IHDR" || chunk.size != 13) refuse(path, "the PNG does not begin with an IHDR chunk");
    const std::size_t at = chunk.data();
    ImageHeader header;
    header.format = "PNG";
    header.width = number_at(bytes, at, 4, true);
    header.height = number_at(bytes, at + 4, 4, true);
    header.bits = bytes[at + 8];
    check_sides(header, path);
    set_png_type(header, bytes[at + 9], path);
    if (bytes[at + 10] != 0 || bytes[at + 11] != 0 || bytes[at + 12] > 1) {
        refuse(path, "an unknown compression, filter or interlace method of PNG");
    }
    return header;
}

bool is_frame(int marker) {
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

struct Segment {
    int marker = 0;
    std::size_t at = 0;   // of its marker's code
    std::size_t end = 0;  // behind it
};

// The segment whose marker begins at `at`, fill bytes passed over.
Segment segment_at(Span bytes, std::size_t at, const std::string& path) {
    const auto truncated = [&] {
        refuse(path, fmt::format("the JPEG is truncated at byte {}: no end marker", bytes.size()));
    };
    if (at >= bytes.size()) truncated();
    if (bytes[at] != 0xff) refuse(path, fmt::format("the JPEG is corrupt: no marker at byte {}", at));
    while (at < bytes.size() && bytes[at] == 0xff) ++at;
    if (at >= bytes.size()) truncated();
    const int marker = bytes[at];
    if (marker == 0xd9 || marker == 0xd8 || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
        return {marker, at, at + 1};
    }
    if (bytes.size() - at < 3) truncated();
    const std::size_t length = number_at(bytes, at + 1, 2, true);
    if (length < 2 || marker == 0) refuse(path, fmt::format("the JPEG is corrupt at byte {}", at));
    if (length > bytes.size() - at - 1) truncated();
    return {marker, at, at + 1 + length};
}

// Behind the coded data of a scan: at the next marker that is no restart.
std::size_t scan_end(Span bytes, std::size_t at) {
    while (at + 1 < bytes.size()) {
        const int next = bytes[at + 1];
        if (bytes[at] == 0xff && next != 0 && next != 0xff && (next < 0xd0 || next > 0xd7)) return at;
        ++at;
    }
    return bytes.size();
}

void read_frame(Span bytes, const Segment& segment, const std::string& path, ImageHeader& header) {
    if (header.width != 0) refuse(path, "a JPEG with two frames");
    if (segment.marker > 0xc2)
        refuse(path, fmt::format("JPEG process {}, expected baseline or progressive", segment.marker - 0xc0));
    if (segment.end - segment.at < 9) refuse(path, "the JPEG has a frame header that is too short");
    header.bits = bytes[segment.at + 3];
    header.height = number_at(bytes, segment.at + 4, 2, true);
    header.width = number_at(bytes, segment.at + 6, 2, true);
    const int components = bytes[segment.at + 8];
    if (header.bits != 8) refuse(path, fmt::format("JPEG of {} bits, expected 8", header.bits));
    if (components != 1 && components != 3)
        refuse(path, fmt::format("JPEG of {} colours, expected grey or RGB", components));
    header.channels = components;
    check_sides(header, path);
}

}  // namespace

ImageHeader parse_png(Span bytes, const std::string& path) {
    Chunk chunk = chunk_at(bytes, kPngStart, path);
    ImageHeader header = png_start(bytes, chunk, path);
    std::int64_t packed = 0;
    bool colours = false;
    while (chunk.type != "IEND") {
        chunk = chunk_at(bytes, chunk.end(), path);
        if (chunk.type == "IHDR") refuse(path, "a PNG with two headers");
        if (chunk.type == "IDAT") packed += static_cast<std::int64_t>(chunk.size);
        if (chunk.type == "PLTE") colours = chunk.size >= 3 && chunk.size <= 768 && chunk.size % 3 == 0;
        // OpenCV makes alpha of the transparent colours of these two.
        if (chunk.type == "tRNS" && header.channels == 3 && chunk.size > 0) header.channels = 4;
    }
    if (header.palette && !colours) refuse(path, "a PNG with a palette that is missing or malformed");
    const std::int64_t samples = header.palette ? 1 : header.channels;
    const std::int64_t row = (header.width * samples * header.bits + 7) / 8;
    if (row * header.height / kMostDeflateRatio > packed) {
        refuse(path,
               fmt::format("the PNG of {} x {} pixels has only {} bytes of data", header.width, header.height, packed));
    }
    return header;
}

ImageHeader parse_jpeg(Span bytes, const std::string& path) {
    ImageHeader header;
    header.format = "JPEG";
    std::int64_t coded = 0;
    int scans = 0;
    for (std::size_t at = 2;;) {
        const Segment segment = segment_at(bytes, at, path);
        at = segment.end;
        if (is_frame(segment.marker)) read_frame(bytes, segment, path, header);
        if (segment.marker == 0xd9) break;
        if (segment.marker != 0xda) continue;
        if (header.width == 0) refuse(path, "the JPEG has data in front of its frame header");
        if (++scans > kMostScans) refuse(path, fmt::format("a JPEG with more than {} scans", kMostScans));
        at = scan_end(bytes, segment.end);
        coded += static_cast<std::int64_t>(at - segment.end);
    }
    // A block of 8 x 8 pixels takes a bit at least.
    const std::int64_t blocks = ((header.width + 7) / 8) * ((header.height + 7) / 8);
    if (scans == 0 || coded < blocks / 8) {
        refuse(path,
               fmt::format("the JPEG of {} x {} pixels has only {} bytes of data", header.width, header.height, coded));
    }
    return header;
}

ImageHeader parse_image_header(Span bytes, const std::string& path) {
    if (begins(bytes, "\x89PNG\r\n\x1a\n")) return parse_png(bytes, path);
    if (begins(bytes, "\xff\xd8\xff")) return parse_jpeg(bytes, path);
    if (begins(bytes, "II") || begins(bytes, "MM")) return parse_tiff(bytes, path);
    if (begins(bytes, "P")) return parse_pnm(bytes, path);
    refuse(path, "no PNG, JPEG, TIFF or PNM picture");
}

std::vector<unsigned char> without_ballast(Span bytes) {
    std::vector<unsigned char> out;
    const auto keep = [&](std::size_t from, std::size_t to) {
        out.insert(out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(from),
                   bytes.begin() + static_cast<std::ptrdiff_t>(to));
    };
    if (begins(bytes, "\x89PNG")) {
        keep(0, kPngStart);
        Chunk chunk{kPngStart, 0, ""};
        for (std::size_t at = kPngStart; chunk.type != "IEND"; at = chunk.end()) {
            chunk = chunk_at(bytes, at, "");
            if (chunk.critical() || chunk.type == "tRNS") keep(chunk.at, chunk.end());
        }
        return out;
    }
    if (!begins(bytes, "\xff\xd8\xff")) return {bytes.begin(), bytes.end()};
    keep(0, 2);
    for (std::size_t at = 2;;) {
        const Segment segment = segment_at(bytes, at, "");
        // JFIF (0) and Adobe (14) tell how colours are coded.
        const bool ballast =
            (segment.marker >= 0xe1 && segment.marker <= 0xef && segment.marker != 0xee) || segment.marker == 0xfe;
        at = segment.marker == 0xda ? scan_end(bytes, segment.end) : segment.end;
        if (!ballast) keep(segment.at - 1, at);
        if (segment.marker == 0xd9) return out;
    }
}

}  // namespace nowcell

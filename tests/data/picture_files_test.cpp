#include "data/formats/frame_reader.h"
#include "data/formats/name_times.h"
#include "data/formats/stored.h"
#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>
#include <tiffio.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

using namespace nowcell;

namespace {

SourceOptions options(const std::string& path) {
    SourceOptions out;
    out.path = path;
    return out;
}

void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string read_whole(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string refusal(const std::string& path) {
    try {
        open_frames(options(path));
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::data);
        return error.what();
    }
    return "opened";
}

void check_refused(const TemporaryFolder& folder, const std::string& bytes, const std::string& why) {
    const std::string path = folder.path("refused");
    write(path, bytes);
    const std::string got = refusal(path);
    INFO(got);
    CHECK(holds(got, why));
}

std::vector<float> all_of(FrameReader& reader, std::int64_t recording = 0) {
    const SourceInfo& info = reader.info();
    const std::int64_t frames = info.frames[static_cast<std::size_t>(recording)];
    std::vector<float> out(static_cast<std::size_t>(frames * info.channels * info.height * info.width));
    reader.read(recording, 0, frames, out.data());
    return out;
}

// Row y, column x, channel c (RGBA) of what the files of these tests hold.
int counted(int y, int x, int c, int most) { return (y * 37 + x * 11 + c * 71) % most; }

template <typename T>
cv::Mat picture(int type, int rows = 5, int columns = 7, int most = 251) {
    cv::Mat out(rows, columns, type);
    for (int y = 0; y < rows; ++y) {
        for (int x = 0; x < columns; ++x) {
            for (int c = 0; c < out.channels(); ++c) {
                const int rgb = out.channels() >= 3 && c < 3 ? 2 - c : c;
                out.ptr<T>(y)[x * out.channels() + c] = static_cast<T>(counted(y, x, rgb, most));
            }
        }
    }
    return out;
}

bool counts(const std::vector<float>& values, int channels, int rows, int columns, int most) {
    if (values.size() != static_cast<std::size_t>(channels * rows * columns)) return false;
    const float* value = values.data();
    for (int c = 0; c < channels; ++c) {
        for (int y = 0; y < rows; ++y) {
            for (int x = 0; x < columns; ++x, ++value) {
                if (*value != static_cast<float>(counted(y, x, c, most))) return false;
            }
        }
    }
    return true;
}

}  // namespace

TEST_CASE("PNG, PGM and PPM of 8 and 16 bits read as they are stored, colours as RGB", "[pictures]") {
    const TemporaryFolder folder;
    struct Case {
        std::string name;
        cv::Mat image;
        std::string type;
        std::string order;
        int most;
    };
    const std::vector<Case> cases = {
        {"a.png", picture<std::uint8_t>(CV_8UC1), "uint8", "grey", 251},
        {"b.png", picture<std::uint8_t>(CV_8UC3), "uint8", "RGB", 251},
        {"c.png", picture<std::uint8_t>(CV_8UC4), "uint8", "RGBA", 251},
        {"d.png", picture<std::uint16_t>(CV_16UC1, 5, 7, 60001), "uint16", "grey", 60001},
        {"e.png", picture<std::uint16_t>(CV_16UC3, 5, 7, 60001), "uint16", "RGB", 60001},
        {"f.png", picture<std::uint16_t>(CV_16UC4, 5, 7, 60001), "uint16", "RGBA", 60001},
        {"g.pgm", picture<std::uint8_t>(CV_8UC1), "uint8", "grey", 251},
        {"h.ppm", picture<std::uint8_t>(CV_8UC3), "uint8", "RGB", 251},
        {"i.pgm", picture<std::uint16_t>(CV_16UC1, 5, 7, 60001), "uint16", "grey", 60001},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        const std::string path = folder.path(one.name);
        cv::imwrite(path, one.image);
        const auto reader = open_frames(options(path));
        CHECK(reader->info().stored_type == one.type);
        CHECK(reader->info().channel_order == one.order);
        CHECK(reader->info().units == "1");
        CHECK(reader->info().scale == 1.0);
        CHECK(counts(all_of(*reader), one.image.channels(), 5, 7, one.most));
        const std::string bytes = read_whole(path);
        for (const std::size_t size : {bytes.size() - 1, bytes.size() / 2}) {
            check_refused(folder, bytes.substr(0, size), "truncated");
        }
    }
}

TEST_CASE("PNM as text, as bits, with comments and of odd ranges", "[pictures]") {
    const TemporaryFolder folder;
    const auto values = [&](const std::string& bytes) {
        write(folder.path("a.pnm"), bytes);
        return all_of(*open_frames(options(folder.path("a.pnm"))));
    };
    using Values = std::vector<float>;
    CHECK(values("P2\n# 9 9\n3 2 # x\n100\n1 2 3\n4 50\n100") == Values{1, 2, 3, 4, 50, 100});
    CHECK(values("P1\n3 2\n1 0 1\n011") == Values{0, 255, 0, 255, 0, 0});
    CHECK(values("P3 1 2 300\n1 0 1 299 300 7\n") == Values{1, 299, 0, 300, 1, 7});
    CHECK(values(std::string("P4 9 2\n\x80\0\xff\x80", 11)) ==
          Values{0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    CHECK(values(std::string("P5\n# KNMI\n#\n2 1\n65535\n\x01\x02\0\x03", 26)) == Values{258, 3});
    check_refused(folder, "P2 3 2 100 1 2 3 4 5", "truncated");
    check_refused(folder, "P5 99999999999 2 255\n123", "impossible");
    check_refused(folder, "P5 3 2 70000\n123456123456", "which there is not");
    check_refused(folder, "P5 1000000 1000000 255\n123", "truncated");
    check_refused(folder, "P5 # only a comment", "malformed or truncated");
}

TEST_CASE("JPEG reads as OpenCV decodes it; truncated it is refused", "[pictures]") {
    const TemporaryFolder folder;
    for (const int type : {CV_8UC1, CV_8UC3}) {
        for (const int progressive : {0, 1}) {
            const std::string path = folder.path("a.jpg");
            cv::imwrite(path, picture<std::uint8_t>(type, 40, 50), {cv::IMWRITE_JPEG_PROGRESSIVE, progressive});
            const cv::Mat expected = cv::imread(path, cv::IMREAD_UNCHANGED);
            const std::vector<float> got = all_of(*open_frames(options(path)));
            REQUIRE(got.size() == expected.total() * static_cast<std::size_t>(expected.channels()));
            const int last = expected.channels() - 1;
            CHECK(got[50 * 7 + 3] == expected.ptr<std::uint8_t>(7)[3 * expected.channels() + last]);
            CHECK(got[got.size() - 1] == expected.ptr<std::uint8_t>(39)[49 * expected.channels()]);
            const std::string bytes = read_whole(path);
            for (std::size_t size = 3; size < bytes.size(); size += 50) {
                check_refused(folder, bytes.substr(0, size), "JPEG");
            }
            check_refused(folder, bytes.substr(0, bytes.size() - 1), "the JPEG is truncated");
        }
    }
}

namespace {

struct TiffKind {
    StoredType type;
    int bits;
    int format;
};

// A picture that counts, written by libtiff.
void write_tiff(const std::string& path, const TiffKind& kind, int samples, bool big, bool planes, bool tiles,
                int compression) {
    constexpr int kRows = 21;
    constexpr int kColumns = 19;
    TIFF* tiff = TIFFOpen(path.c_str(), big ? "wb" : "wl");
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, kColumns);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, kRows);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, kind.bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, kind.format);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, samples);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, samples == 1 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, planes ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, compression);
    const std::uint16_t alpha = EXTRASAMPLE_UNASSALPHA;
    if (samples == 4) TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &alpha);
    const int rows = tiles ? 16 : 8;
    const int columns = tiles ? 16 : kColumns;
    if (tiles) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, 16);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, rows);
    }
    const auto item = size_of(kind.type);
    std::uint32_t piece = 0;
    for (int plane = 0; plane < (planes ? samples : 1); ++plane) {
        for (int y = 0; y < kRows; y += rows) {
            for (int x = 0; x < kColumns; x += columns, ++piece) {
                const int here = tiles ? rows : std::min(rows, kRows - y);
                std::string bytes;
                for (int i = 0; i < here * columns * (planes ? 1 : samples); ++i) {
                    const int pixel = planes ? i : i / samples;
                    const int c = planes ? plane : i % samples;
                    const int value = counted(y + pixel / columns, x + pixel % columns, c, 100);
                    const auto real = static_cast<float>(value);
                    const double wide = value;
                    const void* from = kind.type == StoredType::f32   ? static_cast<const void*>(&real)
                                       : kind.type == StoredType::f64 ? static_cast<const void*>(&wide)
                                                                      : static_cast<const void*>(&value);
                    bytes.append(static_cast<const char*>(from), item);
                }
                const auto size = static_cast<tmsize_t>(bytes.size());
                if (tiles) TIFFWriteEncodedTile(tiff, piece, bytes.data(), size);
                if (!tiles) TIFFWriteEncodedStrip(tiff, piece, bytes.data(), size);
            }
        }
    }
    TIFFClose(tiff);
}

}  // namespace

TEST_CASE("TIFF of every type, byte order, arrangement and compression reads the same numbers", "[pictures]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("a.tif");
    const std::vector<TiffKind> kinds = {{StoredType::u8, 8, 1},   {StoredType::i8, 8, 2},   {StoredType::u16, 16, 1},
                                         {StoredType::i16, 16, 2}, {StoredType::u32, 32, 1}, {StoredType::i32, 32, 2},
                                         {StoredType::f32, 32, 3}, {StoredType::f64, 64, 3}};
    for (const TiffKind& kind : kinds) {
        for (const int samples : {1, 3, 4}) {
            for (int variant = 0; variant < 8; ++variant) {
                const bool planes = (variant & 2) != 0 && samples > 1;
                for (const int compression :
                     {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS}) {
                    CAPTURE(to_string(kind.type), samples, variant, compression);
                    write_tiff(path, kind, samples, (variant & 1) != 0, planes, (variant & 4) != 0, compression);
                    const auto reader = open_frames(options(path));
                    CHECK(reader->info().stored_type == to_string(kind.type));
                    CHECK(counts(all_of(*reader), samples, 21, 19, 100));
                }
            }
        }
    }
    const std::string bytes = read_whole(path);
    for (std::size_t size = 4; size < bytes.size() - 1; size += 20)
        check_refused(folder, bytes.substr(0, size), "TIFF");
    std::string round = bytes;  // the next page is the first again
    const auto little = [&](std::size_t at, std::size_t size) {
        std::size_t out = 0;
        for (std::size_t i = size; i-- > 0;) out = out << 8 | static_cast<unsigned char>(round[at + i]);
        return out;
    };
    write_tiff(path, kinds[0], 1, false, false, false, COMPRESSION_NONE);
    round = read_whole(path);
    const std::size_t directory = little(4, 4);
    round.replace(directory + 2 + 12 * little(directory, 2), 4, round.substr(4, 4));
    check_refused(folder, round, "in circles");
    std::string big_tiff("II+\0\x08\0\0\0", 8);
    big_tiff.resize(108);
    check_refused(folder, big_tiff, "BigTIFF");
}

TEST_CASE("a folder of frames: natural order, gaps and times from the names", "[pictures]") {
    const auto times = [](const std::vector<std::string>& names) { return times_of(names); };
    using Breaks = std::vector<std::int64_t>;
    CHECK(times({"frame_0004.png", "frame_0005.png", "frame_0007.png", "frame_0008.png"}).breaks == Breaks{2});
    CHECK(holds(times({"f1.png", "f2.png", "f4.png", "f5.png"}).note,
                "1 gap in the names, the first between f2.png and f4.png"));
    CHECK(times({"f10.png", "f20.png", "f30.png"}).breaks.empty());
    CHECK(times({"a.png", "b.png"}).breaks.empty());
    const NameTimes hko =
        times({"RAD090101000000.png", "RAD090101000600.png", "RAD090101001200.png", "RAD090101003000.png"});
    CHECK(hko.step_s == 360.0);
    CHECK(hko.start == "2009-01-01 00:00:00");
    CHECK(hko.breaks == Breaks{3});
    const std::map<std::string, std::string> next = {
        {"radar_201008260000.h5", "radar_201008260005.h5"}, {"201008260000_a1.png", "201008260005_a1.png"},
        {"20100826000000.png", "20100826000500.png"},       {"x-20100826T0000Z.png", "x-20100826T0005Z.png"},
        {"20100826_000000.png", "20100826_000500.png"},     {"2010-08-26T00:00:00.png", "2010-08-26T00:05:00.png"},
        {"2010-08-26_00-00.png", "2010-08-26_00-05.png"},   {"2010_08_26_0000.png", "2010_08_26_0005.png"}};
    for (const auto& [first, second] : next) {
        CAPTURE(first);
        CHECK(times({first, second}).step_s == 300.0);
        CHECK(times({first, second}).start == "2010-08-26 00:00:00");
    }
    CHECK(times({"20100228.png", "20100301.png"}).step_s == 86400.0);
    CHECK(times({"20100229.png", "20100301.png"}).step_s == 0.0);

    const TemporaryFolder folder;
    for (int i = 1; i <= 12; ++i) {
        if (i == 5) continue;
        cv::imwrite(folder.path(fmt::format("frame{}.png", i)), cv::Mat(4, 6, CV_8UC1, cv::Scalar(i)));
    }
    write(folder.path("readme.txt"), "hello");
    const auto reader = open_frames(options(folder.path()));
    CHECK(reader->info().format == "folder of PNG");
    CHECK(reader->info().frames == std::vector<std::int64_t>{11});
    CHECK(reader->info().breaks == std::vector<Breaks>{{4}});
    const std::vector<float> values = all_of(*reader);
    for (std::size_t i = 0; i < 11; ++i) CHECK(values[24 * i] == static_cast<float>(i < 4 ? i + 1 : i + 2));
    cv::imwrite(folder.path("frame13.png"), cv::Mat(4, 5, CV_8UC1, cv::Scalar(1)));
    CHECK(holds(refusal(folder.path()), "frame13.png: got 5 x 4 pixels grey uint8, expected 6 x 4 pixels grey uint8"));
    cv::imwrite(folder.path("frame13.png"), cv::Mat(4, 6, CV_16UC1, cv::Scalar(1)));
    CHECK(holds(refusal(folder.path()), "got 6 x 4 pixels grey uint16"));
}

TEST_CASE("sub-folders of pictures are recordings", "[pictures]") {
    const TemporaryFolder folder;
    for (const std::string name : {"v_A_g01", "v_A_g02"}) {
        std::filesystem::create_directory(folder.path(name));
        const int frames = name == "v_A_g01" ? 2 : 3;
        for (int i = 0; i < frames; ++i) {
            cv::imwrite(folder.path(fmt::format("{}/{:04}.png", name, i)),
                        cv::Mat(4, 6, CV_8UC3, cv::Scalar(1, 2, frames)));
        }
    }
    SourceOptions from = options(folder.path());
    int alive = 0;
    from.alive = [&] { ++alive; };
    const auto reader = open_frames(from);
    CHECK(alive == 5);
    CHECK(reader->info().frames == std::vector<std::int64_t>{2, 3});
    CHECK(all_of(*reader, 0)[0] == 2.0F);  // red
    CHECK(all_of(*reader, 1)[0] == 3.0F);
    CHECK(all_of(*reader, 1)[48] == 1.0F);  // blue
}

TEST_CASE("pictures that are larger than the limit are refused before they are decoded", "[pictures]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("zeros.png");
    cv::imwrite(path, cv::Mat(3000, 3000, CV_8UC3, cv::Scalar(0)));
    SourceOptions from = options(path);
    from.limits.memory = 64 << 20;
    CHECK_THROWS_WITH(open_frames(from), Catch::Matchers::Contains("take more than the limit of 8388608 bytes"));
    std::string bomb = read_whole(path);
    check_refused(folder, bomb.replace(16, 8, std::string("\0\x0f\xff\xff\0\x0f\xff\xff", 8)),
                  "checksum of chunk IHDR");
}

TEST_CASE("odd and hostile pictures are read right or refused", "[pictures]") {
    const std::string folder = shared_data("hostile_images");
    if (folder.empty()) {
        WARN("skipped: no hostile pictures");
        return;
    }
    // Valid ones: channels, and the sum of all values as Pillow reads them (of 16-bit colours, which it
    // shortens, as decoded here).
    const std::map<std::string, std::pair<int, double>> valid = {
        {"basn0g02.png", {1, 130560}},
        {"basn0g08.png", {1, 130056}},
        {"basn2c08.png", {3, 587520}},
        {"basn3p01.png", {3, 470016}},
        {"basn3p04.png", {3, 394944}},
        {"basn4a08.png", {2, 260160}},
        {"basn6a08.png", {4, 525984}},
        {"broken_exif_dpi.jpg", {3, 1290000}},
        {"ftbbn0g01.png", {1, 71655}},
        {"ftbbn0g04.png", {1, 175831}},
        {"ftbbn3p08.png", {4, 668434}},
        {"ftbgn3p08.png", {4, 668434}},
        {"ftbwn0g16.png", {1, 45185017}},
        {"ftbyn3p08.png", {4, 668434}},
        {"ftp0n2c08.png", {3, 349312}},
        {"ftp1n3p08.png", {4, 668434}},
        {"ibasn0g01.png", {1, 127500}},
        {"ibasn0g04.png", {1, 121856}},
        {"ibasn0g16.png", {1, 37857070}},
        {"ibasn2c16.png", {3, 78641960}},
        {"ibasn3p02.png", {3, 326400}},
        {"ibasn4a08.png", {2, 260160}},
        {"ibasn6a08.png", {4, 525984}},
        {"iftbbn0g01.png", {1, 71655}},
        {"iftbbn0g04.png", {1, 175831}},
        {"iftbbn2c16.png", {4, 171899393}},
        {"iftbgn2c16.png", {4, 171899393}},
        {"iftbrn2c08.png", {4, 668869}},
        {"iftbwn3p08.png", {4, 668434}},
        {"iftp0n0g08.png", {1, 117825}},
        {"iftp0n3p08.png", {3, 349132}},
        {"invalid-exif.jpg", {3, 11051121}},
        {"small-palette-1.png", {3, 255}},
        {"small-palette-4.png", {3, 6988}},
        {"test-palette-1.png", {3, 538560}},
        {"test-palette-4.png", {3, 1828736}},
        {"truncated_exif_dpi.jpg", {3, 235008000}},
    };
    std::size_t read = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        CAPTURE(name);
        const auto found = valid.find(name);
        try {
            const auto reader = open_frames(options(entry.path().string()));
            const std::vector<float> values = all_of(*reader);
            double sum = 0.0;
            for (const float value : values) sum += value;
            REQUIRE(found != valid.end());
            CHECK(reader->info().channels == found->second.first);
            CHECK(sum == found->second.second);
            ++read;
        } catch (const Error& error) {
            CHECK(error.code() == ExitCode::data);
            INFO(error.what());
            CHECK(found == valid.end());
        }
    }
    CHECK(read == valid.size());
}

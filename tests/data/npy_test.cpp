#include "data/formats/frame_reader.h"
#include "data/formats/idx.h"
#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <zip.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>

using namespace nowcell;

namespace {

using Shape = std::vector<std::int64_t>;

void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

template <typename T>
std::string bytes_of(T value, bool big) {
    std::string out(reinterpret_cast<const char*>(&value), sizeof value);
    if (big == (std::endian::native == std::endian::little)) std::reverse(out.begin(), out.end());
    return out;
}

// Whole numbers from 0 to 1023 are exact in float16.
std::uint16_t half(int value) {
    if (value == 0) return 0;
    const int exponent = static_cast<int>(std::log2(value));
    return static_cast<std::uint16_t>((exponent + 15) << 10 | ((value << 10 >> exponent) & 1023));
}

std::string number(const std::string& type, int value, bool big) {
    if (type == "b1" || type == "u1" || type == "i1") return std::string(1, static_cast<char>(value));
    if (type == "u2" || type == "i2") return bytes_of(static_cast<std::int16_t>(value), big);
    if (type == "u4" || type == "i4") return bytes_of(static_cast<std::int32_t>(value), big);
    if (type == "u8" || type == "i8") return bytes_of(static_cast<std::int64_t>(value), big);
    if (type == "f2") return bytes_of(half(value), big);
    if (type == "f4") return bytes_of(static_cast<float>(value), big);
    return bytes_of(static_cast<double>(value), big);
}

std::string npy_header(const std::string& descr, bool fortran, const std::string& shape, int version = 1) {
    std::string text =
        fmt::format("{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}", descr, fortran ? "True" : "False", shape);
    while ((text.size() + 13) % 16 != 0) text += ' ';
    text += '\n';
    std::string out = "\x93NUMPY";
    out += static_cast<char>(version);
    out += '\0';
    const auto length = static_cast<std::uint32_t>(text.size());
    const std::string size = bytes_of(length, false);
    return out + (version == 1 ? size.substr(0, 2) : size) + text;
}

std::string npy_header(const std::string& type, bool big, bool fortran, const Shape& shape, int version = 1) {
    const std::string order = type == "b1" ? "|" : big ? ">" : "<";
    std::string tuple = "(";
    for (const std::int64_t size : shape) tuple += fmt::format("{}, ", size);
    tuple += ")";
    return npy_header("'" + order + type + "'", fortran, tuple, version);
}

// The value that an array counts at a position: what frames are compared with.
int counted(std::int64_t flat, const std::string& type) { return static_cast<int>(flat % (type == "b1" ? 2 : 101)); }

std::int64_t product(const Shape& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

// The array that counts in C order, as it is stored.
std::string npy(const std::string& type, bool big, bool fortran, const Shape& shape, int version = 1) {
    std::string out = npy_header(type, big, fortran, shape, version);
    for (std::int64_t stored = 0; stored < product(shape); ++stored) {
        std::int64_t rest = stored;
        std::int64_t flat = 0;
        if (fortran) {
            std::int64_t stride = product(shape);
            for (const std::int64_t size : shape) {
                stride /= size;
                flat += rest % size * stride;
                rest /= size;
            }
        }
        out += number(type, counted(fortran ? flat : stored, type), big);
    }
    return out;
}

SourceOptions options(const std::string& path, const std::string& layout = "auto", const std::string& dataset = "") {
    SourceOptions out;
    out.path = path;
    out.layout = layout;
    out.dataset = dataset;
    return out;
}

// Every value of every frame against the array that counts, read in pieces of one and of three frames.
bool counts(FrameReader& reader, const std::string& layout, const Shape& shape, const std::string& type) {
    const SourceInfo& info = reader.info();
    const auto index_of = [&](std::map<char, std::int64_t> at) {
        std::int64_t flat = 0;
        for (std::size_t i = 0; i < shape.size(); ++i) flat = flat * shape[i] + at[layout[i]];
        return flat;
    };
    for (const std::int64_t piece : {1, 3}) {
        std::vector<float> out(static_cast<std::size_t>(piece * info.channels * info.height * info.width));
        for (std::int64_t n = 0; n < static_cast<std::int64_t>(info.frames.size()); ++n) {
            const std::int64_t frames = info.frames[static_cast<std::size_t>(n)];
            for (std::int64_t first = 0; first < frames; first += piece) {
                const std::int64_t count = std::min(piece, frames - first);
                if (reader.read(n, first, count, out.data()) != 0) return false;
                const float* value = out.data();
                for (std::int64_t t = first; t < first + count; ++t) {
                    for (std::int64_t c = 0; c < info.channels; ++c) {
                        for (std::int64_t y = 0; y < info.height; ++y) {
                            for (std::int64_t x = 0; x < info.width; ++x, ++value) {
                                const auto flat = index_of({{'n', n}, {'t', t}, {'c', c}, {'h', y}, {'w', x}});
                                if (*value != static_cast<float>(counted(flat, type))) return false;
                            }
                        }
                    }
                }
            }
        }
    }
    return true;
}

Shape shape_of(const std::string& layout) {
    const std::map<char, std::int64_t> sizes = {{'n', 2}, {'t', 5}, {'c', 3}, {'h', 6}, {'w', 7}};
    Shape out;
    for (const char letter : layout) out.push_back(sizes.at(letter));
    return out;
}

std::string refusal(const SourceOptions& from) {
    try {
        open_frames(from);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::data);
        return error.what();
    }
    return "opened";
}

void check_refused(const TemporaryFolder& folder, const std::string& bytes, const std::string& why) {
    const std::string path = folder.path("refused");
    write(path, bytes);
    const std::string got = refusal(options(path));
    INFO(got);
    CHECK(holds(got, why));
}

}  // namespace

TEST_CASE("NumPy arrays of every type, byte order, order, version and layout read the same numbers", "[npy]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("frames.npy");
    int version = 0;
    for (const std::string layout : {"thw", "nthw", "tnhw", "nhwt", "thwc", "tchw", "nthwc", "ntchw", "wctnh", "hw"}) {
        for (const std::string type : {"b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"}) {
            for (const bool big : {false, true}) {
                for (const bool fortran : {false, true}) {
                    version = version % 3 + 1;
                    CAPTURE(layout, type, big, fortran, version);
                    write(path, npy(type, big, fortran, shape_of(layout), version));
                    const auto reader = open_frames(options(path, layout));
                    CHECK(counts(*reader, layout, shape_of(layout), type));
                    CHECK(reader->info().layout == layout);
                    CHECK(reader->info().stored_shape == shape_of(layout));
                }
            }
        }
    }
}

TEST_CASE("frames that lie scattered over a file are gathered", "[npy]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("frames.npy");
    const bool fortran = GENERATE(false, true);
    // In Fortran order rows lie 4.8 kB apart and columns 62 kB: gaps that are left out, in nhwt gaps that are read
    // over.
    const Shape shape = GENERATE(Shape{40, 30, 13, 11}, Shape{3, 13, 11, 400});
    const std::string layout = shape[0] == 40 ? "nthw" : "nhwt";
    write(path, npy("f4", false, fortran, shape));
    CHECK(counts(*open_frames(options(path, layout)), layout, shape, "f4"));
}

TEST_CASE("Moving MNIST as it is distributed is time first, and its file is read in place", "[npy]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("mnist_test_seq.npy");
    const std::string header = npy_header("u1", false, false, {20, 10000, 64, 64});
    write(path, header);
    std::filesystem::resize_file(path, header.size() + 20 * 10000 * 64 * 64);  // a sparse file
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(header.size() + (19 * 10000 + 9999) * 4096 + 4095));
    file.put(77).flush();
    const auto resident_kb = [] {
        rusage usage = {};
        getrusage(RUSAGE_SELF, &usage);
        return usage.ru_maxrss;
    };
    const long before = resident_kb();
    const auto reader = open_frames(options(path));
    CHECK(reader->info().layout == "tnhw");
    CHECK(reader->info().frames == std::vector<std::int64_t>(10000, 20));
    CHECK(holds(reader->info().notes.front(), "tnhw"));
    std::vector<float> frames(20 * 4096);
    for (std::int64_t recording = 0; recording < 10000; recording += 101) {
        CHECK(reader->read(recording, 0, 20, frames.data()) == 0);
    }
    CHECK(reader->read(9999, 0, 20, frames.data()) == 0);
    CHECK(frames.back() == 77.0F);
    CHECK(resident_kb() - before < 64 << 10);
}

TEST_CASE("values of NumPy arrays that are not finite are missing", "[npy]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("frames.npy");
    for (const bool big : {false, true}) {
        std::string bytes = npy_header("f4", big, false, {1, 2, 2});
        for (const float value : {1.0F, NAN, INFINITY, -3.5F}) bytes += bytes_of(value, big);
        write(path, bytes);
        std::vector<float> out(4);
        CHECK(open_frames(options(path))->read(0, 0, 1, out.data()) == 2);
        CHECK(out[0] == 1.0F);
        CHECK((std::isnan(out[1]) && std::isnan(out[2])));
        CHECK(out[3] == -3.5F);
    }
}

TEST_CASE("a NumPy file that is cut while it is open ends in an error", "[npy]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("frames.npy");
    write(path, npy("f4", false, false, {40, 30, 30}));
    const auto reader = open_frames(options(path));
    std::filesystem::resize_file(path, 40000);
    std::vector<float> out(900);
    CHECK(reader->read(0, 0, 1, out.data()) == 0);
    CHECK_THROWS_AS(reader->read(0, 39, 1, out.data()), Error);
}

TEST_CASE("NumPy files that are no frames, or broken, say so", "[npy]") {
    const TemporaryFolder folder;
    const auto with = [](const std::string& descr, const std::string& shape = "(1, 2, 2)") {
        return npy_header(descr, false, shape) + std::string(64, '\0');
    };
    check_refused(folder, with("'|O'"), "it holds Python objects, which can run code: not read");
    check_refused(folder, with("'<U7'"), "text");
    check_refused(folder, with("'|S7'"), "text");
    check_refused(folder, with("'<c8'"), "complex numbers");
    check_refused(folder, with("'<M8[s]'"), "dates");
    check_refused(folder, with("[('a', '<f4')]"), "structures");
    check_refused(folder, with("'<f16'"), "type '<f16'");
    check_refused(folder, with("'f4'"), "type 'f4'");
    check_refused(folder, with("'<f4'", "(1, 2, 99)"), "truncated: got 64 bytes behind its header, expected 792");
    check_refused(folder, with("'<f4'", "(4294967296, 4294967296, 4294967296)"), "a shape that is too large");
    check_refused(folder, with("'<f4'", "(99999999999999999999, 1, 1)"), "a size that is too large");
    check_refused(folder, with("'<f4'", "(-1, 2, 2)"), "expected a size");
    check_refused(folder, with("'<f4'", "(0, 2, 2)"), "shape");
    check_refused(folder, with("'<f4'", "(4,)"), "dimensions");
    check_refused(folder, with("'<f4', 'descr': '<f4'"), "repeated key 'descr'");
    check_refused(folder, with("'<f4', 'more': 1"), "key 'more'");
    check_refused(folder, with("__import__('os')"), "malformed");
    check_refused(folder, npy_header("'<f4'", false, "(1, 2, 2)", 4) + std::string(64, '\0'), "version 4.0");
    check_refused(folder, with("'<f4'").substr(0, 40), "a header of");
    check_refused(folder, std::string("\x93NUMPY\x01", 7), "does not begin");
}

namespace {

struct Member {
    std::string name;
    std::string bytes;
    bool packed = false;
};

std::string write_zip(const std::string& path, const std::vector<Member>& members) {
    zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    for (const Member& member : members) {
        zip_source_t* source = zip_source_buffer(archive, member.bytes.data(), member.bytes.size(), 0);
        const auto index =
            static_cast<std::uint64_t>(zip_file_add(archive, member.name.c_str(), source, ZIP_FL_OVERWRITE));
        zip_set_file_compression(archive, index, member.packed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 6);
    }
    REQUIRE(zip_close(archive) == 0);
    return path;
}

std::string read_whole(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("NumPy archives give the array that is named, or the only one that can be frames", "[npy]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("frames.npz");
    const Shape shape = {2, 5, 6, 7};
    const Member labels{"labels.npy", npy("i8", false, false, {9}), true};
    for (const bool packed : {false, true}) {
        const Member frames{"frames.npy", npy("u2", true, false, shape), packed};
        write_zip(path, {labels, frames});
        const auto reader = open_frames(options(path));
        CHECK(counts(*reader, "nthw", shape, "u2"));
        CHECK(reader->info().dataset == "frames");
        CHECK(reader->info().filters == (packed ? "deflate" : "none"));
    }
    // As TaxiBJ comes.
    const Shape grids = {3, 4, 2, 32, 32};
    write_zip(path, {{"X_train.npy", npy("f4", false, false, grids)}, {"X_test.npy", npy("f4", false, false, grids)}});
    CHECK(holds(refusal(options(path)), "X_train float32 [3,4,2,32,32], X_test float32 [3,4,2,32,32]"));
    CHECK(holds(refusal(options(path, "auto", "X_tset")), "no array 'X_tset'"));
    CHECK(counts(*open_frames(options(path, "auto", "X_test")), "ntchw", grids, "f4"));
}

TEST_CASE("Moving MNIST with an index of clips gives a recording per pair", "[npy]") {
    const TemporaryFolder folder;
    const auto clips = [](std::vector<int> numbers) {
        std::string out = npy_header("i4", false, false, {2, 2, 2});
        for (const int number : numbers) out += bytes_of(number, false);
        return out;
    };
    const auto archive = [&](const std::vector<int>& index) {
        return write_zip(folder.path("train.npz"),
                         {{"clips.npy", clips(index), true},
                          {"dims.npy", npy("i4", false, false, {1, 3}), true},
                          {"input_raw_data.npy", npy("f4", false, false, {12, 1, 4, 4}), true}});
    };
    const auto reader = open_frames(options(archive({0, 2, 6, 3, 2, 3, 9, 3})));
    CHECK(reader->info().frames == std::vector<std::int64_t>{5, 6});
    std::vector<float> out(16);
    CHECK(reader->read(1, 2, 1, out.data()) == 0);
    CHECK(out[0] == static_cast<float>(8 * 16 % 101));
    CHECK(holds(refusal(options(archive({0, 2, 6, 3, 2, 3, 10, 3}))),
                "the output of clip 1 begins at frame 10, expected 9"));
    CHECK(holds(refusal(options(archive({0, 2, 6, 3, 2, 3, 9, 4}))), "a clip of 7 frames from frame 6"));
    CHECK(holds(refusal(options(archive({0, 2, -6, 3, 2, 3, 9, 3}))), "outside"));
}

TEST_CASE("archives that are corrupt, bombs or no arrays are refused", "[npy]") {
    const TemporaryFolder folder;
    const std::string path = folder.path("frames.npz");
    for (const bool packed : {false, true}) {
        write_zip(path, {{"frames.npy", npy("f8", false, false, {3, 20, 20}), packed}});
        std::string bytes = read_whole(path);
        bytes[bytes.size() / 2] ^= 1;
        write(path, bytes);
        CHECK(holds(refusal(options(path)), "cannot read frames"));
        write(path, bytes.substr(0, bytes.size() / 2));
        CHECK(holds(refusal(options(path)), "no whole ZIP archive"));
    }
    write_zip(path, {{"objects.npy", npy_header("'|O'", false, "(2, 2, 2)") + std::string(64, '\0')}});
    CHECK(holds(refusal(options(path)), "Python objects"));
    write_zip(path, {{"readme.txt", "hello"}});
    CHECK(holds(refusal(options(path)), "without NumPy arrays"));
    const std::string zeros(65 << 20, '\0');
    write_zip(path, {{"bomb.npy", npy_header("u1", false, false, {65, 1024, 1024}) + zeros, true}});
    CHECK(holds(refusal(options(path)), "taken for an attack"));
    SourceOptions small = options(write_zip(path, {{"frames.npy", npy("f8", false, false, {3, 99, 99}), true}}));
    small.limits.memory = 1 << 17;
    CHECK(holds(refusal(small), "the limit is 65536"));
}

TEST_CASE("idx files of every type, gzipped or not, are one recording of their pictures", "[idx]") {
    const TemporaryFolder folder;
    const Shape shape = {5, 6, 7};
    const std::map<int, std::string> types = {{8, "u1"}, {9, "i1"}, {11, "i2"}, {12, "i4"}, {13, "f4"}, {14, "f8"}};
    for (const auto& [code, type] : types) {
        std::string bytes{'\0', '\0', static_cast<char>(code), 3};
        for (const std::int64_t size : shape) bytes += bytes_of(static_cast<std::int32_t>(size), true);
        for (std::int64_t i = 0; i < product(shape); ++i) bytes += number(type, counted(i, type), true);
        const std::string plain = folder.path("images-idx3");
        const std::string packed = folder.path("images-idx3.gz");
        write(plain, bytes);
        gzFile file = gzopen(packed.c_str(), "wb");
        gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
        gzclose(file);
        for (const std::string& path : {plain, packed}) {
            const auto reader = open_frames(options(path));
            CHECK(counts(*reader, "thw", shape, type));
            CHECK(holds(reader->info().notes.front(), "make moving-mnist --digits " + path));
        }
        check_refused(folder, bytes.substr(0, bytes.size() - 1), "bytes, expected");
        check_refused(folder, bytes + "x", "bytes, expected");
        const std::string gzipped = read_whole(packed);
        check_refused(folder, gzipped.substr(0, gzipped.size() - 4), "gzip");
        std::string wrong = gzipped;
        wrong[wrong.size() - 6] ^= 1;
        check_refused(folder, wrong, "gzip");
        if (code != 8) continue;
        CHECK(read_idx(packed).pixels[9] == 9);
        CHECK(read_idx(plain).columns == 7);
    }
    check_refused(folder, std::string("\0\0\x08\x01\0\0\0\x02\1\2", 10), "labels");
    check_refused(folder, std::string("\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16),
                  "impossible");
    check_refused(folder, std::string("\0\0\x08\x03\0\x01\0\0\0\x01\0\0\0\0\0\x10", 16), "truncated");
}

TEST_CASE("MNIST's digits", "[idx]") {
    const std::string path = shared_data("mnist/t10k-images-idx3-ubyte.gz");
    if (path.empty()) {
        WARN("skipped: no MNIST");
        return;
    }
    const IdxImages images = read_idx(path);
    CHECK(images.count == 10000);
    CHECK(images.rows == 28);
    CHECK(std::accumulate(images.pixels.begin(), images.pixels.end(), std::int64_t{0}) == 264923200);
    CHECK_THROWS_AS(read_idx(shared_data("mnist/t10k-labels-idx1-ubyte.gz")), Error);
}

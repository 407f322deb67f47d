#include "train/tensorboard.h"
#include "src/error.h"

#include <torch/types.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

using namespace nowcell;

namespace {

// What a protobuf message holds, read without knowing its definition.
struct Fields {
    std::multimap<int, std::uint64_t> numbers;  // varints and fixed ones
    std::multimap<int, std::string> bytes;

    std::uint64_t number(int field) const { return numbers.count(field) == 1 ? numbers.find(field)->second : 0; }
    std::string text(int field) const { return bytes.count(field) == 1 ? bytes.find(field)->second : ""; }
};

std::uint64_t varint(const std::string& in, std::size_t& at) {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        const auto byte = static_cast<unsigned char>(in.at(at++));
        value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
    }
}

std::uint64_t fixed(const std::string& in, std::size_t& at, int size) {
    std::uint64_t value = 0;
    for (int i = 0; i < size; ++i) value |= std::uint64_t{static_cast<unsigned char>(in.at(at++))} << (8 * i);
    return value;
}

Fields decoded(const std::string& in) {
    Fields out;
    for (std::size_t at = 0; at < in.size();) {
        const std::uint64_t key = varint(in, at);
        const int field = static_cast<int>(key >> 3);
        switch (key & 7) {
            case 0: out.numbers.emplace(field, varint(in, at)); break;
            case 1: out.numbers.emplace(field, fixed(in, at, 8)); break;
            case 5: out.numbers.emplace(field, fixed(in, at, 4)); break;
            default: {
                const std::size_t size = varint(in, at);
                out.bytes.emplace(field, in.substr(at, size));
                at += size;
            }
        }
    }
    return out;
}

// The mask of TFRecord over the CRC that crc32c() computes.
std::uint32_t masked(const std::string& bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return static_cast<std::uint32_t>(((crc >> 15) | (crc << 17)) + 0xA282EAD8ULL);
}

std::vector<Fields> events_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    std::vector<Fields> events;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::string head = bytes.substr(at, 8);
        const std::size_t size = fixed(bytes, at, 8);
        CHECK(fixed(bytes, at, 4) == masked(head));
        const std::string body = bytes.substr(at, size);
        at += size;
        CHECK(fixed(bytes, at, 4) == masked(body));
        events.push_back(decoded(body));
    }
    return events;
}

std::map<std::string, float> scalars_of(const Fields& event) {
    std::map<std::string, float> out;
    const Fields summary = decoded(event.text(5));
    for (const auto& [field, value] : summary.bytes) {
        const Fields fields = decoded(value);
        const auto bits = static_cast<std::uint32_t>(fields.number(2));
        std::memcpy(&out[fields.text(1)], &bits, sizeof bits);
    }
    return out;
}

std::vector<std::string> files_in(const std::string& folder) {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path().string());
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

TEST_CASE("CRC-32C and the framing of records give the published bytes") {
    CHECK(crc32c("123456789") == 0xE3069283U);            // the check value of the Castagnoli polynomial
    CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAU);  // RFC 3720, B.4
    CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43U);
    std::string ascending;
    for (char c = 0; c < 32; ++c) ascending += c;
    CHECK(crc32c(ascending) == 0x46DD794EU);
    CHECK(crc32c("") == 0U);
    // Masked by hand: of eight zero bytes the CRC is 0x8C28B28A, rotated by 15 and shifted by a constant.
    const std::string record = tf_record("");
    REQUIRE(record.size() == 16);
    CHECK(record.substr(0, 8) == std::string(8, '\0'));
    CHECK(record.substr(8, 4) == std::string("\x29\x03\x98\x07", 4));
    CHECK(record.substr(12, 4) == std::string("\xD8\xEA\x82\xA2", 4));
}

TEST_CASE("an event file begins with its version and holds steps, tags and numbers") {
    const TemporaryFolder folder;
    EventFile file(folder.path("tb"), false, 0);
    file.scalars(40, {{"train/loss", 0.25}, {"train/lr", 1e-3}, {"nothing", std::nan("")}});
    file.scalars(300, {{"validation/mae", -2.5}});
    file.scalars(301, {{"nothing", INFINITY}});
    const std::vector<Fields> events = events_of(file.path());
    REQUIRE(events.size() == 3);
    CHECK(events[0].text(3) == "brain.Event:2");
    CHECK(events[1].number(2) == 40);
    CHECK(scalars_of(events[1]) == std::map<std::string, float>{{"train/loss", 0.25F}, {"train/lr", 1e-3F}});
    CHECK(events[2].number(2) == 300);
    CHECK(scalars_of(events[2]) == std::map<std::string, float>{{"validation/mae", -2.5F}});
    double wall = 0.0;
    const std::uint64_t bits = events[1].number(1);
    std::memcpy(&wall, &bits, sizeof wall);
    CHECK(wall > 1.6e9);
    CHECK(wall < 1e11);
}

TEST_CASE("a picture keeps its bytes and says its size") {
    const TemporaryFolder folder;
    // The signature, the length and name of the first chunk, 300 x 7 px.
    std::string png(40, 'x');
    png.replace(0, 24, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x2c\0\0\0\x07", 24);
    EventFile file(folder.path("tb"), false, 0);
    file.png(9, "sample/0", png);
    const std::vector<Fields> events = events_of(file.path());
    REQUIRE(events.size() == 2);
    const Fields value = decoded(decoded(events[1].text(5)).text(1));
    CHECK(value.text(1) == "sample/0");
    const Fields image = decoded(value.text(4));
    CHECK(image.number(1) == 7);
    CHECK(image.number(2) == 300);
    CHECK(image.number(3) == 3);
    CHECK(image.text(4) == png);
}

TEST_CASE("a resumed run adds a file after all others that makes TensorBoard forget later steps") {
    const TemporaryFolder folder;
    const std::string tb = folder.path("tb");
    std::filesystem::create_directory(tb);
    std::ofstream(tb + "/events.out.tfevents.9999999998.nowcell") << "of a clock that was wrong";
    std::ofstream(tb + "/notes.txt") << "the user's";
    const EventFile resumed(tb, true, 55);
    CHECK(files_in(tb).size() == 3);
    CHECK(resumed.path() == tb + "/events.out.tfevents.9999999999.nowcell");
    const std::vector<Fields> events = events_of(resumed.path());
    REQUIRE(events.size() == 2);
    CHECK(events[0].text(3) == "brain.Event:2");
    CHECK(events[1].number(2) == 56);
    CHECK(decoded(events[1].text(7)).number(1) == 1);  // SessionLog.START

    const EventFile fresh(tb, false, 0);
    const std::vector<std::string> left = files_in(tb);
    CHECK(left.size() == 2);
    CHECK(std::filesystem::exists(tb + "/notes.txt"));
    CHECK(events_of(fresh.path()).size() == 1);
}

TEST_CASE("a folder that cannot be written is an output error") {
    const TemporaryFolder folder;
    std::ofstream(folder.path("tb")) << "a file";
    try {
        const EventFile file(folder.path("tb"), false, 0);
        CHECK(false);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::output);
        CHECK(holds(error.what(), "tb"));
    }
}

#include "train/tensorboard.h"

#include "src/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "events.out.tfevents.";

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78U : crc >> 1;
        table[byte] = crc;
    }
    return table;
}();

template <typename T>
std::string little_endian(T value) {
    std::string bytes;
    for (std::size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xFF);
    return bytes;
}

std::uint32_t masked_crc(const std::string& bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
    return bytes + static_cast<char>(value);
}

// A protobuf message, field by field.
class Message {
 public:
    Message& integer(int field, std::int64_t value) { return add(field, 0, varint(static_cast<std::uint64_t>(value))); }
    Message& real64(int field, double value) {
        return add(field, 1, little_endian(std::bit_cast<std::uint64_t>(value)));
    }
    Message& real32(int field, float value) {
        return add(field, 5, little_endian(std::bit_cast<std::uint32_t>(value)));
    }
    Message& bytes(int field, const std::string& value) { return add(field, 2, varint(value.size()) + value); }
    Message& message(int field, const Message& value) { return bytes(field, value.bytes_); }

    const std::string& encoded() const { return bytes_; }

 private:
    Message& add(int field, int wire_type, const std::string& value) {
        bytes_ += varint(static_cast<std::uint64_t>(field << 3 | wire_type)) + value;
        return *this;
    }

    std::string bytes_;
};

double seconds_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Numbers of fields are those of event.proto.
Message event(std::int64_t step) {
    Message message;
    message.real64(1, seconds_now());
    if (step != 0) message.integer(2, step);
    return message;
}

std::string version_record() { return tf_record(event(0).bytes(3, "brain.Event:2").encoded()); }

// TensorBoard forgets what earlier files have of this step and later ones.
std::string restart_record(std::int64_t step) {
    constexpr int kStart = 1;
    return tf_record(event(step).message(7, Message().integer(1, kStart)).encoded());
}

std::string summary_record(std::int64_t step, const Message& summary) {
    return tf_record(event(step).message(5, summary).encoded());
}

std::int64_t stamp_of(const fs::path& file) {
    try {
        return std::stoll(file.filename().string().substr(std::char_traits<char>::length(kPrefix)));
    } catch (const std::exception&) {
        return 0;
    }
}

// TensorBoard reads files in the order of their names: a new one comes after all there are, whatever the clock says.
std::string next_file(const std::string& folder, bool resumed) {
    make_folder(folder);
    std::int64_t stamp = static_cast<std::int64_t>(std::time(nullptr));
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        if (!entry.path().filename().string().starts_with(kPrefix)) continue;
        if (resumed) {
            stamp = std::max(stamp, stamp_of(entry.path()) + 1);
        } else {
            fs::remove(entry.path(), ignored);
        }
    }
    return fmt::format("{}/{}{:010}.nowcell", folder, kPrefix, stamp);
}

std::uint32_t big_endian_at(const std::string& bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
    return value;
}

}  // namespace

std::uint32_t crc32c(const std::string& bytes) {
    std::uint32_t crc = 0xFFFFFFFFU;
    for (const char c : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
    return ~crc;
}

std::string tf_record(const std::string& bytes) {
    const std::string length = little_endian(static_cast<std::uint64_t>(bytes.size()));
    return length + little_endian(masked_crc(length)) + bytes + little_endian(masked_crc(bytes));
}

EventFile::EventFile(const std::string& folder, bool resumed, std::int64_t step)
    : file_(next_file(folder, resumed), /*fresh=*/true) {
    file_.append(version_record());
    if (resumed) file_.append(restart_record(step + 1));
}

void EventFile::scalars(std::int64_t step, const std::vector<std::pair<std::string, double>>& values) {
    Message summary;
    for (const auto& [tag, value] : values) {
        if (!std::isfinite(value)) continue;
        summary.message(1, Message().bytes(1, tag).real32(2, static_cast<float>(value)));
    }
    if (!summary.encoded().empty()) file_.append(summary_record(step, summary));
}

void EventFile::png(std::int64_t step, const std::string& tag, const std::string& bytes) {
    constexpr int kRgb = 3;
    constexpr std::size_t kWidthAt = 16, kHeightAt = 20;  // in the first chunk of every PNG file
    const Message image = Message()
                              .integer(1, big_endian_at(bytes, kHeightAt))
                              .integer(2, big_endian_at(bytes, kWidthAt))
                              .integer(3, kRgb)
                              .bytes(4, bytes);
    file_.append(summary_record(step, Message().message(1, Message().bytes(1, tag).message(4, image))));
}

}  // namespace nowcell

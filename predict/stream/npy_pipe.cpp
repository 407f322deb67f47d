#include "predict/stream/npy_pipe.h"

#include "data/formats/npy_header.h"
#include "data/formats/stored.h"
#include "src/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace nowcell {
namespace {

constexpr std::size_t kBlock = 1 << 20;
constexpr std::size_t kMostLine = 1 << 16;
constexpr std::size_t kPrefix = 12;  // of a header, in which its length stands

// Bytes of the header that begins at `start`, of which kPrefix are there.
std::size_t header_bytes(const char* start) {
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(start[i])); };
    const std::size_t two = byte(8) | byte(9) << 8;
    return start[6] == 1 ? 10 + two : kPrefix + (two | byte(10) << 16 | byte(11) << 24);
}

torch::Tensor decoded(const ArrayInFile& array, const char* bytes) {
    std::vector<std::int64_t> shape = array.shape;
    if (shape.size() == 2) shape.insert(shape.begin(), 1);
    torch::Tensor out = at::empty(shape, at::kFloat);
    StoredFrames stored{.data = bytes, .type = array.type, .swapped = array.swapped};
    stored.shape = {1, shape[0], shape[1], shape[2]};
    const auto item = static_cast<std::int64_t>(size_of(array.type));
    if (array.fortran) {
        stored.strides = {0, item, item * shape[0], item * shape[0] * shape[1]};
    } else {
        stored.strides = {0, item * shape[1] * shape[2], item * shape[2], item};
    }
    decode(stored, {}, out.mutable_data_ptr<float>());
    return out;
}

}  // namespace

void NpyPipe::fail(const std::string& why) const {
    throw Error(ExitCode::data, fmt::format("standard input, byte {}: {}", position_, why), "",
                "expected arrays one behind the other, as numpy.save(sys.stdout.buffer, frame) writes them");
}

bool NpyPipe::wait(double seconds) const {
    if (ended_) return true;
    pollfd event{descriptor_, POLLIN, 0};
    return ::poll(&event, 1, static_cast<int>(1e3 * seconds)) > 0;
}

// Whether so many bytes are in the buffer; if not, takes in a block, should one be there.
bool NpyPipe::more(std::size_t bytes) {
    if (buffer_.size() - at_ >= bytes) return true;
    if (ended_ || !wait(0.0)) return false;
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
    const std::size_t before = buffer_.size();
    buffer_.resize(before + kBlock);
    const ssize_t count = ::read(descriptor_, buffer_.data() + before, kBlock);
    const int reason = errno;
    buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(0, count)));
    if (count < 0 && reason != EINTR && reason != EAGAIN) fail(std::strerror(reason));
    ended_ = count == 0;
    return buffer_.size() >= bytes;
}

// True once there is no line in front of the array, or it has been read.
bool NpyPipe::pass_line() {
    const auto begin = buffer_.begin() + static_cast<std::ptrdiff_t>(at_);
    if (*begin != '{' && *begin != '\n') return true;
    const auto end = std::find(begin, buffer_.end(), '\n');
    const auto length = static_cast<std::size_t>(end - begin);
    if (end == buffer_.end()) {
        if (length > kMostLine) fail(fmt::format("a line of more than {} bytes", kMostLine));
        if (more(length + 1)) return pass_line();
        if (ended_) fail("it ends within a line");
        return false;
    }
    const auto line = nlohmann::json::parse(begin, end, nullptr, false);
    if (length > 0 && !line.is_object()) fail("the line in front of an array is no JSON object");
    if (length > 0 && line.contains("time") && !line.at("time").is_null()) {
        const auto& time = line.at("time");
        if (!time.is_string() && !time.is_number()) fail("\"time\" is neither a text nor a number");
        when_ = time.is_string() ? time.get<std::string>() : time.dump();
    }
    at_ += length + 1;
    position_ += static_cast<std::int64_t>(length) + 1;
    return more(1) && pass_line();
}

std::optional<PipedFrame> NpyPipe::read(const std::function<bool(const std::vector<std::int64_t>&)>& wanted) {
    while (skip_ > 0) {
        if (!more(1)) {
            if (ended_) fail("it ends within an array");
            return {};
        }
        const auto count = std::min(skip_, static_cast<std::int64_t>(buffer_.size() - at_));
        at_ += static_cast<std::size_t>(count);
        position_ += count;
        skip_ -= count;
    }
    if (passed_) return std::exchange(passed_, {});
    if (!more(1) || !pass_line()) return {};
    const auto whole = [&](std::size_t bytes) {
        while (buffer_.size() - at_ < bytes) {
            const std::size_t before = buffer_.size() - at_;
            if (more(bytes)) return true;
            if (buffer_.size() - at_ == before) {
                if (ended_) fail("it ends within an array");
                return false;
            }
        }
        return true;
    };
    if (!whole(kPrefix)) return {};
    const std::size_t header = header_bytes(buffer_.data() + at_);
    if (std::memcmp(buffer_.data() + at_, "\x93NUMPY", 6) == 0 && header <= kMostNpyHeader && !whole(header)) return {};
    const std::size_t there = std::min(buffer_.size() - at_, std::min<std::size_t>(header, kMostNpyHeader));
    NpyHeader parsed;
    try {
        parsed = parse_npy_header({buffer_.data() + at_, there}, std::numeric_limits<std::int64_t>::max(), "array");
    } catch (const Error& error) {
        fail(error.problems().front().what);
    }
    PipedFrame frame{parsed.array.shape, {}, when_};
    const std::size_t rank = frame.shape.size();
    if ((rank != 2 && rank != 3) || !wanted(frame.shape)) {
        at_ += static_cast<std::size_t>(parsed.array.position);
        position_ += parsed.array.position;
        skip_ = parsed.bytes;
        when_.reset();
        passed_ = std::move(frame);
        return read(wanted);
    }
    const auto bytes = static_cast<std::size_t>(parsed.array.position + parsed.bytes);
    if (!whole(bytes)) return {};
    frame.values = decoded(parsed.array, buffer_.data() + at_ + parsed.array.position);
    at_ += bytes;
    position_ += static_cast<std::int64_t>(bytes);
    when_.reset();
    return frame;
}

}  // namespace nowcell

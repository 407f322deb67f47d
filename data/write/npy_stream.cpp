#include "data/write/npy_stream.h"

#include "src/error.h"
#include "src/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <system_error>

namespace nowcell {
namespace {

static_assert(std::endian::native == std::endian::little, "the types below are little-endian");

std::string type_text(torch::ScalarType type) {
    switch (type) {
        case torch::kUInt8: return "|u1";
        case torch::kInt8: return "|i1";
        case torch::kUInt16: return "<u2";
        case torch::kInt16: return "<i2";
        case torch::kUInt32: return "<u4";
        case torch::kInt32: return "<i4";
        case torch::kUInt64: return "<u8";
        case torch::kInt64: return "<i8";
        case torch::kFloat32: return "<f4";
        default: throw Error(ExitCode::internal, "no NumPy type for these values");
    }
}

}  // namespace

// Version 1.0: magic, version, length, a Python dict padded with spaces to a multiple of 64 bytes.
std::string npy_header(torch::ScalarType type, const std::vector<std::int64_t>& shape) {
    constexpr std::size_t kPrefix = 10;
    constexpr std::size_t kAlignment = 64;
    std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({},), }}", type_text(type),
                                   fmt::join(shape, ", "));
    text.append(kAlignment - (kPrefix + text.size() + 1) % kAlignment, ' ');
    text += '\n';
    std::string out("\x93NUMPY\x01\x00", 8);
    out += static_cast<char>(text.size() & 0xff);
    out += static_cast<char>(text.size() >> 8);
    return out + text;
}

NpyStream::NpyStream(const std::string& temporary, const std::string& path, torch::ScalarType type,
                     const std::vector<std::int64_t>& shape)
    : file_(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)),
      space_(file_, path),
      value_bytes_(static_cast<std::int64_t>(torch::elementSize(type))) {
    if (file_ < 0) throw std::system_error(errno, std::generic_category());
    const std::string begin = npy_header(type, shape);
    std::int64_t bytes = value_bytes_;
    for (const std::int64_t size : shape) bytes *= size;
    space_.reserve(static_cast<std::int64_t>(begin.size()) + bytes);
    write(begin.data(), begin.size());
    begin_ = static_cast<std::int64_t>(begin.size());
}

NpyStream::~NpyStream() { ::close(file_); }

void NpyStream::append(const torch::Tensor& block) {
    const torch::Tensor values = block.contiguous();
    write(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
}

void NpyStream::put(std::int64_t first, const torch::Tensor& block) {
    if (::lseek(file_, begin_ + first * value_bytes_, SEEK_SET) < 0) {
        throw std::system_error(errno, std::generic_category());
    }
    append(block);
}

void NpyStream::write(const char* bytes, std::size_t count) {
    while (count > 0) {
        const ssize_t wrote = ::write(file_, bytes, count);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) throw std::system_error(errno, std::generic_category());
        bytes += wrote;
        count -= static_cast<std::size_t>(wrote);
    }
}

void stream_npy(const std::string& path, torch::ScalarType type, const std::vector<std::int64_t>& shape,
                const std::function<void(NpyStream&)>& fill) {
    write_atomically(path, [&](const std::string& temporary) {
        NpyStream stream(temporary, path, type, shape);
        fill(stream);
    });
}

}  // namespace nowcell

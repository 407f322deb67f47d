#include "data/formats/file_bytes.h"

#include "data/formats/checked.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <libdeflate.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nowcell {
namespace {

class FileBytes : public Bytes {
 public:
    explicit FileBytes(const std::string& path) : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        struct stat status = {};
        if (file_ < 0 || ::fstat(file_, &status) != 0) refuse(path, std::strerror(errno));
        size_ = status.st_size;
    }
    ~FileBytes() override { ::close(file_); }
    FileBytes(const FileBytes&) = delete;
    FileBytes& operator=(const FileBytes&) = delete;

    std::int64_t size() const override { return size_; }

    void read(std::int64_t position, std::int64_t count, void* out) override {
        auto* to = static_cast<char*>(out);
        while (count > 0) {
            const ::ssize_t got = ::pread(file_, to, static_cast<std::size_t>(count), position);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) throw Error(ExitCode::data, fmt::format("cannot read {}: {}", path_, std::strerror(errno)));
            if (got == 0) {
                throw Error(ExitCode::data,
                            fmt::format("cannot read {}: the file ends at byte {}, expected {} more; it was {} bytes "
                                        "long when it was opened",
                                        path_, position, count, size_));
            }
            position += got;
            count -= got;
            to += got;
        }
    }

 private:
    std::string path_;
    int file_;
    std::int64_t size_ = 0;
};

class MemoryBytes : public Bytes {
 public:
    explicit MemoryBytes(std::vector<char> block) : block_(std::move(block)) {}

    std::int64_t size() const override { return static_cast<std::int64_t>(block_.size()); }

    void read(std::int64_t position, std::int64_t count, void* out) override {
        std::copy_n(block_.begin() + position, count, static_cast<char*>(out));
    }

 private:
    std::vector<char> block_;
};

}  // namespace

std::unique_ptr<Bytes> open_bytes(const std::string& path) { return std::make_unique<FileBytes>(path); }

std::unique_ptr<Bytes> hold_bytes(std::vector<char> block) { return std::make_unique<MemoryBytes>(std::move(block)); }

std::vector<char> read_bytes(const std::string& path, std::int64_t limit) {
    FileBytes file(path);
    if (file.size() > limit) refuse(path, fmt::format("{} bytes, expected at most {}", file.size(), limit));
    std::vector<char> out(static_cast<std::size_t>(file.size()));
    file.read(0, file.size(), out.data());
    return out;
}

std::vector<char> unpack_bytes(const std::string& path, std::int64_t count, std::int64_t limit) {
    std::vector<char> packed = read_bytes(path, limit);
    const bool gzipped = packed.size() > 2 && packed[0] == '\x1f' && packed[1] == '\x8b';
    if (!gzipped) {
        if (static_cast<std::int64_t>(packed.size()) == count) return packed;
        refuse(path, fmt::format("the file has {} bytes, expected {}", packed.size(), count));
    }
    std::vector<char> out(static_cast<std::size_t>(count));
    const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflater(
        libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    switch (libdeflate_gzip_decompress(inflater.get(), packed.data(), packed.size(), out.data(), out.size(), nullptr)) {
        case LIBDEFLATE_SUCCESS: return out;
        case LIBDEFLATE_SHORT_OUTPUT: refuse(path, fmt::format("it unpacks to fewer than {} bytes", count));
        case LIBDEFLATE_INSUFFICIENT_SPACE: refuse(path, fmt::format("it unpacks to more than {} bytes", count));
        default: refuse(path, "its gzip data are truncated or corrupt");
    }
}

}  // namespace nowcell

#include "data/formats/file_bytes.h"

#include "data/formats/checked.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

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

struct CloseGzip {
    void operator()(gzFile_s* file) const { gzclose(file); }
};

[[noreturn]] void refuse_packed(const std::string& path, gzFile_s* file, std::int64_t got, std::int64_t expected) {
    int code = Z_OK;
    const std::string reason = gzerror(file, &code);
    if (code != Z_OK && code != Z_BUF_ERROR) refuse(path, "the gzip data are corrupt: " + reason);
    refuse(path, fmt::format("the file is truncated: got {} bytes, expected {}{}", got, expected,
                             got == expected ? " and their checksum" : ""));
}

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

std::vector<char> unpack_bytes(const std::string& path, std::int64_t count) {
    const std::unique_ptr<gzFile_s, CloseGzip> file(gzopen(path.c_str(), "rb"));
    if (file == nullptr) refuse(path, std::strerror(errno));
    std::vector<char> out(static_cast<std::size_t>(count));
    constexpr std::int64_t kBlock = 1 << 24;
    for (std::int64_t done = 0; done < count;) {
        const auto size = static_cast<unsigned>(std::min(kBlock, count - done));
        const int got = gzread(file.get(), out.data() + done, size);
        if (got <= 0) refuse_packed(path, file.get(), done, count);
        done += got;
    }
    char more = 0;  // the read past the end is the one that verifies the checksum
    const int got = gzread(file.get(), &more, 1);
    if (got > 0) refuse(path, fmt::format("more than the {} bytes that its header tells", count));
    int code = Z_OK;
    gzerror(file.get(), &code);
    if (got < 0 || code != Z_OK) refuse_packed(path, file.get(), count, count);
    return out;
}

}  // namespace nowcell

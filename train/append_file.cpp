#include "train/append_file.h"

#include "src/error.h"
#include "src/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nowcell {
namespace {

[[noreturn]] void fail(const std::string& path, int code) {
    const long long free = free_bytes(path);
    const std::string room = code == ENOSPC && free >= 0 ? fmt::format(", {} bytes are free", free) : "";
    throw Error(ExitCode::output, fmt::format("cannot write {}: {}{}", path, std::strerror(code), room));
}

}  // namespace

AppendFile::AppendFile(std::string path, bool fresh)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (fresh ? O_TRUNC : 0), 0666)) {
    if (file_ < 0) fail(path_, errno);
}

AppendFile::~AppendFile() { ::close(file_); }

void AppendFile::append(const std::string& bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t wrote = ::write(file_, bytes.data() + done, bytes.size() - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) fail(path_, errno);
        done += static_cast<std::size_t>(wrote);
    }
}

void AppendFile::sync() {
    if (::fdatasync(file_) != 0 && errno != EINVAL && errno != ENOTSUP) fail(path_, errno);  // some file systems cannot
}

}  // namespace nowcell

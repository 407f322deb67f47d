#include "data/write/disk_space.h"

#include "src/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

namespace nowcell {
namespace {

std::int64_t free_on(int file) {
    struct statvfs space {};
    if (::fstatvfs(file, &space) != 0) return -1;
    return static_cast<std::int64_t>(space.f_bavail) * static_cast<std::int64_t>(space.f_frsize);
}

}  // namespace

void DiskSpace::fail(std::int64_t more, const std::string& why) const {
    const auto in_mb = [](std::int64_t bytes) { return static_cast<double>(bytes) / 1e6; };
    throw Error(ExitCode::output,
                fmt::format("cannot write {}: {} ({:.1f} MB more needed, {:.1f} MB free)", path_, why, in_mb(more),
                            in_mb(free_on(file_))),
                "", "free some space or choose another place with --output");
}

void DiskSpace::reserve(std::int64_t bytes) {
    if (bytes <= reserved_) return;
    rlimit limit{};
    if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && static_cast<rlim_t>(bytes) > limit.rlim_cur) {
        fail(bytes - reserved_, "the file grows beyond the limit of this process");
    }
    const std::int64_t free = free_on(file_);
    if (free >= 0 && free < bytes - reserved_) fail(bytes - reserved_, std::strerror(ENOSPC));
    if (::fallocate(file_, FALLOC_FL_KEEP_SIZE, reserved_, bytes - reserved_) == 0) {
        reserved_ = bytes;
    } else if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
        fail(bytes - reserved_, std::strerror(errno));
    }
}

void DiskSpace::release_beyond(std::int64_t bytes) const {
    if (bytes >= reserved_) return;
    static_cast<void>(::fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, bytes, reserved_ - bytes));
}

}  // namespace nowcell

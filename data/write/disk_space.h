// Room on a disk before something is written that does not survive its end.
#pragma once

#include <cstdint>
#include <string>

namespace nowcell {

/// Keeps room for a file that grows: what has been asked for can be written.
class DiskSpace {
 public:
    /// file: open for writing, owned by the caller. path: for messages.
    DiskSpace(int file, std::string path) : file_(file), path_(std::move(path)) {}

    /// Makes sure that the file can grow to `bytes`: checks what is free and what the process may write, and takes the
    /// room where the file system can do that. Throws Error(output) with needed and free bytes.
    void reserve(std::int64_t bytes);

    /// Gives back what was taken beyond `bytes`.
    void release_beyond(std::int64_t bytes) const;

 private:
    [[noreturn]] void fail(std::int64_t more, const std::string& why) const;

    int file_;
    std::string path_;
    std::int64_t reserved_ = 0;
};

}  // namespace nowcell

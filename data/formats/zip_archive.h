// Members of a ZIP archive as bytes: in place where they are stored as they are, unpacked into memory otherwise.
#pragma once

#include "data/formats/file_bytes.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

struct zip;

namespace nowcell {

struct ZipMember {
    std::string name;
    std::uint64_t index = 0;
    std::int64_t size = 0;    ///< bytes when unpacked, as the directory tells
    std::int64_t packed = 0;  ///< bytes in the archive
    bool stored = false;      ///< not compressed
};

class ZipArchive {
 public:
    /// `limit`: bytes that a member may unpack to. Throws Error(data): no archive, too many members.
    ZipArchive(const std::string& path, std::int64_t limit, std::function<void()> alive);

    /// All members, in the order of the archive.
    const std::vector<ZipMember>& members() const { return members_; }

    /// The first `count` bytes of a member, or all when it has fewer. Throws Error(data) when it is encrypted,
    /// compressed by anything but deflate, or corrupt.
    std::vector<char> start_of(const ZipMember& member, std::int64_t count);

    /// The whole member. One that is compressed is unpacked into memory and its checksum verified; one that is stored
    /// is read where it lies, its checksum verified up to 256 MiB. Throws Error(data) as start_of does, and on one that
    /// exceeds the limit or claims to be 1000 times its compressed size.
    std::unique_ptr<Bytes> open(const ZipMember& member);

 private:
    std::string path_;
    std::int64_t limit_;
    std::function<void()> alive_;
    std::shared_ptr<zip> archive_;
    std::vector<ZipMember> members_;
};

}  // namespace nowcell

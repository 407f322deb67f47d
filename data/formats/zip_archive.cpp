#include "data/formats/zip_archive.h"

#include "data/formats/checked.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <utility>

namespace nowcell {
namespace {

constexpr std::int64_t kMostMembers = 10000;
constexpr std::int64_t kMostVerified = 256 << 20;
constexpr std::int64_t kMostRatio = 1000;
constexpr std::int64_t kAlwaysFine = 64 << 20;

struct CloseMember {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using OpenMember = std::unique_ptr<zip_file_t, CloseMember>;

[[noreturn]] void fail(const std::string& path, const std::string& member, const std::string& why) {
    throw Error(ExitCode::data, fmt::format("cannot read {} of {}: {}", member, path, why));
}

OpenMember open_member(zip* archive, const std::string& path, const ZipMember& member) {
    zip_stat_t status;
    if (zip_stat_index(archive, member.index, 0, &status) != 0) fail(path, member.name, zip_strerror(archive));
    if (status.encryption_method != ZIP_EM_NONE) fail(path, member.name, "it is encrypted");
    if (status.comp_method != ZIP_CM_STORE && status.comp_method != ZIP_CM_DEFLATE) {
        fail(path, member.name, fmt::format("compression method {}, expected deflate or none", status.comp_method));
    }
    OpenMember file(zip_fopen_index(archive, member.index, 0));
    if (file == nullptr) fail(path, member.name, zip_strerror(archive));
    return file;
}

std::int64_t read_some(zip_file_t* file, const std::string& path, const ZipMember& member, std::int64_t count,
                       char* out) {
    std::int64_t done = 0;
    while (done < count) {
        const std::int64_t got = zip_fread(file, out + done, static_cast<zip_uint64_t>(count - done));
        if (got < 0) fail(path, member.name, zip_file_strerror(file));
        if (got == 0) break;
        done += got;
    }
    return done;
}

// Reads to the end, which is where libzip compares the checksum.
template <typename Take>
void read_all(zip_file_t* file, const std::string& path, const ZipMember& member, const Take& take) {
    std::vector<char> block(1 << 20);
    std::int64_t done = 0;
    while (const std::int64_t got =
               read_some(file, path, member, static_cast<std::int64_t>(block.size()), block.data())) {
        if (got > member.size - done)
            fail(path, member.name, fmt::format("more than the {} bytes it tells", member.size));
        take(block.data(), got);
        done += got;
    }
    if (done < member.size) fail(path, member.name, fmt::format("it ends at byte {} of {}", done, member.size));
}

class StoredMember : public Bytes {
 public:
    StoredMember(std::shared_ptr<zip> archive, std::string path, ZipMember member)
        : archive_(std::move(archive)),
          path_(std::move(path)),
          member_(std::move(member)),
          file_(open_member(archive_.get(), path_, member_)) {}

    std::int64_t size() const override { return member_.size; }

    void read(std::int64_t position, std::int64_t count, void* out) override {
        if (zip_fseek(file_.get(), position, SEEK_SET) != 0) fail(path_, member_.name, zip_file_strerror(file_.get()));
        const std::int64_t got = read_some(file_.get(), path_, member_, count, static_cast<char*>(out));
        if (got < count)
            fail(path_, member_.name, fmt::format("it ends at byte {}, expected {}", position + got, position + count));
    }

 private:
    std::shared_ptr<zip> archive_;
    std::string path_;
    ZipMember member_;
    OpenMember file_;
};

}  // namespace

ZipArchive::ZipArchive(const std::string& path, std::int64_t limit, std::function<void()> alive)
    : path_(path), limit_(limit), alive_(std::move(alive)) {
    int code = 0;
    archive_.reset(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code), [](zip* archive) {
        if (archive != nullptr) zip_discard(archive);
    });
    if (archive_ == nullptr) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        const std::string why = zip_error_strerror(&error);
        zip_error_fini(&error);
        refuse(path, "no whole ZIP archive: " + why);
    }
    const std::int64_t count = zip_get_num_entries(archive_.get(), 0);
    if (count > kMostMembers) refuse(path, fmt::format("{} members, expected at most {}", count, kMostMembers));
    for (std::int64_t i = 0; i < count; ++i) {
        zip_stat_t status;
        const auto index = static_cast<std::uint64_t>(i);
        if (zip_stat_index(archive_.get(), index, 0, &status) != 0) refuse(path, zip_strerror(archive_.get()));
        if (status.name == nullptr || status.size > INT64_MAX || status.comp_size > INT64_MAX) {
            refuse(path, fmt::format("member {} has no name or an impossible size", i));
        }
        members_.push_back({status.name, index, static_cast<std::int64_t>(status.size),
                            static_cast<std::int64_t>(status.comp_size), status.comp_method == ZIP_CM_STORE});
    }
}

std::vector<char> ZipArchive::start_of(const ZipMember& member, std::int64_t count) {
    const OpenMember file = open_member(archive_.get(), path_, member);
    std::vector<char> out(static_cast<std::size_t>(std::min(count, member.size)));
    const std::int64_t got = read_some(file.get(), path_, member, static_cast<std::int64_t>(out.size()), out.data());
    out.resize(static_cast<std::size_t>(got));
    return out;
}

std::unique_ptr<Bytes> ZipArchive::open(const ZipMember& member) {
    const auto keep_alive = [this] {
        if (alive_) alive_();
    };
    OpenMember file = open_member(archive_.get(), path_, member);
    if (member.stored) {
        if (member.size <= kMostVerified) {
            read_all(file.get(), path_, member, [&](const char*, std::int64_t) { keep_alive(); });
        }
        return std::make_unique<StoredMember>(archive_, path_, member);
    }
    if (member.size > kAlwaysFine && member.size / kMostRatio > member.packed) {
        fail(path_, member.name,
             fmt::format("{} bytes that unpack to {}, more than {} times as many, are taken for an attack; numpy.savez "
                         "writes without compression",
                         member.packed, member.size, kMostRatio));
    }
    if (member.size > limit_) {
        throw Error(ExitCode::data,
                    fmt::format("cannot read {} of {}: {} bytes when unpacked, the limit is {}", member.name, path_,
                                member.size, limit_),
                    "", "unzip " + path_ + ", and name the .npy file, which is read in place");
    }
    std::vector<char> block;
    block.reserve(static_cast<std::size_t>(member.size));
    read_all(file.get(), path_, member, [&](const char* bytes, std::int64_t count) {
        block.insert(block.end(), bytes, bytes + count);
        keep_alive();
    });
    return hold_bytes(std::move(block));
}

}  // namespace nowcell

#include "src/files.h"

#include "src/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

std::string folder_of(const std::string& path) {
    const fs::path parent = fs::path(path).parent_path();
    return parent.empty() ? "." : parent.string();
}

std::string megabytes(long long bytes) { return fmt::format("{:.2f} MB", static_cast<double>(bytes) / 1e6); }

// needed: bytes of the file; negative: unknown.
[[noreturn]] void fail_to_write(const std::string& path, int reason, long long needed = -1) {
    const bool full = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
    const long long free = full || needed >= 0 ? free_bytes(folder_of(path)) : -1;
    std::string room = needed < 0 ? "" : fmt::format("{} needed", megabytes(needed));
    if (free >= 0) room += fmt::format("{}{} free", room.empty() ? "" : ", ", megabytes(free));
    if (!room.empty()) room = " (" + room + ")";
    throw Error(ExitCode::output, fmt::format("cannot write {}: {}{}", path, std::strerror(reason), room), "",
                full ? "free some space or choose another place with --output" : "choose another place with --output");
}

const std::string kTemporaryMark = ".tmp.";

std::string temporary_name(const std::string& path) { return fmt::format("{}{}{}", path, kTemporaryMark, ::getpid()); }

// A file descriptor that closes itself; what was written is safe once sync() has run.
struct Descriptor {
    explicit Descriptor(int number) : value(number) {}
    ~Descriptor() {
        if (value >= 0) ::close(value);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int value;
};

void sync(const std::string& target, const std::string& path, int flags) {
    const Descriptor file(::open(target.c_str(), flags | O_CLOEXEC));
    const bool synced = file.value >= 0 && ::fsync(file.value) == 0;
    const bool optional = (flags & O_DIRECTORY) != 0 && (errno == EINVAL || errno == ENOTSUP);  // some file systems
    if (!synced && !optional) fail_to_write(path, errno);
}

// Removes the temporary file unless it has been renamed away.
struct Temporary {
    explicit Temporary(std::string name) : path(std::move(name)) {}
    ~Temporary() {
        if (!kept) ::unlink(path.c_str());
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    std::string path;
    bool kept = false;
};

// On the disk, in full, when it returns.
void write_all(const std::string& target, const std::string& bytes) {
    const Descriptor file(::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (file.value < 0) throw std::system_error(errno, std::generic_category());
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t wrote = ::write(file.value, bytes.data() + done, bytes.size() - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) throw std::system_error(wrote == 0 ? ENOSPC : errno, std::generic_category());
        done += static_cast<std::size_t>(wrote);
    }
    if (::fdatasync(file.value) != 0) throw std::system_error(errno, std::generic_category());
    struct stat status {};
    if (::fstat(file.value, &status) != 0) throw std::system_error(errno, std::generic_category());
    if (status.st_size != static_cast<off_t>(bytes.size())) throw std::system_error(EIO, std::generic_category());
}

// Puts a complete file in its place.
void rename_into_place(Temporary& temporary, const std::string& path, long long needed) {
    if (::rename(temporary.path.c_str(), path.c_str()) != 0) fail_to_write(path, errno, needed);
    temporary.kept = true;
    sync(folder_of(path), path, O_RDONLY | O_DIRECTORY);
}

}  // namespace

void write_atomically(const std::string& path, const std::function<void(const std::string&)>& write) {
    Temporary temporary(temporary_name(path));
    try {
        write(temporary.path);
    } catch (const std::system_error& error) {
        fail_to_write(path, error.code().value());
    }
    sync(temporary.path, path, O_RDONLY);
    rename_into_place(temporary, path, -1);
}

void write_atomically(const std::string& path, const std::string& bytes) {
    const auto needed = static_cast<long long>(bytes.size());
    Temporary temporary(temporary_name(path));
    try {
        write_all(temporary.path, bytes);
    } catch (const std::system_error& error) {
        fail_to_write(path, error.code().value(), needed);
    }
    rename_into_place(temporary, path, needed);
}

void give_second_name(const std::string& path, const std::string& second) {
    Temporary temporary(temporary_name(second));
    if (::link(path.c_str(), temporary.path.c_str()) == 0) {
        if (::rename(temporary.path.c_str(), second.c_str()) != 0) fail_to_write(second, errno);
        sync(folder_of(second), second, O_RDONLY | O_DIRECTORY);
        return;  // renaming one link of a file to another leaves the first
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK) fail_to_write(second, errno);
    write_atomically(second, read_text(path));
}

bool is_temporary(const std::string& name) {
    const std::size_t mark = name.rfind(kTemporaryMark);
    return mark != std::string::npos &&
           name.find_first_not_of("0123456789", mark + kTemporaryMark.size()) == std::string::npos;
}

void check_folder_writable(const std::string& path) {
    std::error_code error;
    fs::path folder = fs::absolute(path, error);
    while (!fs::exists(folder, error) && !error && folder.has_relative_path()) folder = folder.parent_path();
    if (error) fail_to_write(path, error.value());
    if (!fs::is_directory(folder)) {
        throw Error(ExitCode::output, fmt::format("cannot write {}: {} is not a folder", path, folder.string()));
    }
    if (::access(folder.c_str(), W_OK) != 0) {
        throw Error(ExitCode::output, fmt::format("cannot write {}: no permission in {}", path, folder.string()), "",
                    "choose another place with --output");
    }
}

void check_writable(const std::string& path, bool force) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status)) {
        throw Error(ExitCode::output, fmt::format("cannot write {}: it is a folder, expected a file", path));
    }
    if (fs::exists(status) && !force) {
        throw Error(ExitCode::output, fmt::format("{} exists", path), "",
                    "choose another name, or add --force to replace it");
    }
    if (!fs::exists(status) && error && error != std::errc::no_such_file_or_directory) {
        fail_to_write(path, error.value());
    }
    check_folder_writable(folder_of(path));
}

void make_folder(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) fail_to_write(path, error.value());
}

void make_parent(const std::string& path) { make_folder(folder_of(path)); }

OutputFolder::OutputFolder(std::string path) : path_(std::move(path)), made_(!fs::exists(path_)) { make_folder(path_); }

OutputFolder::~OutputFolder() {
    std::error_code ignored;
    for (const std::string& file : written_) fs::remove(file, ignored);
    if (made_) fs::remove(path_, ignored);  // only when empty
}

std::string OutputFolder::add(const std::string& name) {
    const std::string file = path_ + "/" + name;
    if (!fs::exists(file)) written_.push_back(file);  // what was there before is replaced whole or kept
    return file;
}

std::string read_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::error_code error;
    const bool folder = fs::is_directory(path, error);
    if (in && !folder) return {std::istreambuf_iterator<char>(in), {}};
    if (folder) throw Error(ExitCode::usage, path + " is a folder, expected a file");
    if (fs::exists(path, error)) throw Error(ExitCode::usage, "no permission to read " + path);
    throw Error(ExitCode::usage, "file not found: " + path, "", similar_file(path));
}

std::string similar_file(const std::string& path) {
    std::vector<std::string> names;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_of(path), error)) {
        names.push_back(entry.path().filename().string());
    }
    const std::vector<std::string> close = nearest(fs::path(path).filename().string(), names);
    if (close.empty()) return "";
    return fmt::format("did you mean {}?", (fs::path(path).parent_path() / close.front()).string());
}

long long free_bytes(const std::string& path) {
    std::error_code error;
    const fs::space_info space = fs::space(path, error);
    return error ? -1 : static_cast<long long>(space.available);
}

}  // namespace nowcell

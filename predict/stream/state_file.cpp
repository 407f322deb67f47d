#include "predict/stream/state_file.h"

#include "src/error.h"
#include "src/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTaken = ".taken";

void remove_temporaries(const std::string& path) {
    const fs::path whole(path);
    const fs::path folder = whole.has_parent_path() ? whole.parent_path() : ".";
    std::error_code ignored;
    for (const fs::directory_entry& file : fs::directory_iterator(folder, ignored)) {
        const std::string name = file.path().filename().string();
        if (name.rfind(whole.filename().string() + ".", 0) == 0 && is_temporary(name)) fs::remove(file.path(), ignored);
    }
}

}  // namespace

StateFile::StateFile(std::string path) : path_(std::move(path)) {
    make_parent(path_);
    check_writable(path_, true);
    taken_ = ::open((path_ + kTaken).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (taken_ < 0) {
        throw Error(ExitCode::output, fmt::format("cannot write {}{}: {}", path_, kTaken, std::strerror(errno)), "",
                    "choose another place with --state");
    }
    if (::flock(taken_, LOCK_EX | LOCK_NB) != 0) {
        ::close(taken_);
        throw Error(ExitCode::output, fmt::format("{} belongs to a stream that is running", path_), "",
                    "stop that one first, or name another --state");
    }
    remove_temporaries(path_);
}

StateFile::~StateFile() { ::close(taken_); }

std::optional<SafeTensors> StateFile::load() const {
    std::error_code ignored;
    if (!fs::exists(path_, ignored)) return {};
    return read_safetensors(path_);
}

void StateFile::save(const SafeTensors& state) { write_atomically(path_, to_safetensors(state)); }

std::vector<StateFile::Taken> StateFile::taken_after(std::int64_t offered) const {
    std::ifstream in(path_ + kTaken);
    std::vector<Taken> all;
    Taken file;
    while (in >> file.sequence && in.get() == ' ' && std::getline(in, file.name)) {
        // A file ends where the next one begins.
        if (!all.empty() && file.sequence <= offered + 1) all.clear();
        all.push_back(file);
    }
    return all;
}

void StateFile::take(const Taken& file) {
    const std::string line = fmt::format("{} {}\n", file.sequence, file.name);
    if (::write(taken_, line.data(), line.size()) == static_cast<ssize_t>(line.size())) return;
    throw Error(ExitCode::output, fmt::format("cannot write {}{}: {}", path_, kTaken, std::strerror(errno)));
}

void StateFile::forget() {
    if (::ftruncate(taken_, 0) != 0) {
        throw Error(ExitCode::output, fmt::format("cannot write {}{}: {}", path_, kTaken, std::strerror(errno)));
    }
}

}  // namespace nowcell

#include "src/run_directory.h"

#include "src/error.h"
#include "src/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

std::string next_free(const std::string& config_file) {
    const std::string name = fs::path(config_file).stem().string();
    for (int number = 1;; ++number) {
        const std::string path = fmt::format("runs/{}-{:03}", name.empty() ? "run" : name, number);
        if (!fs::exists(path)) return path;
    }
}

}  // namespace

RunDirectory RunDirectory::create(const std::string& path, const std::string& config_file, const Config& config,
                                  bool force) {
    RunDirectory run(path.empty() ? next_free(config_file) : path);
    std::error_code ignored;
    const bool folder = fs::is_directory(run.path(), ignored);
    const bool used = fs::exists(run.path(), ignored) && !(folder && fs::is_empty(run.path(), ignored));
    if (used && (!force || !folder)) {
        throw Error(ExitCode::output, fmt::format("{} exists and is not empty", run.path()), "",
                    "choose another --output, or add --force to write into it");
    }
    check_folder_writable(run.path());
    run.made_ = !used;
    for (const std::int64_t step : run.checkpoint_steps()) fs::remove(run.step_checkpoint(step), ignored);
    try {
        make_folder(run.file("checkpoints"));
        write_atomically(run.file("config.toml"), config.toml(true));
    } catch (...) {
        run.discard();
        throw;
    }
    return run;
}

void RunDirectory::discard() const {
    std::error_code ignored;
    if (made_) fs::remove_all(path_, ignored);
}

std::string RunDirectory::step_checkpoint(std::int64_t step) const {
    return checkpoint(fmt::format("step-{:08}", step));
}

std::vector<std::int64_t> RunDirectory::checkpoint_steps() const {
    std::vector<std::int64_t> steps;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(file("checkpoints"), error)) {
        const std::string name = entry.path().filename().string();
        const std::string digits = name.starts_with("step-") ? name.substr(5, name.find('.') - 5) : "";
        const bool number =
            !digits.empty() && digits.size() < 18 && digits.find_first_not_of("0123456789") == std::string::npos;
        if (number && name == fs::path(step_checkpoint(std::stoll(digits))).filename()) {
            steps.push_back(std::stoll(digits));
        }
    }
    std::sort(steps.rbegin(), steps.rend());
    return steps;
}

void RunDirectory::remove_temporaries() const {
    std::error_code ignored;
    for (const char* folder : {"", "checkpoints"}) {
        for (const fs::directory_entry& entry : fs::directory_iterator(file(folder), ignored)) {
            if (is_temporary(entry.path().filename().string())) fs::remove(entry.path(), ignored);
        }
    }
}

std::vector<std::string> RunDirectory::resolve_model(const std::string& model) {
    if (fs::is_regular_file(model)) return {model};
    if (!fs::exists(model)) {
        throw Error(ExitCode::model, fmt::format("no run directory or checkpoint at {}", model), "",
                    similar_file(model));
    }
    const RunDirectory run(model);
    std::vector<std::string> found = {run.checkpoint("best"), run.checkpoint("last")};
    for (const std::int64_t step : run.checkpoint_steps()) found.push_back(run.step_checkpoint(step));
    std::erase_if(found, [](const std::string& path) { return !fs::is_regular_file(path); });
    if (!found.empty()) return found;
    throw Error(ExitCode::model, fmt::format("{} holds no checkpoints/best.safetensors", model), "",
                "name a run directory that nowcell train has made, or a checkpoint file");
}

RunLock::RunLock(const RunDirectory& run)
    : file_(::open(run.file("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    // Where files cannot be locked, nobody is kept out.
    if (file_ < 0 || ::flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
    ::close(file_);
    throw Error(ExitCode::output, fmt::format("another process trains {}", run.path()), "",
                "wait for it, or stop it with SIGTERM: it saves first");
}

RunLock::~RunLock() {
    if (file_ >= 0) ::close(file_);
}

}  // namespace nowcell

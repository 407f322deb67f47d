#include "src/run_directory.h"

#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>

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

std::string RunDirectory::resolve_model(const std::string& model) {
    if (fs::is_regular_file(model)) return model;
    if (!fs::exists(model)) {
        throw Error(ExitCode::model, fmt::format("no run directory or checkpoint at {}", model), "",
                    similar_file(model));
    }
    const RunDirectory run(model);
    for (const char* which : {"best", "last"}) {
        if (fs::is_regular_file(run.checkpoint(which))) return run.checkpoint(which);
    }
    throw Error(ExitCode::model, fmt::format("{} holds no checkpoints/best.safetensors", model), "",
                "name a run directory that nowcell train has made, or a checkpoint file");
}

}  // namespace nowcell

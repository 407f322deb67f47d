#include "train/beginning.h"

#include "src/error.h"
#include "src/files.h"
#include "src/log.h"
#include "train/checkpoint_writer.h"
#include "train/environment.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

// What says how a run is carried out, not what it computes; and the ends that may be moved.
constexpr const char* kChangeable[] = {
    "train.epochs", "train.max_time", "train.patience", "train.device", "train.on_nan",  "checkpoint.", "log.",
    "data.path",    "data.readers",   "data.trust",     "data.limits.", "data.prefetch", "eval."};

bool is_changeable(const std::string& key) {
    return std::any_of(std::begin(kChangeable), std::end(kChangeable), [&](const std::string& name) {
        return name.back() == '.' ? key.starts_with(name) : key == name;
    });
}

void check_overrides(const std::vector<std::string>& overrides) {
    for (const std::string& text : overrides) {
        const std::string key = text.substr(0, text.find('='));
        if (is_changeable(key)) continue;
        throw Error(ExitCode::usage, fmt::format("{} cannot change in a run that goes on", key), "",
                    "nowcell train --from-run RUN --set " + text + " begins a new run with it");
    }
}

bool has_checkpoints(const RunDirectory& run) {
    return !run.checkpoint_steps().empty() || fs::exists(run.checkpoint("last"));
}

// A run that was killed before its first checkpoint has at least this.
bool has_configuration(const RunDirectory& run) { return fs::is_regular_file(run.file("config.toml")); }

std::string state_of(const RunDirectory& run) {
    if (!fs::exists(run.file("run.json"))) return "";
    const auto json = nlohmann::json::parse(read_text(run.file("run.json")), nullptr, false);
    return json.is_object() && json.contains("state") && json["state"].is_string() ? json["state"].get<std::string>()
                                                                                   : "";
}

// The run directory that was written to last and has not come to its end; of `name`-NNN alone where that is given.
std::optional<RunDirectory> newest_unfinished(const std::string& name) {
    std::optional<RunDirectory> newest;
    fs::file_time_type time;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator("runs", error)) {
        const RunDirectory run(entry.path().string());
        const std::string folder = entry.path().filename().string();
        if (!has_configuration(run) || state_of(run) == "done") continue;
        if (!name.empty() && folder.substr(0, folder.rfind('-')) != name) continue;
        const fs::file_time_type written = fs::last_write_time(run.file("checkpoints"), error);
        if (newest && written <= time) continue;
        newest = run;
        time = written;
    }
    return newest;
}

std::optional<RunDirectory> automatic(const Request& request) {
    if (request.has("--output")) {
        const RunDirectory run(request.text("--output"));
        return has_configuration(run) ? std::optional(run) : std::nullopt;
    }
    return newest_unfinished(request.has("--config") ? fs::path(request.text("--config")).stem().string() : "");
}

std::optional<RunDirectory> run_to_resume(const Request& request) {
    if (request.text("--resume") == "auto") {
        const std::optional<RunDirectory> found = automatic(request);
        if (!found && !request.has("--config")) {
            throw Error(ExitCode::model, "no run to go on with: runs/ holds none that was interrupted", "",
                        "nowcell train --resume RUN, or --config FILE to begin one");
        }
        return found;
    }
    const RunDirectory run(request.text("--resume"));
    if (!has_configuration(run)) {
        throw Error(ExitCode::model, fmt::format("{} is no run directory: it has no config.toml", run.path()), "",
                    similar_file(run.path()));
    }
    return run;
}

Beginning resumed(const Request& request, const RunDirectory& run) {
    check_overrides(request.overrides());
    if (!has_checkpoints(run)) {
        log_info(fmt::format("{} was interrupted before its first checkpoint: beginning anew", run.path()));
        return {Config::load(run.file("config.toml"), request.overrides()), std::nullopt, run, ""};
    }
    Checkpoint checkpoint = load_newest(run);
    Config config = Config::parse(checkpoint.sections.at("config"), run.path(), request.overrides());
    return {std::move(config), std::move(checkpoint), run, ""};
}

}  // namespace

Beginning Beginning::from(const Request& request) {
    const bool repeats = request.has("--from-run");
    if (request.has("--resume")) {
        if (repeats) throw Error(ExitCode::usage, "--resume and --from-run exclude each other");
        if (const std::optional<RunDirectory> run = run_to_resume(request)) return resumed(request, *run);
    }
    if (repeats) {
        if (request.has("--config")) throw Error(ExitCode::usage, "--from-run and --config exclude each other");
        const RunDirectory run(request.text("--from-run"));
        return {Config::load(run.file("config.toml"), request.overrides()), std::nullopt, std::nullopt, run.path()};
    }
    return {request.config(), std::nullopt, std::nullopt, ""};
}

void check_same_data(const Checkpoint& checkpoint, const SourceInfo& info, bool accepted) {
    const nlohmann::json before = checkpoint.get_json("data");
    if (before.at("fingerprint") == info.fingerprint && before.at("dataset") == info.dataset) return;
    const std::string what = fmt::format("{} changed since this run began (fingerprint {} -> {})", info.path,
                                         before.at("fingerprint").get<std::string>(), info.fingerprint);
    if (!accepted) {
        throw Error(ExitCode::data, what, info.dataset,
                    "--accept-data-change goes on all the same; --from-run begins a new run");
    }
    log_warning(what);
}

void compare_with(const std::string& run, const SourceInfo& info, torch::Device device) {
    const RunDirectory before(run);
    if (!has_checkpoints(before)) return log_warning(run + " has no checkpoint: nothing to compare this run with");
    const Checkpoint checkpoint = load_newest(before);
    check_same_data(checkpoint, info, /*accepted=*/true);
    for (const std::string& change : environment_changes(checkpoint.get_json("environment"), environment(device))) {
        log_warning(fmt::format("{}: {}", run, change));
    }
}

}  // namespace nowcell

#include "src/report.h"
#include "predict/report/page.h"
#include "src/error.h"
#include "src/files.h"
#include "src/json.h"
#include "src/log.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ctime>
#include <filesystem>
#include <iterator>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

std::string plural(std::size_t count, const std::string& noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string name_of(const std::string& path) {
    fs::path clean = fs::path(path).lexically_normal();
    if (!clean.has_filename()) clean = clean.parent_path();
    const std::string name = clean.filename().string();
    return name.empty() || name == "." ? path : name;
}

// One for each evaluation in a file.
std::vector<Subject> scores_in(const std::string& name, const std::string& path) {
    std::vector<Subject> subjects;
    for (EvaluationFile& scores : read_evaluations(path)) {
        std::string full = name;
        if (!subjects.empty()) full = fmt::format("{} ({})", name, subjects.size() + 1);
        subjects.push_back({full, std::nullopt, std::move(scores)});
    }
    if (subjects.empty()) throw Error(ExitCode::data, path + ": got no evaluation, expected one or more");
    return subjects;
}

// A run, a folder with scores.json, or a file of scores.
std::vector<Subject> subjects_of(const std::string& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
        throw Error(ExitCode::usage, fmt::format("nothing to report on: {} is not there", path), "",
                    similar_file(path));
    }
    if (!fs::is_directory(status)) return scores_in(name_of(path), path);
    if (is_run(path)) {
        Subject run{name_of(path), read_run(path)};
        if (run.run->scores.empty()) return {run};
        std::vector<Subject> subjects = scores_in(run.name, run.run->scores);
        subjects.front().run = std::move(run.run);
        return subjects;
    }
    const std::string scores = path + "/scores.json";
    if (fs::exists(scores)) return scores_in(name_of(path), scores);
    throw Error(
        ExitCode::data,
        fmt::format("nothing to report on: {} is neither a run (no run.json) nor an evaluation (no scores.json)", path),
        "", "name the folder that nowcell train or nowcell evaluate --folder has made");
}

Section section_of(const Subject& subject) {
    Section section{subject.name, {}};
    if (subject.run) {
        add_run(section, *subject.run);
        if (!subject.scores) {
            section.add(
                "scores",
                element("p", "No scores: nowcell evaluate --folder " + subject.run->path + "/evaluation writes them.",
                        {{"class", "note"}}));
        }
    }
    if (subject.scores) {
        add_scores(section, *subject.scores);
        add_samples(section, *subject.scores);
    }
    return section;
}

std::string today() {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    gmtime_r(&now, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
    return text;
}

int report(const Request& request) {
    const std::string path = request.text("--output", "report.html");
    check_writable(path, request.has("--force"));
    std::vector<Subject> subjects;
    for (const std::string& given : request.all("PATH")) {
        for (Subject& subject : subjects_of(given)) subjects.push_back(std::move(subject));
    }
    std::size_t runs = 0, evaluations = 0;
    std::vector<Section> sections;
    for (const Subject& subject : subjects) {
        runs += subject.run ? 1 : 0;
        evaluations += subject.scores ? 1 : 0;
        sections.push_back(section_of(subject));
    }
    if (subjects.size() > 1) sections.insert(sections.begin(), comparison_of(subjects));
    const std::string fallback = subjects.size() == 1 ? subjects.front().name : "Forecast report";
    const std::string made = fmt::format("{}, {}. Written by nowcell on {}.", plural(runs, "run"),
                                         plural(evaluations, "evaluation"), today());
    const Page page = page_of(request.text("--title", fallback), made, sections);
    make_parent(path);
    write_atomically(path, page.html);
    for (const std::string& what : page.left_out) log_warning("left out: " + what);
    log_info(fmt::format("{}, {}, {}, {:.0f} kB", plural(runs, "run"), plural(evaluations, "evaluation"),
                         plural(page.figures, "figure"), static_cast<double>(page.html.size()) / 1e3));
    const nlohmann::ordered_json facts = {
        {"schema", "nowcell.report/1"}, {"output", path},          {"bytes", page.html.size()}, {"runs", runs},
        {"evaluations", evaluations},   {"figures", page.figures}, {"left_out", page.left_out}};
    deliver(request, path + "\n", json_text(facts));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_report(const nowcell::Request& request) { return nowcell::report(request); }

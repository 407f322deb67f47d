// The handler of data check.
#include "data/commands/report_text.h"
#include "data/commands/source_request.h"
#include "data/formats/file_kind.h"
#include "data/frame_blocks.h"
#include "src/error.h"
#include "src/json.h"
#include "src/log.h"
#include "src/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

enum class Verdict { ok, refused, passed_over };

struct Finding {
    std::string path;
    Verdict verdict = Verdict::ok;
    std::string what;  ///< what it holds, or why it is refused
    std::string hint = {};
};

std::string name_of(Verdict verdict) {
    return verdict == Verdict::ok ? "ok" : verdict == Verdict::refused ? "refused" : "passed over";
}

std::string summary_of(const SourceInfo& info, std::int64_t missing) {
    std::string out =
        fmt::format("{}, {}, {}", info.format.empty() ? "frames" : info.format, frames_text(info), info.stored_type);
    if (info.files > 1) out += fmt::format(", {} files", info.files);
    if (missing > 0) out += fmt::format(", {} values missing", missing);
    if (gaps_text(info) != "none") out += ", " + gaps_text(info);
    return out;
}

// Opens a source and reads every frame of it.
Finding examine(const Request& request, const std::string& path) {
    const SourceOptions options = source_options(request, path);
    try {
        const auto source = open_source(options);
        std::int64_t missing = 0;
        for_each_block(*source, "reading", [&](const FrameBlock& block) {
            missing += block.frames.numel() - block.frames.isfinite().sum().item<std::int64_t>();
        });
        return {path, Verdict::ok, summary_of(source->info(), missing)};
    } catch (const Error& error) {
        if (static_cast<int>(error.code()) > 128) throw;  // stopped by a signal
        const Problem& problem = error.problems().front();
        return {path, Verdict::refused, problem.what + (problem.where.empty() ? "" : " at " + problem.where),
                problem.hint};
    } catch (const std::exception& error) {
        return {path, Verdict::refused, error.what()};
    }
}

// A text beside the data: named like one, and printable.
bool is_text(const std::string& path) {
    static const std::array<const char*, 7> kEndings = {"", ".txt", ".md", ".json", ".xml", ".yaml", ".csv"};
    const std::string end = fs::path(path).extension().string();
    if (std::find(kEndings.begin(), kEndings.end(), end) == kEndings.end()) return false;
    std::ifstream file(path, std::ios::binary);
    std::string begin(4096, '\0');
    file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
    begin.resize(static_cast<std::size_t>(file.gcount()));
    return !begin.empty() && as_utf8(begin) == begin && begin.find('\0') == std::string::npos;
}

// All files below a folder, in natural order; links to folders are not followed.
std::vector<std::string> files_below(const std::string& folder) {
    std::vector<std::string> out;
    std::vector<std::string> folders = {folder};
    while (!folders.empty()) {
        const std::string next = folders.back();
        folders.pop_back();
        for (const std::string& file : files_in(next)) out.push_back(file);
        const std::vector<std::string> inner = folders_in(next);
        for (auto it = inner.rbegin(); it != inner.rend(); ++it) {
            std::error_code error;
            if (!fs::is_symlink(*it, error)) folders.push_back(*it);
        }
    }
    return out;
}

void examine_each(const Request& request, const std::string& folder, std::vector<Finding>& findings) {
    for (const std::string& file : files_below(folder)) {
        const bool text = kind_of(file) == FileKind::other && is_text(file);
        findings.push_back(text ? Finding{file, Verdict::passed_over, "text"} : examine(request, file));
    }
}

void examine_folder(const Request& request, const std::string& folder, std::vector<Finding>& findings) {
    if (!request.has("--each")) {
        const Finding whole = examine(request, folder);
        if (whole.verdict == Verdict::ok || files_below(folder).empty()) {
            findings.push_back(whole);
            return;
        }
        log_info(fmt::format("{} is no single source ({}): its files are taken one by one", folder, whole.what));
    }
    examine_each(request, folder, findings);
}

std::int64_t count_of(const std::vector<Finding>& findings, Verdict verdict) {
    return std::count_if(findings.begin(), findings.end(), [&](const auto& one) { return one.verdict == verdict; });
}

std::string check_text(const std::vector<Finding>& findings) {
    std::string out;
    for (const Finding& one : findings) {
        out += fmt::format("{}\n  {:<13}{}\n", one.path, name_of(one.verdict), one.what);
        if (!one.hint.empty()) out += fmt::format("  {:<13}{}\n", "hint", one.hint);
    }
    const std::int64_t passed_over = count_of(findings, Verdict::passed_over);
    return out + fmt::format("{} usable, {} refused{}\n", count_of(findings, Verdict::ok),
                             count_of(findings, Verdict::refused),
                             passed_over > 0 ? fmt::format(", {} passed over", passed_over) : "");
}

std::string check_json(const std::vector<Finding>& findings) {
    nlohmann::ordered_json files = nlohmann::ordered_json::array();
    for (const Finding& one : findings) {
        files.push_back(
            {{"path", one.path}, {"verdict", name_of(one.verdict)}, {"what", one.what}, {"hint", one.hint}});
    }
    return json_text({{"schema", "nowcell.data_check/1"},
                      {"usable", count_of(findings, Verdict::ok)},
                      {"refused", count_of(findings, Verdict::refused)},
                      {"passed_over", count_of(findings, Verdict::passed_over)},
                      {"files", files}});
}

int check(const Request& request) {
    std::vector<Finding> findings;
    for (const std::string& path : request.all("PATH")) {
        std::error_code error;
        if (fs::is_directory(path, error)) {
            examine_folder(request, path, findings);
        } else {
            findings.push_back(examine(request, path));
        }
    }
    deliver(request, check_text(findings), check_json(findings));
    const bool good = count_of(findings, Verdict::refused) == 0;
    return static_cast<int>(good ? ExitCode::ok : ExitCode::data);
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_data_check(const nowcell::Request& request) { return nowcell::check(request); }

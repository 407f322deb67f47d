#include "predict/input_list.h"

#include "data/formats/file_kind.h"
#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> matches_of(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> paths;
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
        for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    }
    ::globfree(&found);
    if (paths.empty()) throw Error(ExitCode::usage, fmt::format("no file fits {}", pattern));
    std::sort(paths.begin(), paths.end(), natural_less);
    return paths;
}

// The files of a folder that are sources of their own; empty where the folder is one.
std::vector<std::string> sources_in(const std::string& folder) {
    std::vector<std::string> sources;
    for (const std::string& path : files_in(folder)) {
        if (is_temporary(path)) continue;
        switch (const FileKind kind = kind_of(path); kind) {
            case FileKind::npy:
            case FileKind::zip:
            case FileKind::idx:
            case FileKind::gif:
            case FileKind::video: sources.push_back(path); break;
            case FileKind::other: break;
            default: return {};  // frames of the folder
        }
    }
    return sources.size() > 1 ? sources : std::vector<std::string>();
}

std::string own_name(const std::string& path) {
    fs::path name = fs::path(path).lexically_normal();
    if (!name.has_filename()) name = name.parent_path();
    std::error_code ignored;
    const std::string text = fs::is_directory(path, ignored) ? name.filename().string() : name.stem().string();
    return text.empty() || text == "." || text == ".." ? "input" : text;
}

}  // namespace

InputList list_inputs(const std::vector<std::string>& words, const std::string& output) {
    InputList list;
    std::vector<std::string> paths;
    for (const std::string& word : words) {
        std::error_code ignored;
        std::vector<std::string> here = {word};
        if (!fs::exists(word, ignored) && word.find_first_of("*?[") != std::string::npos) {
            here = matches_of(word);
            list.several = true;
        } else if (fs::is_directory(word, ignored)) {
            if (std::vector<std::string> inner = sources_in(word); !inner.empty()) here = std::move(inner);
        }
        paths.insert(paths.end(), here.begin(), here.end());
    }
    list.several = list.several || paths.size() > 1;
    if (!list.several) return {{{paths.front(), output}}, false};
    std::set<std::string> seen;
    std::set<std::string> taken;
    for (const std::string& path : paths) {
        std::error_code ignored;
        if (!seen.insert(fs::weakly_canonical(path, ignored).string()).second) {
            throw Error(ExitCode::usage, fmt::format("{} is named twice", path));
        }
        std::string name = own_name(path);
        for (int i = 2; !taken.insert(name).second; ++i) name = fmt::format("{}_{}", own_name(path), i);
        list.inputs.push_back({path, output + "/" + name});
    }
    return list;
}

}  // namespace nowcell

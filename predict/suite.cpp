#include "predict/suite.h"

#include "predict/verbs.h"
#include "src/config_reader.h"
#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <sstream>

namespace nowcell {
namespace {

SuiteEntry entry(const Config& config, const std::string& kind, std::size_t index) {
    const auto text = [&](const std::string& key) {
        const std::string name = fmt::format("{}[{}].{}", kind, index, key);
        return config.has(name) ? config.text(name) : std::string();
    };
    SuiteEntry out{text("name"), text("path"), text("dataset"), text("target"), text("split")};
    if (out.name.empty()) out.name = name_of_path(out.path);
    return out;
}

std::vector<SuiteEntry> entries(const Config& config, const std::string& kind, const std::string& file) {
    std::vector<SuiteEntry> out;
    std::set<std::string> names;
    for (std::size_t i = 0; i < config.size(kind); ++i) {
        out.push_back(entry(config, kind, i));
        if (out.back().name.find('/') != std::string::npos || out.back().name.front() == '.') {
            throw Error(ExitCode::usage,
                        fmt::format("{}[{}] is called '{}', which is no name for a folder", kind, i, out.back().name),
                        file, "name = \"...\" without '/'");
        }
        if (names.insert(out.back().name).second) continue;
        throw Error(ExitCode::usage, fmt::format("two of [[{}]] are called '{}'", kind, out.back().name), file,
                    "give them names: name = \"...\"");
    }
    if (out.empty()) {
        throw Error(ExitCode::usage, fmt::format("no [[{}]] is named", kind), file,
                    fmt::format("[[{}]]\npath = \"...\"", kind));
    }
    return out;
}

// The keys of [eval] that the file has, as they would stand behind --set.
std::vector<std::string> overrides(const Config& config) {
    std::istringstream lines(config.toml());
    std::vector<std::string> out;
    std::string section;
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind('[', 0) == 0) section = line;
        const std::size_t equals = line.find(" = ");
        if (section != "[eval]" || equals == std::string::npos) continue;
        out.push_back("eval." + line.substr(0, equals) + "=" + line.substr(equals + 3));
    }
    return out;
}

}  // namespace

std::string name_of_path(const std::string& path) {
    std::filesystem::path where(path);
    if (where.filename().empty()) where = where.parent_path();
    const std::string name = where.extension() == ".safetensors" || where.has_extension() ? where.stem().string()
                                                                                          : where.filename().string();
    return name.empty() ? path : name;
}

const std::vector<Key>& suite_keys() {
    static const std::vector<Key> keys = [] {
        const auto key = [](const std::string& name, KeyType type, const std::string& help) {
            return Key{name, type, "", help};
        };
        std::vector<Key> all = {key("title", KeyType::text, "what the table is called"),
                                key("model[].name", KeyType::text, "of the row; default: from the path"),
                                key("model[].path", KeyType::path, "a run directory or a checkpoint"),
                                key("data[].name", KeyType::text, "default: from the path"),
                                key("data[].path", KeyType::path, "a file or folder of frames"),
                                key("data[].dataset", KeyType::text, "dataset in the file"),
                                key("data[].target", KeyType::path, "of pairs: file of what is to be forecast"),
                                key("data[].split", KeyType::text, "part to score")};
        all[2].required = all[4].required = true;
        all.back().choices = {"train", "validation", "test", "all"};
        for (Key one : predict_keys()) {
            one.fallback.clear();
            all.push_back(std::move(one));
        }
        return all;
    }();
    return keys;
}

Suite read_suite(const std::string& file) {
    ConfigReader reader(suite_keys());
    const std::string folder = std::filesystem::path(file).parent_path().string();
    reader.read_text(read_text(file), file, folder.empty() ? "." : folder);
    const Config config = reader.finish();
    return {config.has("title") ? config.text("title") : std::string(), entries(config, "model", file),
            entries(config, "data", file), overrides(config)};
}

}  // namespace nowcell

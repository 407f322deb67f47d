#include "predict/report/run_files.h"

#include "predict/report/json_file.h"
#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
    std::error_code error;
    return fs::is_regular_file(path, error);
}

std::string trimmed(const std::string& text) {
    const std::size_t first = text.find_first_not_of(" \t\r");
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") + 1 - first);
}

// Without the comment at its end; a # within a text is none.
std::string without_comment(const std::string& line) {
    char quote = '\0';
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (quote != '\0') {
            if (line[i] == '\\' && quote == '"')
                ++i;
            else if (line[i] == quote)
                quote = '\0';
        } else if (line[i] == '"' || line[i] == '\'') {
            quote = line[i];
        } else if (line[i] == '#') {
            return line.substr(0, i);
        }
    }
    return line;
}

// A run's own config.toml has a key a line. It is read as text, as newer programs may know other keys.
std::vector<std::pair<std::string, std::string>> settings_of(const std::string& path) {
    std::vector<std::pair<std::string, std::string>> settings;
    std::istringstream lines(read_text(path));
    std::string section;
    std::size_t layers = 0;
    for (std::string line; std::getline(lines, line);) {
        line = trimmed(without_comment(line));
        const std::size_t equals = line.find('=');
        if (line.starts_with("[[")) {
            section = fmt::format("{}[{}].", line.substr(2, line.find(']') - 2), layers++);
        } else if (line.starts_with("[")) {
            section = line.substr(1, line.find(']') - 1) + ".";
        } else if (equals != std::string::npos) {
            settings.emplace_back(section + trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1)));
        }
    }
    return settings;
}

std::vector<std::string> cells_of(const std::string& line) {
    std::vector<std::string> cells(1);
    for (const char c : line) {
        if (c == ',')
            cells.emplace_back();
        else if (c != '\r')
            cells.back() += c;
    }
    return cells;
}

double number(const std::string& cell) {
    if (cell.empty()) return std::nan("");
    char* end = nullptr;
    const double value = std::strtod(cell.c_str(), &end);
    if (*end != '\0') throw std::invalid_argument(cell);
    return value;
}

std::vector<EpochRow> epochs_of(const std::string& path) {
    std::istringstream lines(read_text(path));
    std::string line;
    std::getline(lines, line);
    const auto head = cells_of(line);
    std::vector<EpochRow> rows;
    for (int number_of_line = 2; std::getline(lines, line); ++number_of_line) {
        const auto cells = cells_of(line);
        const auto value = [&](const char* name) {
            const auto column = static_cast<std::size_t>(std::find(head.begin(), head.end(), name) - head.begin());
            return column < head.size() ? number(cells.at(column)) : std::nan("");
        };
        try {
            rows.push_back({value("epoch"), value("lr"), value("train_loss"), value("val_mae")});
        } catch (const std::logic_error&) {
            throw Error(ExitCode::data,
                        fmt::format("{} is damaged: got \"{}\", expected a row of numbers", path, line.substr(0, 60)),
                        fmt::format("{}:{}", path, number_of_line));
        }
    }
    return rows;
}

// samples/epoch-0003_s0.png: the last by name is the newest.
std::string newest_sample(const std::string& run) {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(run + "/samples", error)) {
        const std::string path = entry.path().string();
        if (path.ends_with("_s0.png")) found.push_back(path);
    }
    if (!found.empty()) return *std::max_element(found.begin(), found.end());
    const std::string single = run + "/validation.png";
    return exists(single) ? single : "";
}

}  // namespace

std::string RunFiles::fact(const char* name, const char* inner) const {
    const auto found = facts.find(name);
    if (found == facts.end() || found->is_null()) return "";
    if (inner != nullptr) {
        if (!found->is_object()) return "";
        RunFiles within;
        within.facts = *found;
        return within.fact(inner);
    }
    if (found->is_string()) return found->get<std::string>();
    return found->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_run(const std::string& path) {
    return exists(path + "/run.json") || (exists(path + "/config.toml") && exists(path + "/metrics.csv"));
}

RunFiles read_run(const std::string& path) {
    RunFiles run{.path = path, .facts = nlohmann::ordered_json::object()};
    if (exists(path + "/run.json")) run.facts = read_json_object(path + "/run.json");
    if (exists(path + "/config.toml")) run.settings = settings_of(path + "/config.toml");
    if (exists(path + "/metrics.csv")) run.epochs = epochs_of(path + "/metrics.csv");
    run.sample = newest_sample(path);
    if (exists(path + "/evaluation/scores.json")) run.scores = path + "/evaluation/scores.json";
    return run;
}

}  // namespace nowcell

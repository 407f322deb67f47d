#include "train/event_log.h"

#include "src/files.h"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace nowcell {
namespace {

bool covered(const std::string& text, const Resumption& resumed) {
    const nlohmann::json line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || line.value("step", nlohmann::json()).is_null()) return false;
    if (!line["step"].is_number_integer() || line["step"].get<std::int64_t>() > resumed.step) return false;
    if (line.value("event", "") != "epoch") return true;
    return std::any_of(resumed.records.begin(), resumed.records.end(),
                       [&](const EpochRecord& record) { return line.value("epoch", -1) == record.epoch; });
}

// Returns the path, for a constructor.
const std::string& cut_back(const std::string& path, const Resumption& resumed) {
    std::ifstream in(path);
    if (!in) return path;  // the user has removed it
    write_atomically(path, [&](const std::string& temporary) {
        AppendFile out(temporary, /*fresh=*/true);
        for (std::string line; std::getline(in, line);) {
            if (covered(line, resumed)) out.append(line + "\n");
        }
    });
    return path;
}

}  // namespace

std::string utc_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

EventLog::EventLog(const std::string& path, const std::optional<Resumption>& resumed)
    : file_(resumed ? cut_back(path, *resumed) : path, /*fresh=*/!resumed) {}

void EventLog::write(const std::string& event, std::int64_t step, const nlohmann::ordered_json& facts) {
    nlohmann::ordered_json line = {{"event", event}, {"time", utc_now()}, {"step", step}};
    if (facts.is_object()) line.update(facts);
    file_.append(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace nowcell

#include "train/event_log.h"

#include "src/files.h"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include <ctime>
#include <fstream>
#include <map>

namespace nowcell {
namespace {

std::string line_of(const std::string& event, std::int64_t step, const nlohmann::ordered_json& facts) {
    nlohmann::ordered_json line = {{"event", event}, {"time", utc_now()}, {"step", step}};
    if (facts.is_object()) line.update(facts);
    return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

// The rows of a checkpoint by epoch; each is taken out when its line is found.
using Rows = std::map<std::int64_t, const EpochRecord*>;

bool covered(const std::string& text, std::int64_t step, Rows& rows) {
    const nlohmann::json line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number_integer()) return false;
    if (line["step"].get<std::int64_t>() > step) return false;
    const bool epoch = line.value("event", nlohmann::json()) == "epoch" && line.contains("epoch");
    return !epoch || (line["epoch"].is_number_integer() && rows.erase(line["epoch"].get<std::int64_t>()) == 1);
}

// Returns the path, for a constructor.
const std::string& cut_back(const std::string& path, const Resumption& resumed) {
    Rows rows;
    for (const EpochRecord& record : resumed.records) rows[record.epoch] = &record;
    std::ifstream in(path);
    write_atomically(path, [&](const std::string& temporary) {
        AppendFile out(temporary, /*fresh=*/true);
        for (std::string line; std::getline(in, line);) {
            if (covered(line, resumed.step, rows)) out.append(line + "\n");
        }
        for (const auto& [epoch, record] : rows) out.append(line_of("epoch", record->step, to_json(*record)));
    });
    return path;
}

}  // namespace

std::string utc_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

EventLog::EventLog(const std::string& path, const std::optional<Resumption>& resumed)
    : file_(resumed ? cut_back(path, *resumed) : path, /*fresh=*/!resumed) {}

void EventLog::write(const std::string& event, std::int64_t step, const nlohmann::ordered_json& facts) {
    file_.append(line_of(event, step, facts));
}

}  // namespace nowcell

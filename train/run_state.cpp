#include "train/run_state.h"

#include "src/files.h"
#include "src/json.h"

#include <filesystem>

namespace nowcell {

RunState::RunState(std::string path, bool resumed) : path_(std::move(path)), facts_{{"schema", "nowcell.run/1"}} {
    if (!resumed || !std::filesystem::exists(path_)) return;
    const auto before = nlohmann::ordered_json::parse(read_text(path_), nullptr, /*allow_exceptions=*/false);
    if (before.is_object()) facts_.update(before);
}

void RunState::set(const nlohmann::ordered_json& facts) {
    if (facts.is_object()) facts_.update(facts);
    write_atomically(path_, json_text(facts_) + "\n");
}

}  // namespace nowcell

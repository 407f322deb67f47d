// Text that goes into JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace nowcell {

/// The text if it is UTF-8, else the same bytes read as Latin-1: old files write "\xB0C" for degrees.
std::string as_utf8(const std::string& text);

/// JSON of a report, indented. A path may hold any bytes: what is no UTF-8 is replaced, never an error.
std::string json_text(const nlohmann::ordered_json& report);

}  // namespace nowcell

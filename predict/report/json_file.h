// JSON that others may have written, read with distrust.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace nowcell {

/// The object in a file of at most 256 MB. Throws Error(data) naming the file and the place of the damage.
nlohmann::ordered_json read_json_object(const std::string& path);

/// A text, or "" when the member is missing, null or something else.
std::string text_in(const nlohmann::ordered_json& object, const char* name);

/// A number, or NaN; magnitudes beyond 1e300 are no numbers that can be drawn.
double number_in(const nlohmann::ordered_json& object, const char* name);

/// A whole number, or `fallback`.
std::int64_t integer_in(const nlohmann::ordered_json& object, const char* name, std::int64_t fallback);

/// Numbers of an array; NaN for everything else in it.
std::vector<double> numbers_in(const nlohmann::ordered_json& object, const char* name);

/// An array of objects; empty when the member is missing. Throws Error(data) when it is something else.
std::vector<nlohmann::ordered_json> objects_in(const nlohmann::ordered_json& object, const char* name,
                                               const std::string& path);

}  // namespace nowcell

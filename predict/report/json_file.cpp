#include "predict/report/json_file.h"

#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <limits>

namespace nowcell {
namespace {

constexpr std::uintmax_t kMost = 256u << 20;
constexpr double kDrawable = 1e300;
constexpr std::size_t kLongestText = 300;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double number(const nlohmann::ordered_json& value) {
    const double x = value.is_number() ? value.get<double>() : kNan;
    return std::abs(x) < kDrawable ? x : kNan;
}

}  // namespace

nlohmann::ordered_json read_json_object(const std::string& path) {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (!error && size > kMost) {
        throw Error(ExitCode::data,
                    fmt::format("{} is too large: got {} MB, expected at most 256 MB", path, size >> 20));
    }
    nlohmann::ordered_json json;
    try {
        json = nlohmann::ordered_json::parse(read_text(path));
    } catch (const nlohmann::json::parse_error& failure) {
        throw Error(ExitCode::data, fmt::format("{} is no JSON: damaged at byte {} of {}", path, failure.byte, size),
                    "", "was it cut short? write it again");
    }
    if (!json.is_object()) {
        throw Error(ExitCode::data, fmt::format("{}: got a JSON {}, expected an object", path, json.type_name()));
    }
    return json;
}

std::string text_in(const nlohmann::ordered_json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string()) return "";
    std::string text = found->get<std::string>();
    if (text.size() <= kLongestText) return text;
    std::size_t end = kLongestText;  // between letters of UTF-8
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return text.substr(0, end);
}

double number_in(const nlohmann::ordered_json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() ? number(*found) : kNan;
}

std::int64_t integer_in(const nlohmann::ordered_json& object, const char* name, std::int64_t fallback) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : fallback;
}

std::vector<double> numbers_in(const nlohmann::ordered_json& object, const char* name) {
    std::vector<double> values;
    const auto found = object.find(name);
    if (found == object.end() || !found->is_array()) return values;
    for (const auto& value : *found) values.push_back(number(value));
    return values;
}

std::vector<nlohmann::ordered_json> objects_in(const nlohmann::ordered_json& object, const char* name,
                                               const std::string& path) {
    std::vector<nlohmann::ordered_json> objects;
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return objects;
    for (const auto& value : *found) {
        if (found->is_array() && value.is_object()) {
            objects.push_back(value);
        } else {
            throw Error(ExitCode::data,
                        fmt::format("{}: \"{}\": got something else than a list of objects", path, name));
        }
    }
    return objects;
}

}  // namespace nowcell

#include "src/config_reader.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

namespace nowcell {
namespace {

using Value = Config::Value;

constexpr double kLargestInteger = 1e9;  // products of three such numbers would overflow, of two they do not

std::string line_of(const std::string& text, std::size_t number) {
    std::istringstream in(text);
    std::string line;
    for (std::size_t i = 0; i < number && std::getline(in, line); ++i) {
    }
    return line;
}

// "FILE:LINE:COL", the source line, and a caret under the column.
std::string caret(const std::string& name, const std::string& text, const toml::source_position& at) {
    if (at.line == 0) return name;
    const std::string line = line_of(text, at.line);
    const std::string pad(at.column > 0 ? at.column - 1 : 0, ' ');
    return fmt::format("{}:{}:{}\n{:>5} | {}\n      | {}^", name, at.line, at.column, at.line, line, pad);
}

std::string shown(const toml::node& node) {
    if (const auto* text = node.as_string()) return fmt::format("the string \"{}\"", text->get());
    if (node.is_table()) return "a table";
    if (node.is_array() && node.as_array()->size() > 8) return "a long array";
    std::ostringstream out;
    node.visit([&](const auto& value) { out << value; });
    return out.str();
}

std::string range(const Key& key) {
    const bool from = std::isfinite(key.min);
    const bool to = std::isfinite(key.max) && key.max < kLargestInteger;
    if (from && to) return fmt::format(" from {} to {}", key.min, key.max);
    if (from) return fmt::format(" >= {}", key.min);
    return to ? fmt::format(" <= {}", key.max) : "";
}

std::string expected(const Key& key) {
    if (key.type == KeyType::texts) {
        return fmt::format("an array of any of \"{}\"", fmt::join(key.choices, "\", \""));
    }
    if (!key.choices.empty()) return fmt::format("one of \"{}\"", fmt::join(key.choices, "\", \""));
    switch (key.type) {
        case KeyType::boolean: return "true or false";
        case KeyType::integer: return "an integer" + range(key);
        case KeyType::number: return "a number" + range(key);
        case KeyType::text: return "a string";
        case KeyType::path: return "a path in quotes";
        case KeyType::duration: return "a time such as \"90s\", \"6m\" or \"2h30m\"";
        case KeyType::bytes: return "a size such as \"1GiB\" or \"500MB\"" + range(key);
        case KeyType::numbers: return "an array of numbers" + range(key);
        case KeyType::texts: return "an array of strings";
        case KeyType::per_axis: return "an integer" + range(key) + ", or two: [height, width]";
    }
    return "";
}

bool in_range(const Key& key, double value) {
    const bool whole = key.type == KeyType::integer || key.type == KeyType::per_axis;
    const bool small = !whole || std::abs(value) <= kLargestInteger;
    return std::isfinite(value) && small && value >= key.min && value <= key.max;
}

std::optional<std::int64_t> integer_from(const Key& key, const toml::node& node) {
    const auto* value = node.as_integer();
    if (value == nullptr || !in_range(key, static_cast<double>(value->get()))) return std::nullopt;
    return value->get();
}

std::optional<Value> per_axis_from(const Key& key, const toml::node& node) {
    if (const auto value = integer_from(key, node)) return std::vector<std::int64_t>{*value};
    const toml::array* array = node.as_array();
    if (array == nullptr || array->size() != 2) return std::nullopt;
    std::vector<std::int64_t> values;
    for (const toml::node& element : *array) {
        const std::optional<std::int64_t> value = integer_from(key, element);
        if (!value) return std::nullopt;
        values.push_back(*value);
    }
    return values;
}

std::optional<Value> numbers_from(const Key& key, const toml::node& node) {
    const toml::array* array = node.as_array();
    if (array == nullptr) return std::nullopt;
    std::vector<double> values;
    for (const toml::node& element : *array) {
        const std::optional<double> number = element.value<double>();
        if (!element.is_number() || !number || !in_range(key, *number)) return std::nullopt;
        values.push_back(*number);
    }
    return values;
}

std::optional<Value> text_from(const Key& key, const toml::node& node) {
    const auto* text = node.as_string();
    if (text == nullptr) return std::nullopt;
    if (const auto former = key.renamed.find(text->get()); former != key.renamed.end()) return former->second;
    bool allowed = key.choices.empty();
    for (const std::string& choice : key.choices) allowed = allowed || choice == text->get();
    return allowed ? std::optional<Value>(text->get()) : std::nullopt;
}

std::optional<Value> texts_from(const Key& key, const toml::node& node) {
    const toml::array* array = node.as_array();
    if (array == nullptr) return std::nullopt;
    std::vector<std::string> values;
    for (const toml::node& element : *array) {
        const std::optional<Value> text = text_from(key, element);
        if (!text) return std::nullopt;
        values.push_back(std::get<std::string>(*text));
    }
    return values;
}

// A number, or a text that `parse` reads as one.
std::optional<Value> quantity_from(const Key& key, const toml::node& node, double (*parse)(const std::string&)) {
    const auto* text = node.as_string();
    const double value = text != nullptr ? parse(text->get()) : node.value<double>().value_or(-1.0);
    return value > 0.0 && in_range(key, value) ? std::optional<Value>(value) : std::nullopt;
}

// The value of a node if it has the key's type, range and choices.
std::optional<Value> convert(const Key& key, const toml::node& node) {
    switch (key.type) {
        case KeyType::boolean: return node.is_boolean() ? std::optional<Value>(*node.value<bool>()) : std::nullopt;
        case KeyType::integer: return integer_from(key, node);
        case KeyType::number: {
            if (!node.is_number() || !in_range(key, *node.value<double>())) return std::nullopt;
            return Value(*node.value<double>());
        }
        case KeyType::text:
        case KeyType::path: return text_from(key, node);
        case KeyType::duration: return quantity_from(key, node, parse_duration);
        case KeyType::bytes: return quantity_from(key, node, parse_bytes);
        case KeyType::numbers: return numbers_from(key, node);
        case KeyType::texts: return texts_from(key, node);
        case KeyType::per_axis: return per_axis_from(key, node);
    }
    return std::nullopt;
}

std::string absolute_path(const std::string& path, const std::string& folder) {
    namespace fs = std::filesystem;
    if (path.empty() || folder.empty() || fs::path(path).is_absolute()) return path;
    return (fs::absolute(folder) / path).lexically_normal().string();
}

}  // namespace

struct ConfigReader::Found {
    std::string key;
    const toml::node& node;
    toml::source_position at;  // of the key
    const std::string& name;
    const std::string& text;
    const std::string& folder;

    std::string where() const { return caret(name, text, at); }
};

ConfigReader::ConfigReader(const std::vector<Key>& keys) : keys_(keys) {}

const Key* ConfigReader::find(const std::string& generic) const {
    for (const Key& key : keys_) {
        if (key.name == generic) return &key;
    }
    return nullptr;
}

bool ConfigReader::is_array_of_tables(const std::string& name) const {
    return std::any_of(keys_.begin(), keys_.end(),
                       [&](const Key& key) { return key.name.rfind(name + "[].", 0) == 0; });
}

void ConfigReader::problem(std::string what, std::string where, std::string hint) {
    problems_.push_back({std::move(what), std::move(where), std::move(hint)});
}

void ConfigReader::read_text(const std::string& text, const std::string& name, const std::string& folder) {
    try {
        const toml::table root = toml::parse(text, name);
        for (const auto& [key, node] : root) {
            walk({std::string(key.str()), node, key.source().begin, name, text, folder});
        }
    } catch (const toml::parse_error& error) {
        problem(std::string(error.description()), caret(name, text, error.source().begin),
                "the file must be TOML: key = value, strings in quotes");
        readable_ = false;
    }
}

void ConfigReader::read_override(const std::string& assignment) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
        return problem(fmt::format("--set {}: expected KEY=VALUE", assignment), "", "--set train.epochs=5");
    }
    const std::string key = assignment.substr(0, equals);
    const std::string value = assignment.substr(equals + 1);
    const std::string name = "--set " + assignment;
    const std::string folder = ".";
    toml::table parsed;
    try {
        parsed = toml::parse("value = " + value);
    } catch (const toml::parse_error&) {
        parsed.insert("value", value);  // a bare word
    }
    const Key* known = find(generic_name(key));
    const bool is_text = known != nullptr && (known->type == KeyType::text || known->type == KeyType::path);
    if (is_text && !parsed.get("value")->is_string()) parsed.insert_or_assign("value", value);
    walk({key, *parsed.get("value"), {}, name, value, folder});
}

// Descends into tables until a known key or a leaf is found.
void ConfigReader::walk(const Found& found) {
    const toml::array* array = found.node.as_array();
    const bool tables = array != nullptr && (array->is_homogeneous(toml::node_type::table) ||
                                             (array->empty() && is_array_of_tables(found.key)));
    if (find(generic_name(found.key)) != nullptr) return accept(found);
    if (const toml::table* table = found.node.as_table()) {
        for (const auto& [key, node] : *table) {
            walk({found.key + "." + std::string(key.str()), node, key.source().begin, found.name, found.text,
                  found.folder});
        }
    } else if (tables) {
        config_.sizes_[found.key] = array->size();
        for (std::size_t i = 0; i < array->size(); ++i) {
            walk({fmt::format("{}[{}]", found.key, i), *array->get(i), array->get(i)->source().begin, found.name,
                  found.text, found.folder});
        }
    } else {
        unknown(found);
    }
}

void ConfigReader::accept(const Found& found) {
    const Key& key = *find(generic_name(found.key));
    std::optional<Value> value = convert(key, found.node);
    if (!value) {
        std::string hint = did_you_mean(found.node.value_or(std::string()), key.choices);
        if (hint.empty() && !key.fallback.empty()) hint = fmt::format("the default is {}", key.fallback);
        return problem(fmt::format("{} must be {}, got {}", found.key, expected(key), shown(found.node)), found.where(),
                       hint);
    }
    if (!accept_index(found)) return;
    if (key.type == KeyType::path) value = absolute_path(std::get<std::string>(*value), found.folder);
    config_.entries_[found.key] = {std::move(*value), found.where()};
}

// Of "model.layers[2].filters", "2" must be a number, and at most one behind the last table there is.
bool ConfigReader::accept_index(const Found& found) {
    const std::size_t bracket = found.key.find('[');
    if (bracket == std::string::npos) return true;
    const std::string digits = found.key.substr(bracket + 1, found.key.find(']') - bracket - 1);
    const bool number = !digits.empty() && digits.size() < 5 &&
                        digits.find_first_not_of("0123456789") == std::string::npos &&
                        (digits.size() == 1 || digits.front() != '0');
    std::size_t& size = config_.sizes_[found.key.substr(0, bracket)];
    const std::size_t index = number ? std::stoul(digits) : size + 1;
    if (index > size) {
        problem(fmt::format("{}: the number in brackets must be 0 to {}", found.key, size), found.where(),
                found.key.substr(0, bracket) + "[0]" + found.key.substr(found.key.find(']') + 1));
        return false;
    }
    size = std::max(size, index + 1);
    return true;
}

void ConfigReader::unknown(const Found& found) {
    const std::string generic = generic_name(found.key);
    std::vector<std::string> names;
    for (const Key& key : keys_) {
        names.push_back(key.name);
        for (const std::string& alias : key.aliases) {
            if (alias == generic) {
                return problem(fmt::format("unknown key '{}'", found.key), found.where(),
                               fmt::format("use '{}': {}", key.name, key.help));
            }
        }
    }
    // In a table that exists only its own keys are near: what all names share would make any two look alike.
    const std::string table = generic.substr(0, generic.rfind('.') + 1);
    std::vector<std::string> near;
    for (const std::string& name : names) {
        if (name.rfind(table, 0) == 0) near.push_back(name.substr(table.size()));
    }
    const std::string last = generic.substr(table.size());
    const std::vector<std::string> closest = near.empty() ? nearest(generic, names) : nearest(last, near);
    std::string hint;
    if (!closest.empty()) hint = fmt::format("did you mean '{}{}'?", near.empty() ? "" : table, closest.front());
    for (const std::string& name : names) {
        if (hint.empty() && name.substr(name.rfind('.') + 1) == last) hint = "did you mean '" + name + "'?";
    }
    if (hint.empty()) hint = "nowcell config keys lists every key";
    problem(fmt::format("unknown key '{}'", found.key), found.where(), hint);
}

void ConfigReader::add_defaults() {
    for (const Key& key : keys_) {
        const std::size_t bracket = key.name.find("[]");
        const std::string array = key.name.substr(0, bracket);
        const std::size_t count = bracket == std::string::npos ? 1 : config_.sizes_[array];
        for (std::size_t i = 0; i < count; ++i) {
            std::string name = key.name;
            if (bracket != std::string::npos) name.replace(bracket, 2, fmt::format("[{}]", i));
            if (config_.entries_.count(name) > 0) continue;
            if (!key.fallback.empty()) {
                const toml::table parsed = toml::parse("value = " + key.fallback);
                config_.entries_[name] = {*convert(key, *parsed.get("value")), "default"};
            } else if (key.required) {
                problem(fmt::format("{} is missing: expected {}", name, expected(key)), "",
                        fmt::format("add it to the file, or --set {}=...", name));
            }
        }
    }
}

Config ConfigReader::finish() {
    if (readable_) add_defaults();
    if (!problems_.empty()) throw Error(ExitCode::usage, std::move(problems_));
    return std::move(config_);
}

double parse_duration(const std::string& text) {
    double total = 0.0;
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t used = 0;
        double value = 0.0;
        try {
            value = std::stod(text.substr(at), &used);
        } catch (const std::exception&) {
            return -1.0;
        }
        at += used;
        const char unit = at < text.size() ? text[at] : 's';
        const double scale = unit == 'h' ? 3600.0 : unit == 'm' ? 60.0 : unit == 's' ? 1.0 : -1.0;
        if (scale < 0.0 || value < 0.0 || !std::isfinite(value)) return -1.0;
        total += value * scale;
        ++at;
    }
    return text.empty() ? -1.0 : total;
}

double parse_bytes(const std::string& text) {
    static const std::map<std::string, double> units = {
        {"", 1.0},    {"B", 1.0},      {"KB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
        {"TB", 1e12}, {"KIB", 0x1p10}, {"MIB", 0x1p20}, {"GIB", 0x1p30}, {"TIB", 0x1p40}};
    std::size_t used = 0;
    double value = 0.0;
    try {
        value = std::stod(text, &used);
    } catch (const std::exception&) {
        return -1.0;
    }
    std::string unit;
    for (const char c : text.substr(used)) {
        if (c != ' ') unit += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    const auto found = units.find(unit);
    return found == units.end() || !std::isfinite(value) ? -1.0 : value * found->second;
}

std::string generic_name(const std::string& key) {
    std::string out;
    bool inside = false;
    for (const char c : key) {
        if (c == '[') out += c, inside = true;
        if (c == ']') inside = false;
        if (!inside) out += c;
    }
    return out;
}

}  // namespace nowcell

#include "src/config.h"

#include "src/config_reader.h"
#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace nowcell {
namespace {

std::string number_text(double value) {
    std::string text = fmt::format("{}", value);
    if (text.find_first_of(".einf") == std::string::npos) text += ".0";
    return text;
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<int>(c));
        } else {
            out += c;
        }
    }
    return out + '"';
}

struct Print {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
    std::string operator()(double value) const { return number_text(value); }
    std::string operator()(const std::string& value) const { return quoted(value); }
    std::string operator()(const std::vector<double>& values) const {
        std::string out;
        for (const double value : values) out += (out.empty() ? "" : ", ") + number_text(value);
        return "[" + out + "]";
    }
    std::string operator()(const std::vector<std::int64_t>& values) const {
        return values.size() == 1 ? (*this)(values[0]) : fmt::format("[{}]", fmt::join(values, ", "));
    }
    std::string operator()(const std::vector<std::string>& values) const {
        std::string out;
        for (const std::string& value : values) out += (out.empty() ? "" : ", ") + quoted(value);
        return "[" + out + "]";
    }
};

}  // namespace

Config Config::load(const std::string& file, const std::vector<std::string>& overrides) {
    ConfigReader reader(all_keys());
    const std::string folder = std::filesystem::path(file).parent_path().string();
    reader.read_text(read_text(file), file, folder.empty() ? "." : folder);
    for (const std::string& assignment : overrides) reader.read_override(assignment);
    return reader.finish();
}

Config Config::parse(const std::string& text, const std::string& name, const std::vector<std::string>& overrides) {
    ConfigReader reader(all_keys());
    reader.read_text(text, name, "");
    for (const std::string& assignment : overrides) reader.read_override(assignment);
    return reader.finish();
}

const Config::Entry& Config::entry(const std::string& key) const {
    const auto found = entries_.find(key);
    if (found == entries_.end()) throw Error(ExitCode::internal, "config key without a value: " + key);
    return found->second;
}

bool Config::has(const std::string& key) const { return entries_.count(key) > 0; }
bool Config::boolean(const std::string& key) const { return std::get<bool>(entry(key).value); }
std::int64_t Config::integer(const std::string& key) const { return std::get<std::int64_t>(entry(key).value); }
double Config::number(const std::string& key) const { return std::get<double>(entry(key).value); }
std::string Config::text(const std::string& key) const { return std::get<std::string>(entry(key).value); }

std::vector<double> Config::numbers(const std::string& key) const {
    return std::get<std::vector<double>>(entry(key).value);
}

std::vector<std::string> Config::texts(const std::string& key) const {
    return std::get<std::vector<std::string>>(entry(key).value);
}

std::vector<std::int64_t> Config::per_axis(const std::string& key) const {
    return std::get<std::vector<std::int64_t>>(entry(key).value);
}

std::size_t Config::size(const std::string& array) const {
    const auto found = sizes_.find(array);
    return found == sizes_.end() ? 0 : found->second;
}

void Config::set(const std::string& key, std::int64_t value, const std::string& where) {
    const auto found =
        std::find_if(all_keys().begin(), all_keys().end(), [&](const Key& one) { return one.name == key; });
    if (found == all_keys().end() || found->type != KeyType::integer) {
        throw Error(ExitCode::internal, "no integer key: " + key);
    }
    entries_[key] = {value, where};
}

std::string Config::where(const std::string& key) const { return entry(key).where; }

std::string Config::toml(bool origins) const {
    std::string out;
    std::string section;
    const auto print = [&](const std::string& full, const std::string& header, const std::string& key) {
        const auto found = entries_.find(full);
        if (found == entries_.end()) return;
        if (header != section) out += (out.empty() ? "" : "\n") + header + "\n";
        section = header;
        out += key + " = " + std::visit(Print{}, found->second.value);
        const std::string& where = found->second.where;
        out += origins ? "  # " + where.substr(0, where.find('\n')) + "\n" : "\n";
    };
    for (std::size_t at = 0; at < all_keys().size(); ++at) {
        const std::string& name = all_keys()[at].name;
        const std::size_t bracket = name.find("[].");
        if (bracket == std::string::npos) {
            const std::size_t dot = name.find('.');
            print(name, "[" + name.substr(0, dot) + "]", name.substr(dot + 1));
            continue;
        }
        // The keys of an array of tables stand together in the table: print them element by element.
        const std::string array = name.substr(0, bracket);
        std::size_t end = at;
        while (end < all_keys().size() && all_keys()[end].name.rfind(array + "[].", 0) == 0) ++end;
        for (std::size_t i = 0; i < size(array); ++i) {
            section.clear();
            for (std::size_t k = at; k < end; ++k) {
                const std::string key = all_keys()[k].name.substr(bracket + 3);
                print(fmt::format("{}[{}].{}", array, i, key), "[[" + array + "]]", key);
            }
        }
        at = end - 1;
    }
    return out;
}

}  // namespace nowcell

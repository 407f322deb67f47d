// Configuration: a table of known keys, TOML files checked against it, and typed look-ups.
// Free of LibTorch, so that `--help` and config errors start no engine.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace nowcell {

/// What a key holds. A `duration` is "90s", "6m", "2h30m" or a number of seconds, read as seconds; `bytes` is "512MiB",
/// "1GiB" or a number of bytes; a relative `path` counts from the folder of the file that names it; `per_axis` is one
/// integer, or two: [height, width].
enum class KeyType { boolean, integer, number, text, path, duration, bytes, numbers, texts, per_axis };

/// One documented key. Arrays of tables are written with "[]": "model.layers[].filters".
struct Key {
    std::string name;
    KeyType type;
    std::string fallback;  ///< TOML text of the default; empty: optional without a default
    std::string help;      ///< one line, with unit and range
    double min = -std::numeric_limits<double>::infinity();
    double max = std::numeric_limits<double>::infinity();
    std::vector<std::string> choices = {};            ///< allowed texts, of each element for `texts`
    std::vector<std::string> aliases = {};            ///< other tools' names: never accepted, only suggested from
    std::map<std::string, std::string> renamed = {};  ///< choices of older versions, read as their new names
    bool required = false;
};

/// Every key of the program, in the order `config show` prints them.
/// Collected from the folders that own them in src/surface.cpp.
const std::vector<Key>& all_keys();

/// A resolved configuration: every key has a value of its type, or is unset when it has no default.
/// Look-ups throw Error(internal) for a name without a value.
class Config {
 public:
    using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<double>, std::vector<std::string>,
                               std::vector<std::int64_t>>;

    /// Reads `file`, then applies `overrides` ("key=value", the value as TOML or a bare word).
    /// Throws Error(usage) listing all problems, each with line, column and caret.
    static Config load(const std::string& file, const std::vector<std::string>& overrides);

    /// The same from text; `name` stands for the file in messages, relative paths are left as they are.
    static Config parse(const std::string& text, const std::string& name,
                        const std::vector<std::string>& overrides = {});

    bool has(const std::string& key) const;  ///< set, or has a default
    bool boolean(const std::string& key) const;
    std::int64_t integer(const std::string& key) const;
    double number(const std::string& key) const;  ///< also durations, in seconds, and sizes, in bytes
    std::string text(const std::string& key) const;
    std::vector<double> numbers(const std::string& key) const;
    std::vector<std::string> texts(const std::string& key) const;
    std::vector<std::int64_t> per_axis(const std::string& key) const;  ///< as written: one entry or two

    /// Number of tables in an array of tables such as "model.layers".
    std::size_t size(const std::string& array) const;

    /// Gives a key the value that the program found for it; `where` says from what. Throws Error(internal) on a key
    /// of another type.
    void set(const std::string& key, std::int64_t value, const std::string& where);

    /// Where a value came from: "FILE:LINE:COL" with source line and caret, "--set ..." or "default".
    std::string where(const std::string& key) const;

    /// Reusable TOML text of every key with a value; where each came from as trailing comments when asked.
    std::string toml(bool origins = false) const;

 private:
    friend class ConfigReader;
    struct Entry {
        Value value;
        std::string where;
    };

    const Entry& entry(const std::string& key) const;

    std::map<std::string, Entry> entries_;
    std::map<std::string, std::size_t> sizes_;
};

/// "model.layers[2].filters" -> "model.layers[].filters".
std::string generic_name(const std::string& key);

/// Seconds of "90s", "6m", "2h30m" or "12.5"; negative when the text is none of these.
double parse_duration(const std::string& text);

/// Bytes of "1GiB", "500MB", "64 KiB" or "4096"; negative when the text is none of these.
double parse_bytes(const std::string& text);

}  // namespace nowcell

// The command line as data: verbs, their flags, and a parsed request. Free of LibTorch.
#pragma once

#include "src/config.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace nowcell {

enum class FlagType { none, text, integer, number, duration };

/// One option of a verb.
struct Flag {
    std::string name;                ///< "--horizon"
    FlagType type = FlagType::text;  ///< none: a switch
    std::string value;               ///< what help calls the value: "N"
    std::string help;
    std::string fallback = {};  ///< default as typed; empty: none
    std::vector<std::string> aliases = {};
    std::vector<std::string> choices = {};
    std::string key = {};  ///< config key that this flag sets
    bool required = false;
    std::vector<std::string> unless = {};  ///< flags of which one makes a required one superfluous
    bool repeated = false;
    double min = 0.0;  ///< for integer and number
    double max = 1e9;
    bool report = false;  ///< names a file for the verb's report: refused beforehand when it exists
};

/// A positional argument.
struct Argument {
    std::string name;  ///< "FILE"
    std::string help;
    std::vector<std::string> choices = {};
    bool repeated = false;
};

/// One verb: "train", "data make". `handler` is the exported function of libnowcell.so that runs it,
/// `extern "C" int NAME(const Request&)`; empty: main runs it without the engine.
struct Verb {
    std::string name;
    std::string summary;
    std::string handler;
    std::vector<Argument> arguments = {};
    std::vector<Flag> flags = {};
    std::vector<std::string> examples = {};
};

/// Whether --config names a configuration file; such verbs also have --set.
bool takes_configuration(const Verb& verb);

/// Every verb, collected from the folders that own them in src/surface.cpp.
const std::vector<Verb>& all_verbs();

/// The verb of that name, or nullptr.
const Verb* find_verb(const std::string& name);

Flag output_flag(const std::string& help);  ///< --output PATH, -o, --out: every verb has it
Flag report_flag();                         ///< --output for verbs whose output is their text
Flag threads_flag();
Flag device_flag();
Flag algorithm_flag();  ///< sets cells.algorithm
Flag json_flag();
Flag force_flag();
Flag progress_flag();  ///< for verbs that work long
Flag config_flag();
Flag set_flag();

/// A command line that has been checked against its verb.
struct Request {
    std::string verb;
    std::map<std::string, std::vector<std::string>> values;  ///< by flag name ("--output") or argument name ("FILE")
    std::string command_line;                                ///< as typed, for the record
    int verbosity = 0;

    bool has(const std::string& name) const { return values.count(name) > 0; }
    std::string text(const std::string& name, const std::string& fallback = "") const;
    std::int64_t integer(const std::string& name, std::int64_t fallback = 0) const;
    std::vector<std::string> all(const std::string& name) const;

    /// "key=value" for each --set and each flag with a key.
    std::vector<std::string> overrides() const;
    /// The configuration that --config and the overrides describe.
    Config config() const;
};

}  // namespace nowcell

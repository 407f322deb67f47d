#include "src/verb.h"

#include "src/error.h"

#include <algorithm>

namespace nowcell {

Flag output_flag(const std::string& help) {
    return {.name = "--output", .value = "PATH", .help = help, .aliases = {"-o", "--out"}};
}

Flag report_flag() {
    Flag flag = output_flag("write the text to a file");
    flag.report = true;
    return flag;
}

Flag threads_flag() {
    return {.name = "--threads",
            .type = FlagType::integer,
            .value = "N",
            .help = "CPU threads; default: the cores this process may use",
            .min = 1,
            .max = 1024};
}

Flag device_flag() {
    return {.name = "--device", .value = "DEVICE", .help = "auto | cpu | cuda[:N]", .fallback = "auto"};
}

Flag algorithm_flag() {
    return {.name = "--algorithm",
            .value = "NAME",
            .help = "how a conv_lstm is computed",
            .choices = {"auto", "direct", "winograd-safe", "winograd-fast", "reference", "cudnn", "cudnn-separate",
                        "implicit-gemm"},
            .key = "cells.algorithm"};
}

Flag json_flag() {
    return {
        .name = "--json", .value = "FILE|-", .help = "write the report as JSON to a file or to stdout", .report = true};
}

Flag force_flag() {
    return {.name = "--force", .type = FlagType::none, .value = "", .help = "replace outputs that exist"};
}

Flag progress_flag() {
    return {.name = "--progress",
            .value = "MODE",
            .help =
                "on stderr: a live line on a terminal and plain lines elsewhere (auto), plain lines, no progress, or "
                "one JSON object a line",
            .fallback = "auto",
            .choices = {"auto", "plain", "none", "json"}};
}

Flag config_flag() {
    return {.name = "--config", .value = "FILE", .help = "configuration file (TOML)", .aliases = {"-c"}};
}

Flag set_flag() {
    return {.name = "--set",
            .value = "KEY=VALUE",
            .help = "override one key of the configuration; repeatable",
            .repeated = true};
}

bool takes_configuration(const Verb& verb) {
    return std::any_of(verb.flags.begin(), verb.flags.end(), [](const Flag& flag) { return flag.name == "--set"; });
}

const Verb* find_verb(const std::string& name) {
    for (const Verb& verb : all_verbs()) {
        if (verb.name == name) return &verb;
    }
    return nullptr;
}

std::string Request::text(const std::string& name, const std::string& fallback) const {
    const auto found = values.find(name);
    return found == values.end() ? fallback : found->second.back();
}

std::int64_t Request::integer(const std::string& name, std::int64_t fallback) const {
    return has(name) ? std::stoll(text(name)) : fallback;
}

std::vector<std::string> Request::all(const std::string& name) const {
    const auto found = values.find(name);
    return found == values.end() ? std::vector<std::string>{} : found->second;
}

std::vector<std::string> Request::overrides() const {
    std::vector<std::string> result = all("--set");
    for (const Flag& flag : find_verb(verb)->flags) {
        if (flag.key.empty() || !has(flag.name)) continue;
        const std::string word = flag.type == FlagType::none      ? "true"
                                 : flag.type == FlagType::number  ? std::to_string(std::stod(text(flag.name)))
                                 : flag.type == FlagType::integer ? std::to_string(integer(flag.name))
                                                                  : text(flag.name);
        result.push_back(flag.key + "=" + word);
    }
    return result;
}

Config Request::config() const {
    return has("--config") ? Config::load(text("--config"), overrides())
                           : Config::parse("", "command line", overrides());
}

}  // namespace nowcell

#include "src/command_line.h"

#include "src/error.h"
#include "src/help.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <map>
#include <memory>

namespace nowcell {
namespace {

using Values = std::map<std::string, std::vector<std::string>>;

constexpr int kMostWords = 1 << 16;

std::string names_of(const Flag& flag) {
    std::string names = flag.name;
    for (const std::string& alias : flag.aliases) names += "," + alias;
    return names;
}

// Declares a verb and remembers where CLI11 will put what it reads.
void declare(CLI::App& app, const Verb& verb, Values& values, std::map<std::string, bool>& switches) {
    for (const Flag& flag : verb.flags) {
        if (flag.type == FlagType::none) {
            app.add_flag(names_of(flag), switches[flag.name]);
        } else {
            app.add_option(names_of(flag), values[flag.name])
                ->expected(1)
                ->allow_extra_args(false)
                ->multi_option_policy(flag.repeated ? CLI::MultiOptionPolicy::TakeAll
                                                    : CLI::MultiOptionPolicy::TakeLast);
        }
    }
    for (const Argument& argument : verb.arguments) {
        app.add_option(argument.name, values[argument.name])->expected(0, argument.repeated ? kMostWords : 1);
    }
}

[[noreturn]] void fail_usage(const std::string& what, const std::string& hint) {
    throw Error(ExitCode::usage, what, "", hint);
}

void check_choice(const std::string& name, const std::string& word, const std::vector<std::string>& choices) {
    for (const std::string& choice : choices) {
        if (choice == word) return;
    }
    if (choices.empty()) return;
    const std::string close = did_you_mean(word, choices);
    fail_usage(fmt::format("{} must be one of {}, got '{}'", name, fmt::join(choices, ", "), word), close);
}

bool whole_number(const std::string& word, double& value) {
    std::size_t used = 0;
    try {
        value = static_cast<double>(std::stoll(word, &used));
    } catch (const std::exception&) {
        return false;
    }
    return used == word.size();
}

bool real_number(const std::string& word, double& value) {
    std::size_t used = 0;
    try {
        value = std::stod(word, &used);
    } catch (const std::exception&) {
        return false;
    }
    return used == word.size();
}

std::string limits(const Flag& flag) {
    return flag.max != Flag().max ? fmt::format("from {} to {}", flag.min, flag.max) : fmt::format(">= {}", flag.min);
}

void check_value(const Flag& flag, const std::string& word) {
    if (word.empty()) fail_usage(flag.name + " must not be empty", "");
    check_choice(flag.name, word, flag.choices);
    double value = 0.0;
    switch (flag.type) {
        case FlagType::none:
        case FlagType::text: return;
        case FlagType::integer:
            if (whole_number(word, value) && value >= flag.min && value <= flag.max) return;
            fail_usage(fmt::format("{} must be an integer {}, got '{}'", flag.name, limits(flag), word), "");
        case FlagType::number:
            if (real_number(word, value) && value >= flag.min && value <= flag.max) return;
            fail_usage(fmt::format("{} must be a number {}, got '{}'", flag.name, limits(flag), word), "");
        case FlagType::duration:
            if (parse_duration(word) > 0.0) return;
            fail_usage(fmt::format("{} must be a time such as 90s, 6m or 2h30m, got '{}'", flag.name, word), "");
    }
}

std::vector<std::string> flag_names(const Verb& verb) {
    std::vector<std::string> names = {"--help", "--version", "-v", "-q", "-h"};
    for (const Flag& flag : verb.flags) {
        names.push_back(flag.name);
        names.insert(names.end(), flag.aliases.begin(), flag.aliases.end());
    }
    return names;
}

void check_request(const Verb& verb, const Request& request) {
    const std::string hint = fmt::format("usage: {}", help_usage(verb));
    for (const Flag& flag : verb.flags) {
        const bool spared = std::any_of(flag.unless.begin(), flag.unless.end(),
                                        [&](const std::string& other) { return request.has(other); });
        if (flag.required && !spared && !request.has(flag.name)) {
            const std::string others = flag.unless.empty() ? "" : fmt::format(" or {}", fmt::join(flag.unless, " or "));
            fail_usage(fmt::format("{} needs {} {}{}: {}", verb.name, flag.name, flag.value, others, flag.help), hint);
        }
        for (const std::string& word : request.all(flag.name)) check_value(flag, word);
    }
    for (const Argument& argument : verb.arguments) {
        const bool optional = argument.name.front() == '[';
        if (!optional && !request.has(argument.name)) {
            const std::string what =
                argument.choices.empty() ? argument.help : fmt::format("one of {}", fmt::join(argument.choices, ", "));
            fail_usage(fmt::format("{} needs {}: {}", verb.name, argument.name, what), hint);
        }
        for (const std::string& word : request.all(argument.name)) {
            check_choice(argument.name, word, argument.choices);
        }
    }
}

// Words that no verb or flag took.
void check_rest(const Verb* verb, const std::string& group, const std::vector<std::string>& rest) {
    if (verb == nullptr) {
        std::vector<std::string> names = {"help"};
        for (const Verb& known : all_verbs()) {
            const bool inside = group.empty() || known.name.rfind(group + " ", 0) == 0;
            if (inside) names.push_back(known.name);
            if (inside && known.name.find(' ') != std::string::npos) {
                names.push_back(known.name.substr(0, known.name.find(' ')));
            }
        }
        if (rest.empty()) {
            fail_usage(group.empty() ? "no command given" : fmt::format("'{}' needs a command after it", group),
                       fmt::format("one of: {}", fmt::join(names.begin() + 1, names.end(), ", ")));
        }
        const std::string word = group.empty() ? rest.front() : group + " " + rest.front();
        const std::string close = did_you_mean(word, names);
        const bool flag = rest.front().rfind('-', 0) == 0;
        fail_usage(fmt::format("unknown {} '{}'", flag ? "option" : "command", flag ? rest.front() : word),
                   close.empty() ? "nowcell --help lists the commands" : close);
    }
    if (rest.empty()) return;
    for (const std::string& word : rest) {
        if (word.size() < 2 || word.front() != '-') continue;
        const std::string close = did_you_mean(word.substr(0, word.find('=')), flag_names(*verb));
        fail_usage(fmt::format("unknown option '{}'", word),
                   close.empty() ? fmt::format("nowcell {} --help lists the options", verb->name) : close);
    }
    fail_usage(fmt::format("unexpected word '{}'", rest.front()), fmt::format("usage: {}", help_usage(*verb)));
}

}  // namespace

Request parse_command_line(const std::vector<std::string>& words) {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    app.fallthrough();
    bool help = false;
    bool version = false;
    int verbose = 0;
    int quiet = 0;
    app.add_flag("-h,--help", help);
    app.add_flag("--version", version);
    app.add_flag("-v,--verbose", verbose);
    app.add_flag("-q,--quiet", quiet);

    std::map<std::string, Values> values;
    std::map<std::string, std::map<std::string, bool>> switches;
    std::map<std::string, CLI::App*> groups;
    std::map<const CLI::App*, const Verb*> verbs;
    const auto add = [](CLI::App* parent, const std::string& name) {
        CLI::App* sub = parent->add_subcommand(name);
        sub->set_help_flag();
        sub->allow_extras();
        sub->fallthrough();
        return sub;
    };
    for (const Verb& verb : all_verbs()) {
        CLI::App* parent = &app;
        std::string name = verb.name;
        if (const std::size_t space = name.find(' '); space != std::string::npos) {
            CLI::App*& group = groups[name.substr(0, space)];
            if (group == nullptr) group = add(&app, name.substr(0, space));
            parent = group;
            name = name.substr(space + 1);
        }
        CLI::App* sub = add(parent, name);
        verbs[sub] = &verb;
        declare(*sub, verb, values[verb.name], switches[verb.name]);
    }
    try {
        app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
    } catch (const CLI::ParseError& error) {
        fail_usage(error.what(), "nowcell --help");
    }

    const CLI::App* chosen = &app;
    while (!chosen->get_subcommands().empty()) chosen = chosen->get_subcommands().front();
    const Verb* verb = verbs.count(chosen) > 0 ? verbs[chosen] : nullptr;
    Request request;
    request.verbosity = quiet > 0 ? -1 : verbose;
    if (version) {
        request.verb = "version";
        return request;
    }
    if (help && app.remaining(true).empty()) {
        request.verb = "help";
        if (chosen != &app) request.values["[TOPIC]"] = {verb != nullptr ? verb->name : chosen->get_name()};
        return request;
    }
    check_rest(verb, chosen == &app ? "" : chosen->get_name(), app.remaining(true));
    request.verb = verb->name;
    for (const auto& [name, list] : values[verb->name]) {
        if (!list.empty()) request.values[name] = list;
    }
    for (const auto& [name, set] : switches[verb->name]) {
        if (set) request.values[name] = {};
    }
    request.command_line = "nowcell";
    for (const std::string& word : words) request.command_line += " " + word;
    check_request(*verb, request);
    return request;
}

}  // namespace nowcell

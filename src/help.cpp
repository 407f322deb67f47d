#include "src/help.h"

#include "src/command_line.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace nowcell {
namespace {

std::string wrapped(const std::string& text, std::size_t indent, std::size_t width = 100) {
    std::string out;
    std::size_t column = indent;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t space = std::min(text.find(' ', at), text.size());
        if (column + (space - at) > width && column > indent) {
            out += "\n" + std::string(indent, ' ');
            column = indent;
        }
        if (column > indent) out += ' ', ++column;
        out += text.substr(at, space - at);
        column += space - at;
        at = space + 1;
    }
    return out;
}

std::string row(const std::string& left, const std::string& right, std::size_t width) {
    const std::string pad(left.size() + 2 < width ? width - left.size() - 2 : 1, ' ');
    return "  " + left + pad + wrapped(right, width) + "\n";
}

std::string flag_row(const Flag& flag) {
    std::string left;
    for (const std::string& alias : flag.aliases) {
        if (alias.size() == 2) left += alias + ", ";
    }
    left += flag.name + (flag.value.empty() ? "" : " " + flag.value);
    std::string help = flag.help;
    if (!flag.choices.empty()) help += fmt::format(" ({})", fmt::join(flag.choices, " | "));
    if (!flag.fallback.empty()) help += " [" + flag.fallback + "]";
    if (!flag.key.empty()) help += " (key " + flag.key + ")";
    return row(left, help, 32);
}

std::string type_name(const Key& key) {
    if (key.type == KeyType::texts) return fmt::format("[\"{}\" ...]", fmt::join(key.choices, "\" | \""));
    if (!key.choices.empty()) return fmt::format("\"{}\"", fmt::join(key.choices, "\" | \""));
    switch (key.type) {
        case KeyType::boolean: return "true | false";
        case KeyType::integer: return "integer";
        case KeyType::number: return "number";
        case KeyType::text: return "text";
        case KeyType::path: return "path";
        case KeyType::duration: return "time";
        case KeyType::bytes: return "size";
        case KeyType::numbers: return "[numbers]";
        case KeyType::texts: return "[texts]";
        case KeyType::per_axis: return "integer | [height, width]";
    }
    return "";
}

const char* const kExitCodes =
    "Exit codes\n"
    "  0    ok\n"
    "  1    internal error: a bug of ours, please report it\n"
    "  2    command line or configuration\n"
    "  3    input data missing, unreadable or unfit\n"
    "  4    checkpoint or model\n"
    "  5    device, memory or LibTorch\n"
    "  6    training diverged\n"
    "  7    cannot write the output: exists, permission, disk full\n"
    "  10   a bar was missed: bench cells --guard, check\n"
    "  129  stopped by a closed terminal (SIGHUP) after saving\n"
    "  130  stopped by Ctrl-C after saving\n"
    "  143  stopped by SIGTERM after saving\n";

}  // namespace

std::string help_usage(const Verb& verb) {
    std::string out = "nowcell " + verb.name;
    for (const Argument& argument : verb.arguments) out += " " + argument.name + (argument.repeated ? "..." : "");
    for (const Flag& flag : verb.flags) {
        if (flag.required && flag.unless.empty()) out += " " + flag.name + " " + flag.value;
    }
    return out + " [options]";
}

std::string help_overview() {
    std::string out =
        "nowcell forecasts the next frames of anything that comes as frames, with ConvLSTM networks.\n\n"
        "Usage: nowcell COMMAND [options]\n\nCommands\n";
    for (const Verb& verb : all_verbs()) out += row(verb.name, verb.summary, 18);
    out +=
        "\nFrom data to picture\n"
        "  nowcell data make bouncing-digits --output digits.h5 --size 32 --frames 12 --count 4000\n"
        "  nowcell train --config configs/bouncing_digits.toml --set data.path=digits.h5 --output runs/digits\n"
        "  nowcell predict --model runs/digits --input digits.h5 --horizon 10 --output forecast\n"
        "  nowcell evaluate --model runs/digits --input digits.h5\n\n"
        "Everywhere\n" +
        row("-h, --help", "this text, or the options of a command", 18) + row("--version", "version and build", 18) +
        row("-v, -q", "say more (-vv: with stack traces), or only warnings", 18) +
        "\nnowcell COMMAND --help, nowcell config keys and nowcell help exit-codes say the rest.\n";
    return out;
}

std::string help_verb(const Verb& verb) {
    std::string out = fmt::format("{}\n\nUsage: {}\n", verb.summary, help_usage(verb));
    if (!verb.examples.empty()) out += "\nExamples\n";
    for (const std::string& example : verb.examples) out += "  " + example + "\n";
    if (!verb.arguments.empty()) out += "\nArguments\n";
    for (const Argument& argument : verb.arguments) {
        std::string help = argument.help;
        if (!argument.choices.empty()) help += fmt::format(" ({})", fmt::join(argument.choices, " | "));
        out += row(argument.name, help, 32);
    }
    out += "\nOptions\n";
    for (const Flag& flag : verb.flags) out += flag_row(flag);
    out += row("-v, -q", "say more, or only warnings", 32);
    return out + "\nResults go to stdout, narration to stderr; nowcell help exit-codes lists the exit codes.\n";
}

std::string help_keys(const std::string& prefix) {
    std::string out;
    for (const Key& key : all_keys()) {
        if (key.name.rfind(prefix, 0) != 0) continue;
        const std::string fallback = key.required           ? "required"
                                     : key.fallback.empty() ? "optional"
                                                            : "default " + key.fallback;
        out += fmt::format("{}  {}  ({})\n    {}\n", key.name, type_name(key), fallback, wrapped(key.help, 4));
    }
    if (!out.empty()) return out;
    std::vector<std::string> names;
    for (const Key& key : all_keys()) names.push_back(key.name);
    throw Error(ExitCode::usage, "no key begins with '" + prefix + "'", "", did_you_mean(prefix, names));
}

std::string help_topic(const std::string& topic) {
    if (topic.empty()) return help_overview();
    if (topic == "exit-codes") return kExitCodes;
    if (topic == "config") return help_keys("");
    if (const Verb* verb = find_verb(topic)) return help_verb(*verb);
    std::string group;
    std::vector<std::string> names = {"exit-codes", "config"};
    for (const Verb& verb : all_verbs()) {
        names.push_back(verb.name);
        if (verb.name.rfind(topic + " ", 0) == 0) group += row(verb.name, verb.summary, 18);
    }
    if (!group.empty()) return "Commands\n" + group;
    const std::string close = did_you_mean(topic, names);
    throw Error(ExitCode::usage, "no help on '" + topic + "'", "",
                close.empty() ? "topics: exit-codes, config, and every command" : close);
}

}  // namespace nowcell

// nowcell-cells: `check` and `bench` where nothing but LibTorch can be installed.
#include "cells/trial/cell_bench.h"
#include "cells/trial/cell_check.h"

#include <ATen/Parallel.h>

#include <charconv>
#include <cstdio>
#include <map>

namespace nowcell {
namespace {

// As those of `nowcell help exit-codes`.
constexpr int kInternal = 1, kUsage = 2, kDevice = 5, kGate = 10;

constexpr const char* kHelp = R"(usage: nowcell-cells check [--device D] [--json]
       nowcell-cells bench [--device D] [--config NAME[,NAME]] [--threads N] [--rounds N] [--json]

check  compares every engine of the ConvLSTM with its definition in float64, forward and backward
bench  times the ConvLSTM beside the plain LibTorch cell, in turn in one process

  --device D     auto | cpu | cuda[:N]; default: auto
  --config NAME  bench: only these problems: a, b3, b5, c, k1, tiny; default: all
  --threads N    CPU threads; default: LibTorch's
  --rounds N     bench: timings of each side, of which the median counts; default: 5
  --json         the report as JSON on stdout
  --help, --version

Exit codes: 0 ok, 1 internal, 2 usage, 5 no such device, 10 an engine's errors are above what is allowed, or it
computed nothing.
)";

struct Options {
    std::string verb;
    std::map<std::string, std::string> values;  // by option; a switch holds ""

    std::string text(const std::string& name, const std::string& fallback) const {
        const auto found = values.find(name);
        return found == values.end() ? fallback : found->second;
    }
    int integer(const std::string& name, int fallback, int most) const {
        const auto found = values.find(name);
        if (found == values.end()) return fallback;
        const std::string& word = found->second;
        int number = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
        TORCH_CHECK_VALUE(error == std::errc() && end == word.data() + word.size() && number >= 1 && number <= most,
                          name, ": got \"", word, "\", expected an integer from 1 to ", most);
        return number;
    }
};

Options options_from(const std::vector<std::string>& words) {
    Options options;
    TORCH_CHECK_VALUE(!words.empty() && (words[0] == "check" || words[0] == "bench"), "command: got \"",
                      words.empty() ? "" : words[0], "\", expected check or bench");
    options.verb = words[0];
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string& name = words[i];
        const bool of_both = name == "--device" || name == "--threads";
        const bool of_bench = options.verb == "bench" && (name == "--config" || name == "--rounds");
        if (name == "--json") {
            options.values[name] = "";
        } else if (of_both || of_bench) {
            TORCH_CHECK_VALUE(i + 1 < words.size(), name, ": got nothing, expected a value");
            options.values[name] = words[++i];
        } else {
            TORCH_CHECK_VALUE(false, "option of ", options.verb, ": got \"", name,
                              "\", expected one that --help lists");
        }
    }
    return options;
}

int check(const Options& options, const torch::Device& device, const Progress& progress) {
    const std::vector<CheckRow> rows = check_cells(device, progress);
    const std::string text =
        options.values.contains("--json") ? check_report(device, rows).json() + "\n" : check_text(device, rows);
    std::fputs(text.c_str(), stdout);
    const std::vector<std::string> problems = check_problems(rows);
    for (const std::string& problem : problems)
        std::fprintf(stderr, "nowcell-cells check: error: %s\n", problem.c_str());
    return problems.empty() ? 0 : kGate;
}

int bench(const Options& options, const torch::Device& device, const Progress& progress) {
    BenchPlan plan;
    for (const std::string& name : split_list(options.text("--config", ""))) plan.cases.push_back(cell_case(name));
    if (plan.cases.empty()) plan.cases = cell_cases();
    plan.threads = {at::get_num_threads()};
    plan.rounds = options.integer("--rounds", 5, 1000);
    add_defaults(plan, device);
    const std::vector<BenchRow> rows = measure(plan, progress);
    const std::string text =
        options.values.contains("--json") ? bench_report(plan, rows).json() + "\n" : bench_text(plan, rows);
    std::fputs(text.c_str(), stdout);
    return 0;
}

int run(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        if (word == "--help" || word == "-h") return std::fputs(kHelp, stdout) < 0 ? kInternal : 0;
        if (word == "--version") return std::puts("nowcell-cells " NOWCELL_VERSION) < 0 ? kInternal : 0;
    }
    const Options options = options_from(words);
    at::set_num_threads(options.integer("--threads", at::get_num_threads(), 1024));
    const torch::Device device = device_from(options.text("--device", "auto"));
    const Progress progress = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
    return (options.verb == "check" ? check : bench)(options, device, progress);
}

int fail(int code, const char* what) {
    const std::string text = what;
    std::fprintf(stderr, "nowcell-cells: error: %s\n", text.substr(0, text.find("\nException raised from")).c_str());
    if (code == kUsage) std::fputs("  hint: nowcell-cells --help\n", stderr);
    return code;
}

}  // namespace
}  // namespace nowcell

int main(int count, char** words) {
    try {
        return nowcell::run({words + 1, words + count});
    } catch (const nowcell::NoDevice& error) {
        return nowcell::fail(nowcell::kDevice, error.what());
    } catch (const c10::ValueError& error) {
        return nowcell::fail(nowcell::kUsage, error.what_without_backtrace());
    } catch (const c10::OutOfMemoryError& error) {
        return nowcell::fail(nowcell::kDevice, error.what_without_backtrace());
    } catch (const std::exception& error) {
        return nowcell::fail(nowcell::kInternal, error.what());
    }
}

#include "src/error.h"

#include <algorithm>
#include <numeric>

namespace nowcell {
namespace {

std::string indented(const std::string& text) {
    std::string out;
    for (const char c : text) {
        out += c;
        if (c == '\n') out += "  ";
    }
    return out;
}

std::string summary(const std::vector<Problem>& problems) {
    std::string out;
    for (const Problem& problem : problems) {
        if (!out.empty()) out += '\n';
        out += problem.what;
        if (!problem.where.empty()) out += " (" + problem.where.substr(0, problem.where.find('\n')) + ")";
    }
    return out;
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
        }
    }
    return row[b.size()];
}

std::size_t shared_prefix(const std::string& a, const std::string& b) {
    const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
    return static_cast<std::size_t>(end - a.begin());
}

}  // namespace

Error::Error(ExitCode code, std::string what, std::string where, std::string hint)
    : Error(code, std::vector<Problem>{{std::move(what), std::move(where), std::move(hint)}}) {}

Error::Error(ExitCode code, std::vector<Problem> problems)
    : std::runtime_error(summary(problems)), code_(code), problems_(std::move(problems)) {}

std::string Error::block(const std::string& prefix) const {
    std::string out;
    for (const Problem& problem : problems_) {
        out += prefix + ": error: " + indented(problem.what) + '\n';
        if (!problem.where.empty()) out += "  at " + indented(problem.where) + '\n';
        if (!problem.hint.empty()) out += "  hint: " + indented(problem.hint) + '\n';
    }
    return out;
}

std::vector<std::string> nearest(const std::string& word, const std::vector<std::string>& candidates,
                                 std::size_t limit) {
    const std::size_t allowed = std::max<std::size_t>(2, word.size() / 3);
    std::vector<std::pair<std::size_t, std::string>> ranked;
    for (const std::string& candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        const std::size_t prefix = shared_prefix(word, candidate);
        const bool extends = prefix >= 3 && prefix == std::min(word.size(), candidate.size());
        if (distance <= allowed && distance < std::max(word.size(), candidate.size())) {
            ranked.emplace_back(distance, candidate);
        } else if (extends) {
            ranked.emplace_back(allowed + distance, candidate);
        }
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> out;
    for (const auto& entry : ranked) {
        if (out.size() < limit) out.push_back(entry.second);
    }
    return out;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
    const std::vector<std::string> close = nearest(word, candidates);
    return close.empty() ? "" : "did you mean '" + close.front() + "'?";
}

}  // namespace nowcell

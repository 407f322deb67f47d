// Text without libraries: lines of a table, and reports as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace nowcell {

/// What printf would print.
[[gnu::format(printf, 1, 2)]] std::string print_text(const char* format, ...);

/// The words of a list with commas.
std::vector<std::string> split_list(const std::string& list);

/// A row of a report; null: not measured.
using Value = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string>;
using Fields = std::vector<std::pair<std::string, Value>>;

/// Named values and rows of them.
struct TrialReport {
    Fields head;
    std::vector<Fields> rows;

    /// An object with the head's values and "rows"; NaN and Inf are null.
    std::string json() const;
};

}  // namespace nowcell

#include "cells/trial/text.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <sstream>

namespace nowcell {
namespace {

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20) {
            out += print_text("\\u%04x", c);
        } else {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
    }
    return out + '"';
}

std::string json_of(const Value& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* count = std::get_if<std::int64_t>(&value)) return std::to_string(*count);
    if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
    const auto* number = std::get_if<double>(&value);
    return number != nullptr && std::isfinite(*number) ? print_text("%.9g", *number) : "null";
}

std::string json_of(const Fields& fields) {
    std::string out;
    for (const auto& [name, value] : fields) out += (out.empty() ? "" : ", ") + quoted(name) + ": " + json_of(value);
    return out;
}

}  // namespace

std::string print_text(const char* format, ...) {
    std::va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    std::string text(static_cast<std::size_t>(std::vsnprintf(nullptr, 0, format, arguments)), '\0');
    std::vsnprintf(text.data(), text.size() + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

std::vector<std::string> split_list(const std::string& list) {
    std::vector<std::string> words;
    std::istringstream in(list);
    for (std::string word; std::getline(in, word, ',');) words.push_back(word);
    return words;
}

std::string TrialReport::json() const {
    std::string out = "{" + json_of(head) + ", \"rows\": [";
    const char* gap = "\n  ";
    for (const Fields& row : rows) {
        out += gap + ("{" + json_of(row) + "}");
        gap = ",\n  ";
    }
    return out + "\n]}";
}

}  // namespace nowcell

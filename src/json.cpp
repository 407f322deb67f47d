#include "src/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace nowcell {
namespace {

// Length of the UTF-8 sequence that begins at `at`; 0 when none does.
std::size_t sequence_length(const std::string& text, std::size_t at) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xC2 && first < 0xE0 ? 2
                               : first >= 0xE0 && first < 0xF0 ? 3
                               : first >= 0xF0 && first < 0xF5 ? 4
                                                               : 0;
    if (at + length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return 0;
    }
    return length;
}

}  // namespace

std::string as_utf8(const std::string& text) {
    bool valid = true;
    for (std::size_t at = 0; at < text.size() && valid;) {
        const std::size_t length = sequence_length(text, at);
        valid = length > 0;
        at += length;
    }
    if (valid) return text;
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80) out += static_cast<char>(0xC0 | (byte >> 6));
        out += byte < 0x80 ? c : static_cast<char>(0x80 | (byte & 0x3F));
    }
    return out;
}

std::string json_text(const nlohmann::ordered_json& report) {
    return report.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace nowcell

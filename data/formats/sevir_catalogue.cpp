#include "data/formats/sevir_catalogue.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace nowcell {
namespace {

constexpr std::size_t kLongestField = 64 * 1024;
constexpr std::size_t kMostColumns = 256;
constexpr std::size_t kMostRows = 1 << 20;

class Csv {
 public:
    Csv(std::string_view text, const std::string& path) : text_(text), path_(path) {
        if (text_.substr(0, 3) == "\xef\xbb\xbf") text_.remove_prefix(3);
    }

    /// The next line's fields; false at the end. Empty lines are passed over.
    bool next(std::vector<std::string>& fields) {
        while (!text_.empty() && (text_.front() == '\n' || text_.front() == '\r')) {
            line_ += text_.front() == '\n' ? 1 : 0;
            text_.remove_prefix(1);
        }
        fields.clear();
        if (text_.empty()) return false;
        row_ = line_;
        do {
            if (fields.size() == kMostColumns) fail("more than 256 fields");
            fields.push_back(field());
        } while (skip(','));
        skip('\r');
        if (!text_.empty() && !skip('\n')) fail("text after a quoted field");
        ++line_;
        return true;
    }

    std::int64_t line() const { return row_; }

    [[noreturn]] void fail(const std::string& why) const {
        throw Error(ExitCode::data, fmt::format("cannot read the catalogue {}: line {}: {}", path_, row_, why), "",
                    "expected CSV with the columns id, file_name, file_index, img_type, time_utc");
    }

 private:
    bool skip(char c) {
        if (text_.empty() || text_.front() != c) return false;
        text_.remove_prefix(1);
        return true;
    }

    std::string field() {
        if (skip('"')) return quoted();
        const std::size_t end = std::min(text_.find_first_of(",\r\n"), text_.size());
        if (end > kLongestField) fail("a field of more than 64 KiB");
        std::string out(text_.substr(0, end));
        text_.remove_prefix(end);
        return out;
    }

    std::string quoted() {
        std::string out;
        while (true) {
            const std::size_t end = text_.find('"');
            if (end == std::string_view::npos) fail("a quote is not closed");
            if (out.size() + end > kLongestField) fail("a field of more than 64 KiB");
            out += text_.substr(0, end);
            line_ += std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(end), '\n');
            text_.remove_prefix(end + 1);
            if (!skip('"')) return out;
            out += '"';
        }
    }

    std::string_view text_;
    const std::string& path_;
    std::int64_t line_ = 1;
    std::int64_t row_ = 1;
};

bool leads_elsewhere(const std::string& name) {
    if (name.empty() || name.front() == '/' || name.find('\\') != std::string::npos) return true;
    if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20; })) return true;
    return ("/" + name + "/").find("/../") != std::string::npos;
}

template <typename T>
std::optional<T> number(const std::string& text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole =
        error == std::errc() && end == text.data() + text.size() && std::isfinite(static_cast<double>(value));
    return whole ? std::optional(value) : std::nullopt;
}

// Where each column stands.
struct Columns {
    explicit Columns(const std::vector<std::string>& names, const Csv& csv) : count(names.size()) {
        const auto find = [&](const std::string& name, bool required) {
            const auto found = std::find(names.begin(), names.end(), name);
            if (found == names.end() && required) csv.fail(fmt::format("no column '{}'", name));
            return static_cast<std::size_t>(found - names.begin());
        };
        id = find("id", false);
        file_name = find("file_name", true);
        file_index = find("file_index", true);
        image_type = find("img_type", true);
        time_utc = find("time_utc", false);
        missing = find("pct_missing", false);
    }

    std::size_t count, id, file_name, file_index, image_type, time_utc, missing;
};

SevirEvent event_of(const std::vector<std::string>& fields, const Columns& columns, const Csv& csv) {
    if (fields.size() != columns.count) csv.fail(fmt::format("{} fields, expected {}", fields.size(), columns.count));
    const auto optional = [&](std::size_t column) { return column < fields.size() ? fields[column] : std::string(); };
    SevirEvent event;
    event.id = optional(columns.id);
    event.file_name = fields[columns.file_name];
    event.image_type = fields[columns.image_type];
    event.time_utc = optional(columns.time_utc);
    event.line = csv.line();
    if (leads_elsewhere(event.file_name)) {
        csv.fail(fmt::format("file_name '{}' is not a path below the catalogue's folder", event.file_name));
    }
    const auto index = number<std::int64_t>(fields[columns.file_index]);
    if (!index.has_value() || *index < 0) {
        csv.fail(fmt::format("file_index '{}', expected a number from 0 on", fields[columns.file_index]));
    }
    event.index = *index;
    event.missing = number<double>(optional(columns.missing)).value_or(0.0);
    return event;
}

}  // namespace

std::vector<SevirEvent> parse_sevir_catalogue(std::string_view text, const std::string& path) {
    Csv csv(text, path);
    std::vector<std::string> fields;
    if (!csv.next(fields)) csv.fail("it is empty");
    const Columns columns(fields, csv);
    std::vector<SevirEvent> out;
    while (csv.next(fields)) {
        if (out.size() == kMostRows) csv.fail("more than 2^20 rows");
        out.push_back(event_of(fields, columns, csv));
    }
    return out;
}

}  // namespace nowcell

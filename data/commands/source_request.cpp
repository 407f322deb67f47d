#include "data/commands/source_request.h"

#include "data/formats/file_kind.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

bool read_whole(const char* begin, const char* end, std::int64_t& value) {
    const auto [stop, error] = std::from_chars(begin, end, value);
    return error == std::errc() && stop == end && value >= 0;
}

// "220:637" as [220, 637).
std::vector<std::int64_t> range_of(const Request& request, const std::string& flag) {
    if (!request.has(flag)) return {};
    const std::string text = request.text(flag);
    const std::size_t colon = std::min(text.find(':'), text.size());
    std::int64_t begin = 0;
    std::int64_t end = 0;
    const char* data = text.data();
    const bool good = colon < text.size() && read_whole(data, data + colon, begin) &&
                      read_whole(data + colon + 1, data + text.size(), end) && begin < end;
    if (good) return {begin, end};
    throw Error(ExitCode::usage, fmt::format("{} is '{}', expected BEGIN:END with BEGIN < END", flag, text), "",
                flag + " 0:64 keeps the first 64");
}

}  // namespace

SourceOptions source_options(const Request& request) { return source_options(request, request.text("PATH")); }

SourceOptions source_options(const Request& request, const std::string& path) {
    SourceOptions options;
    options.path = path;
    options.dataset = request.text("--dataset");
    options.layout = request.text("--layout", "auto");
    options.missing = "mask";
    options.rows = range_of(request, "--rows");
    options.columns = range_of(request, "--columns");
    options.trust = request.text("--trust", "readers");
    return options;
}

void check_not_input(const std::string& output, const std::string& input) {
    std::error_code error;
    if (!fs::exists(output, error)) return;
    bool inside = fs::equivalent(output, input, error);
    const bool folder = fs::is_directory(input, error);
    if (folder || kind_of(input) == FileKind::catalogue) {
        const fs::path base = fs::canonical(folder ? fs::path(input) : fs::absolute(input).parent_path(), error);
        const fs::path target = fs::canonical(output, error);
        inside = inside || std::mismatch(base.begin(), base.end(), target.begin(), target.end()).first == base.end();
    }
    if (inside) {
        throw Error(ExitCode::output, fmt::format("{} would replace what is read from {}", output, input), "",
                    "choose another name");
    }
}

}  // namespace nowcell

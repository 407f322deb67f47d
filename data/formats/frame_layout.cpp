#include "data/formats/frame_layout.h"

#include "src/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

namespace nowcell {
namespace {

constexpr std::int64_t kMostRecordings = 1 << 24;

std::size_t at(int position) { return static_cast<std::size_t>(position); }

bool are_channels(std::int64_t size) { return size >= 1 && size <= 4; }

// Meteorology's names of axes. Of other names none is guessed.
char letter_of(std::string name) {
    static const std::map<std::string, char> known = {
        {"time", 't'},     {"t", 't'},      {"valid_time", 't'},  {"lat", 'h'},   {"latitude", 'h'}, {"y", 'h'},
        {"rlat", 'h'},     {"row", 'h'},    {"rows", 'h'},        {"nj", 'h'},    {"lon", 'w'},      {"longitude", 'w'},
        {"x", 'w'},        {"rlon", 'w'},   {"column", 'w'},      {"cols", 'w'},  {"columns", 'w'},  {"ni", 'w'},
        {"channel", 'c'},  {"level", 'c'},  {"lev", 'c'},         {"band", 'c'},  {"plev", 'c'},     {"height", 'c'},
        {"depth", 'c'},    {"z", 'c'},      {"channels", 'c'},    {"bands", 'c'}, {"pressure", 'c'}, {"member", 'n'},
        {"ensemble", 'n'}, {"number", 'n'}, {"realization", 'n'}, {"event", 'n'}, {"sample", 'n'},   {"recording", 'n'},
        {"sequence", 'n'}};
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto found = known.find(name);
    return found == known.end() ? '?' : found->second;
}

bool is_layout(const std::string& name) {
    const std::string allowed = "ntchw";
    return name.find('h') != std::string::npos && name.find('w') != std::string::npos &&
           std::all_of(name.begin(), name.end(), [&](char c) {
               return allowed.find(c) != std::string::npos && std::count(name.begin(), name.end(), c) == 1;
           });
}

// The layout that the names of the dimensions tell; empty when they do not.
std::string from_names(const StoredArray& array) {
    if (array.dimension_names.size() != array.shape.size()) return "";
    std::string name;
    for (const std::string& dimension : array.dimension_names) name += letter_of(dimension);
    return is_layout(name) ? name : "";
}

bool is_moving_mnist(const StoredArray& array) {
    const auto& shape = array.shape;
    return array.type == StoredType::u8 && shape[0] == 20 && shape[1] != 20 && shape[2] == 64 && shape[3] == 64;
}

std::string guess_of_four(const StoredArray& array) {
    const auto& shape = array.shape;
    if (are_channels(shape[3]) && shape[3] < std::min({shape[0], shape[1], shape[2]})) return "thwc";
    if (is_moving_mnist(array)) return "tnhw";
    return shape[1] == shape[2] && shape[3] != shape[2] ? "nhwt" : "nthw";
}

std::string guess(const StoredArray& array) {
    const auto& shape = array.shape;
    switch (shape.size()) {
        case 3: return "thw";
        case 4: return guess_of_four(array);
        case 5: return are_channels(shape[2]) && shape[2] < std::min(shape[3], shape[4]) ? "ntchw" : "nthwc";
        default: break;
    }
    throw Error(ExitCode::data,
                fmt::format("{} has {} dimensions {}, expected 3 to 5 (time, rows, columns; recordings; channels)",
                            array.name, shape.size(), shape_text(shape)),
                "", "name another dataset: --dataset NAME, or data.dataset in the configuration");
}

std::string other_layouts(std::size_t rank, const std::string& guessed) {
    std::vector<std::string> out;
    for (const char* name : {"nthw", "thwc", "tchw", "nhwt", "tnhw", "nthwc", "ntchw"}) {
        if (std::string(name).size() == rank && name != guessed) out.push_back(fmt::format("\"{}\"", name));
    }
    return fmt::format("{}", fmt::join(out, ", "));
}

int position(const std::string& name, char dimension) {
    const std::size_t found = name.find(dimension);
    return found == std::string::npos ? -1 : static_cast<int>(found);
}

std::int64_t size_at(const std::vector<std::int64_t>& shape, int dimension) {
    return dimension < 0 ? 1 : shape[at(dimension)];
}

}  // namespace

FrameLayout find_layout(const std::string& name, const StoredArray& array) {
    if (name != "auto" && !is_layout(name)) {
        throw Error(ExitCode::usage,
                    fmt::format("data.layout: got '{}', expected auto, or letters of n (recordings), t (time), c "
                                "(channels), h (rows), w (columns) in the stored order, h and w among them",
                                name),
                    "", "data.layout = \"nthw\"");
    }
    std::string layout = name == "auto" ? from_names(array) : name;
    const bool guessed = layout.empty();
    if (guessed) layout = guess(array);
    if (layout.size() != array.shape.size()) {
        throw Error(ExitCode::data,
                    fmt::format("layout '{}' needs {} dimensions, {} has {}: {}", layout, layout.size(), array.name,
                                array.shape.size(), shape_text(array.shape)),
                    "", "data.layout = \"auto\" in the configuration");
    }
    FrameLayout out{layout,
                    position(layout, 'n'),
                    position(layout, 't'),
                    position(layout, 'h'),
                    position(layout, 'w'),
                    position(layout, 'c'),
                    ""};
    if (guessed && array.shape.size() > 3) {
        out.note = fmt::format("layout {} was guessed from the shape {}; data.layout = {} overrides it", layout,
                               shape_text(array.shape), other_layouts(array.shape.size(), layout));
    }
    return out;
}

void describe_frames(const FrameLayout& layout, const StoredArray& array, SourceInfo& info) {
    const std::int64_t recordings = size_at(array.shape, layout.n);
    auto bytes = static_cast<std::int64_t>(sizeof(double));
    for (const std::int64_t size : array.shape) {
        if (size > 0 && recordings <= kMostRecordings && !__builtin_mul_overflow(bytes, size, &bytes)) continue;
        throw Error(ExitCode::data,
                    fmt::format("dataset '{}' of {} has the shape {}, expected 1 to {} recordings of frames",
                                array.name, info.path, shape_text(array.shape), kMostRecordings));
    }
    info.layout = layout.name;
    info.stored_shape = array.shape;
    info.frames.assign(static_cast<std::size_t>(recordings), size_at(array.shape, layout.t));
    info.channels = size_at(array.shape, layout.c);
    info.height = size_at(array.shape, layout.h);
    info.width = size_at(array.shape, layout.w);
    if (!layout.note.empty()) info.notes.push_back(layout.note);
}

StoredBlock block_of(const FrameLayout& layout, const std::vector<std::int64_t>& shape, std::int64_t recording,
                     std::int64_t first, std::int64_t count) {
    StoredBlock out{std::vector<std::int64_t>(shape.size(), 0), shape};
    if (layout.n >= 0) out.start[at(layout.n)] = recording, out.size[at(layout.n)] = 1;
    if (layout.t >= 0) out.start[at(layout.t)] = first, out.size[at(layout.t)] = count;
    return out;
}

StoredFrames frames_of(const FrameLayout& layout, const std::vector<std::int64_t>& block, StoredType type,
                       const void* data) {
    std::vector<std::int64_t> strides(block.size());
    auto bytes = static_cast<std::int64_t>(size_of(type));
    for (std::size_t i = block.size(); i-- > 0; bytes *= block[i]) strides[i] = bytes;
    StoredFrames out{.data = data, .type = type};
    const std::array<int, 4> order = {layout.t, layout.c, layout.h, layout.w};
    for (std::size_t i = 0; i < order.size(); ++i) {
        out.shape[i] = size_at(block, order[i]);
        out.strides[i] = order[i] < 0 ? 0 : strides[at(order[i])];
    }
    return out;
}

bool is_frame_order(const FrameLayout& layout) {
    int last = -1;
    for (const int dimension : {layout.t, layout.c, layout.h, layout.w}) {
        if (dimension < 0) continue;
        if (dimension < last) return false;
        last = dimension;
    }
    return true;
}

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

}  // namespace nowcell

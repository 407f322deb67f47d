#include "data/formats/hdf5_reader.h"

#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <sstream>

namespace nowcell {
namespace {

// KNMI's and ODIM's images have two dimensions, and groups that say what they are.
bool is_radar_image(const Hdf5File& file, const Hdf5Description& data) {
    const std::string group = parent_of(data.name);
    return data.numeric && data.shape.size() == 2 && !group.empty() &&
           (file.text(group + "/calibration", "calibration_formulas").has_value() ||
            file.text(group + "/what", "gain").has_value() ||
            file.text(parent_of(group) + "/what", "gain").has_value());
}

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream in(text);
    return {std::istream_iterator<std::string>(in), {}};
}

// Names of dimensions without their groups, from their scales or an attribute "recording time y x".
std::vector<std::string> dimension_names(const Hdf5File& file, const std::string& dataset) {
    const auto listed = file.text(dataset, "dimensions");
    if (listed.has_value()) return words_of(*listed);
    std::vector<std::string> names = file.scales(dataset);
    for (std::string& name : names) name = name.substr(name.rfind('/') + 1);
    return names;
}

}  // namespace

bool is_alike(const Hdf5Frames& others, const Hdf5Description& data) {
    const auto frame_of = [&](std::vector<std::int64_t> shape) {
        for (const int free : {others.layout.n, others.layout.t}) {
            if (free >= 0 && free < static_cast<int>(shape.size())) shape[static_cast<std::size_t>(free)] = 0;
        }
        return shape;
    };
    const bool same_type = data.numeric && data.stored == others.data.stored && data.as_stored == others.data.as_stored;
    return same_type && frame_of(data.shape) == frame_of(others.data.shape);
}

void check_alike(const Hdf5Frames& others, const Hdf5Description& data, const std::string& path) {
    if (is_alike(others, data)) return;
    throw Error(ExitCode::data,
                fmt::format("{} in {} is {} {}, expected {} {} as in the others", data.name, path,
                            shape_text(data.shape), data.type, shape_text(others.data.shape), others.data.type),
                "", "take that file away, or convert it");
}

namespace {

// What a block takes in the file's own type; it is a multiple of what one frame takes.
std::int64_t stored_bytes(const Hdf5Frames& frames, std::int64_t count) {
    auto bytes = static_cast<std::int64_t>(size_of(frames.data.stored)) * count;
    for (std::size_t i = 0; i < frames.data.shape.size(); ++i) {
        const bool free = static_cast<int>(i) == frames.layout.n || static_cast<int>(i) == frames.layout.t;
        if (!free) bytes *= frames.data.shape[i];
    }
    return bytes;
}

std::int64_t read_block(const Hdf5File& file, const Hdf5Frames& frames, const Hdf5Description& data,
                        std::int64_t recording, std::int64_t first, std::int64_t count, float* out,
                        std::vector<char>& buffer) {
    const StoredBlock block = block_of(frames.layout, data.shape, recording, first, count);
    StoredFrames stored = frames_of(frames.layout, block.size, frames.values.type, out);
    stored.swapped = data.swapped;
    const bool in_place = frames.values.type == StoredType::f32 && is_frame_order(frames.layout);
    if (!in_place) {
        buffer.resize(static_cast<std::size_t>(stored_bytes(frames, count)));
        stored.data = buffer.data();
    }
    file.read(data.name, block.start, block.size, in_place ? static_cast<void*>(out) : buffer.data());
    return decode(stored, frames.values.packing, out);
}

}  // namespace

std::int64_t read_frames(const Hdf5File& file, const Hdf5Frames& frames, const std::string& dataset,
                         std::int64_t recording, std::int64_t first, std::int64_t count, float* out,
                         std::vector<char>& buffer) {
    if (count == 0) return 0;
    const Hdf5Description data = file.describe(dataset);
    check_alike(frames, data, file.path());
    // In pieces, so that the buffer stays small beside `out` whatever is asked for.
    constexpr std::int64_t kMostBytes = 32 << 20;
    const std::int64_t piece = std::clamp<std::int64_t>(kMostBytes / stored_bytes(frames, 1), 1, count);
    const StoredFrames one = frames_of(frames.layout, frames.data.shape, frames.data.stored, nullptr);
    const std::int64_t frame = one.shape[1] * one.shape[2] * one.shape[3];
    std::int64_t missing = 0;
    for (std::int64_t done = 0; done < count; done += piece) {
        const std::int64_t here = std::min(piece, count - done);
        missing += read_block(file, frames, data, recording, first + done, here, out + done * frame, buffer);
    }
    return missing;
}

std::string choose_dataset(const Hdf5File& file, const SourceOptions& options, bool flat) {
    if (!options.dataset.empty()) return options.dataset.front() == '/' ? options.dataset : "/" + options.dataset;
    const std::vector<Hdf5Description> all = file.list();
    std::vector<Hdf5Description> fit;
    const auto keep = [&](const auto& wanted) {
        if (fit.empty()) std::copy_if(all.begin(), all.end(), std::back_inserter(fit), wanted);
    };
    keep([](const Hdf5Description& data) { return data.numeric && data.shape.size() >= 3 && data.shape.size() <= 5; });
    keep([&](const Hdf5Description& data) { return is_radar_image(file, data); });
    keep([&](const Hdf5Description& data) { return flat && data.numeric && data.shape.size() == 2; });
    if (fit.size() == 1) return fit.front().name;
    if (fit.empty()) {
        throw Error(ExitCode::data, fmt::format("no dataset of frames (numbers in {} to 5 dimensions) in {}; found: {}",
                                                flat ? 2 : 3, file.path(), list_text(all)));
    }
    throw Error(ExitCode::data, fmt::format("{} has several datasets of frames: {}", file.path(), list_text(fit)), "",
                fmt::format("--dataset {0}, or --set data.dataset={0} in training; '{1}/*' takes each as a recording",
                            fit.front().name, parent_of(fit.front().name)));
}

Hdf5Frames describe_dataset(const Hdf5File& file, const std::string& layout, SourceInfo& info, bool flat) {
    const Hdf5Description data = file.describe(info.dataset);
    Hdf5Values values = hdf5_values(file, data, file.path());
    const StoredArray array{data.name, data.shape, values.type, dimension_names(file, data.name)};
    const bool image = layout == "auto" && data.shape.size() == 2 && (flat || is_radar_image(file, data));
    const FrameLayout found = find_layout(image ? "hw" : layout, array);
    describe_frames(found, array, info);
    describe_values(values, data, info);
    return {found, std::move(values), data};
}

std::string time_axis_of(const Hdf5File& file, const std::string& dataset, const FrameLayout& layout) {
    if (layout.t < 0) return "";
    const std::string scale = file.scales(dataset)[static_cast<std::size_t>(layout.t)];
    return scale.empty() ? parent_of(dataset) + "/time" : scale;
}

std::int64_t cache_bytes(const ReaderLimits& limits, std::int64_t files) {
    constexpr std::int64_t kMost = std::int64_t{256} << 20;
    return std::min(kMost, limits.memory / 4) / files;
}

constexpr std::size_t kMostFiles = 16;

Hdf5OpenFiles::Hdf5OpenFiles(const ReaderLimits& limits, Describe describe)
    : cache_bytes_(cache_bytes(limits, kMostFiles)), describe_(std::move(describe)) {}

const Hdf5OpenFiles::Opened& Hdf5OpenFiles::open(const std::string& path) {
    const auto known = std::find_if(opened_.begin(), opened_.end(), [&](const auto& it) { return it.first == path; });
    if (known != opened_.end()) {
        opened_.splice(opened_.begin(), opened_, known);
        return opened_.front().second;
    }
    if (opened_.size() >= kMostFiles) opened_.pop_back();
    Hdf5File file(path, cache_bytes_);
    Hdf5Frames frames = describe_(file, path);
    opened_.emplace_front(path, Opened{std::move(file), std::move(frames)});
    return opened_.front().second;
}

}  // namespace nowcell

#include "data/formats/hdf5_reader.h"

#include "data/formats/fingerprint.h"
#include "data/formats/formats.h"
#include "data/formats/hdf5_time.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
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

// The vector with the times of the frames: the scale of dimension t, or one named "time" beside the frames.
std::string time_axis_of(const Hdf5File& file, const std::string& dataset, const FrameLayout& layout) {
    if (layout.t < 0) return "";
    const std::string scale = file.scales(dataset)[static_cast<std::size_t>(layout.t)];
    return scale.empty() ? parent_of(dataset) + "/time" : scale;
}

class Hdf5Reader : public FrameReader {
 public:
    explicit Hdf5Reader(const SourceOptions& options)
        : file_(options.path, cache_bytes(options)), frames_(describe(options)) {
        info_.format = is_netcdf(file_, info_.dataset) ? "NetCDF-4" : "HDF5";
        read_time(file_, time_axis_of(file_, info_.dataset, frames_.layout()), info_);
        if (info_.step_s <= 0.0) info_.step_s = options.step_s;
        info_.fingerprint = fingerprint(options.path);
    }

    const SourceInfo& info() const override { return info_; }

    std::int64_t read(std::int64_t recording, std::int64_t first, std::int64_t count, float* out) override {
        return frames_.read(file_, info_.dataset, recording, first, count, out);
    }

 private:
    static std::int64_t cache_bytes(const SourceOptions& options) {
        constexpr std::int64_t kMost = std::int64_t{256} << 20;
        return std::min(kMost, options.limits.memory / 4);
    }

    Hdf5Frames describe(const SourceOptions& options) {
        info_.path = options.path;
        info_.dataset = choose_dataset(file_, options);
        return describe_dataset(file_, info_.dataset, options.layout, info_);
    }

    Hdf5File file_;
    SourceInfo info_;
    Hdf5Frames frames_;
};

}  // namespace

std::int64_t Hdf5Frames::read(const Hdf5File& file, const std::string& dataset, std::int64_t recording,
                              std::int64_t first, std::int64_t count, float* out) {
    if (count == 0) return 0;
    const Hdf5Description data = file.describe(dataset);
    StoredBlock block = block_of(layout_, data.shape, recording, first, count);
    StoredFrames stored = frames_of(layout_, block.size, values_.type, out);
    stored.swapped = data.swapped;
    const bool in_place = values_.type == StoredType::f32 && is_frame_order(layout_);
    if (!in_place) {
        std::size_t bytes = size_of(data.stored);
        for (const std::int64_t size : block.size) bytes *= static_cast<std::size_t>(size);
        buffer_.resize(bytes);
        stored.data = buffer_.data();
    }
    file.read(dataset, block.start, block.size, in_place ? static_cast<void*>(out) : buffer_.data());
    return decode(stored, values_.packing, out);
}

std::string choose_dataset(const Hdf5File& file, const SourceOptions& options, std::size_t least) {
    if (!options.dataset.empty()) return options.dataset.front() == '/' ? options.dataset : "/" + options.dataset;
    const std::vector<Hdf5Description> all = file.list();
    std::vector<Hdf5Description> fit;
    std::vector<Hdf5Description> images;
    for (const Hdf5Description& data : all) {
        if (data.numeric && data.shape.size() >= least && data.shape.size() <= 5) fit.push_back(data);
        if (is_radar_image(file, data)) images.push_back(data);
    }
    if (fit.empty() || (least == 2 && !images.empty())) fit = images;
    if (fit.size() == 1) return fit.front().name;
    if (fit.empty()) {
        throw Error(ExitCode::data, fmt::format("no dataset of frames (numbers in {} to 5 dimensions) in {}; found: {}",
                                                least, options.path, list_text(all)));
    }
    throw Error(ExitCode::data, fmt::format("{} has several datasets of frames: {}", options.path, list_text(fit)), "",
                fmt::format("--dataset {0}, or --set data.dataset={0} in training", fit.front().name));
}

Hdf5Frames describe_dataset(const Hdf5File& file, const std::string& dataset, const std::string& layout,
                            SourceInfo& info) {
    const Hdf5Description data = file.describe(dataset);
    Hdf5Values values = hdf5_values(file, data, info.path);
    StoredArray array{dataset, data.shape, values.type, dimension_names(file, dataset)};
    const bool image = layout == "auto" && is_radar_image(file, data);
    const FrameLayout found = find_layout(image ? "hw" : layout, array);
    describe_frames(found, array, info);
    describe_values(values, data, info);
    return {found, std::move(values)};
}

std::unique_ptr<FrameReader> open_hdf5(const SourceOptions& options) { return std::make_unique<Hdf5Reader>(options); }

}  // namespace nowcell

#include "data/hdf5_source.h"

#include "data/decode.h"
#include "data/formats/fingerprint.h"
#include "data/frame_layout.h"
#include "data/hdf5_io.h"
#include "src/error.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace nowcell {
namespace {

constexpr std::int64_t kMostRecordings = 1 << 24;

std::string only_dataset(const Hdf5File& file, const std::string& path) {
    const std::vector<Hdf5Description> all = file.list();
    std::vector<Hdf5Description> fit;
    for (const Hdf5Description& data : all) {
        if (data.numeric && data.shape.size() >= 3 && data.shape.size() <= 5) fit.push_back(data);
    }
    if (fit.size() == 1) return fit.front().name;
    if (fit.empty()) {
        throw Error(ExitCode::data, fmt::format("no dataset of frames (numbers in 3 to 5 dimensions) in {}; found: {}",
                                                path, list_text(all)));
    }
    throw Error(ExitCode::data, fmt::format("{} has several datasets of frames: {}", path, list_text(fit)), "",
                fmt::format("--dataset {0}, or --set data.dataset={0} in training", fit.front().name));
}

std::string dataset_name(const SourceOptions& options, const Hdf5File& file) {
    if (options.dataset.empty()) return only_dataset(file, options.path);
    return options.dataset.front() == '/' ? options.dataset : "/" + options.dataset;
}

// The first of some attributes, on the dataset or on the file.
std::string first_text(const Hdf5File& file, const std::string& dataset, const std::vector<std::string>& names) {
    for (const std::string& object : {dataset, std::string("/")}) {
        for (const std::string& name : names) {
            if (const auto text = file.text(object, name)) return *text;
        }
    }
    return "";
}

double positive_number(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    return !text.empty() && *end == '\0' && std::isfinite(value) && value > 0 ? value : 0.0;
}

double seconds_in(const std::string& unit) {
    const auto is = [&](const std::string& name) { return unit == name || unit == name + "s"; };
    if (is("second") || is("sec") || unit == "s") return 1;
    if (is("minute") || is("min")) return 60;
    if (is("hour") || is("hr") || unit == "h") return 3600;
    return is("day") || unit == "d" ? 86400 : 0;
}

// Steps that differ make no regular series: the step stays unknown.
double regular_step(const torch::Tensor& times) {
    if (times.numel() < 2) return 0;
    const torch::Tensor steps = times.slice(0, 1) - times.slice(0, 0, -1);
    const double step = steps[0].item<double>();
    return step > 0 && (steps - step).abs().max().item<double>() < 1e-3 * step ? step : 0;
}

// NetCDF's convention: a vector "time" beside the frames with units such as "hours since 2019-03-01 00:00".
void read_time_axis(const Hdf5File& file, SourceInfo& info) {
    const std::string name = info.dataset.substr(0, info.dataset.rfind('/') + 1) + "time";
    constexpr std::int64_t kMostTimes = 1 << 24;
    if (info.frames.size() != 1 || info.frames[0] > kMostTimes || !file.has(name)) return;
    const Hdf5Description axis = file.describe(name);
    const std::string units = file.text(name, "units").value_or("");
    const std::size_t since = units.find(" since ");
    if (!axis.numeric || axis.shape != info.frames || since == std::string::npos) return;
    const torch::Tensor times = file.read(name, {0}, info.frames).to(torch::kFloat64);
    info.step_s = regular_step(times) * seconds_in(units.substr(0, since));
    const double first = times[0].item<double>();
    info.start = first == 0 ? units.substr(since + 7) : fmt::format("{} {}", first, units);
}

void read_time(const Hdf5File& file, SourceInfo& info) {
    read_time_axis(file, info);
    const double step =
        positive_number(first_text(file, info.dataset, {"step_s", "dt_seconds", "time_step_s", "time_step"}));
    if (step > 0) info.step_s = step;
    const std::string start = first_text(file, info.dataset, {"start", "start_time", "time_start"});
    if (!start.empty()) info.start = start;
}

double scaling(const Hdf5File& file, const std::string& dataset, const std::string& name, double fallback) {
    const std::vector<double> values = file.numbers(dataset, name);
    if (values.empty()) return fallback;
    const bool usable = values.size() == 1 && std::isfinite(values[0]) && (name != "scale_factor" || values[0] != 0);
    if (usable) return values[0];
    throw Error(ExitCode::data, fmt::format("attribute {} of {} is not one usable number", name, dataset));
}

class Hdf5Source : public FrameSource {
 public:
    explicit Hdf5Source(const SourceOptions& options) : file_(options.path), missing_(options.missing) {
        if (missing_ != "error" && missing_ != "zero" && missing_ != "keep" && missing_ != "mask" &&
            missing_ != "hold") {
            throw Error(ExitCode::usage,
                        fmt::format("data.missing: got '{}', expected error, zero, mask or hold", missing_));
        }
        info_.path = options.path;
        info_.dataset = dataset_name(options, file_);
        read_shape(options.layout);
        read_values();
        read_time(file_, info_);
        if (info_.step_s <= 0.0) info_.step_s = options.step_s;
        info_.fingerprint = fingerprint(options.path);
    }

    const SourceInfo& info() const override { return info_; }

    torch::Tensor read(std::int64_t recording, std::int64_t first, std::int64_t count) const override {
        check_range(recording, first, count);
        std::vector<std::int64_t> start(info_.stored_shape.size(), 0);
        std::vector<std::int64_t> size = info_.stored_shape;
        if (layout_.n >= 0) start[at(layout_.n)] = recording;
        if (layout_.n >= 0) size[at(layout_.n)] = 1;
        start[at(layout_.t)] = first;
        size[at(layout_.t)] = count;
        const float missing_as = missing_ == "zero" ? 0.0F : std::numeric_limits<float>::quiet_NaN();
        const Packing packing{info_.scale, info_.offset, fills_, missing_as};
        const Decoded decoded = decode(file_.read(info_.dataset, start, size), packing);
        if (decoded.missing > 0 && missing_ == "error") refuse(decoded, start);
        const torch::Tensor frames = decoded.values.view(
            layout_.c < 0 ? std::vector<std::int64_t>{count, 1, info_.height, info_.width}
                          : std::vector<std::int64_t>{count, info_.height, info_.width, info_.channels});
        return layout_.c < 0 ? frames : frames.permute({0, 3, 1, 2}).contiguous();
    }

 private:
    static std::size_t at(int position) { return static_cast<std::size_t>(position); }

    void read_shape(const std::string& layout) {
        const Hdf5Description data = file_.describe(info_.dataset);
        if (!data.numeric) {
            throw Error(ExitCode::data, fmt::format("dataset '{}' of {} holds {} values, expected numbers", data.name,
                                                    info_.path, data.type));
        }
        layout_ = find_layout(layout, data.shape, data.name);
        const std::int64_t recordings = layout_.n < 0 ? 1 : data.shape[at(layout_.n)];
        for (const std::int64_t size : data.shape) {
            if (size > 0 && recordings <= kMostRecordings) continue;
            throw Error(ExitCode::data,
                        fmt::format("dataset '{}' of {} has the shape {}, expected 1 to {} recordings of frames",
                                    data.name, info_.path, shape_text(data.shape), kMostRecordings));
        }
        info_.layout = layout_.name;
        info_.stored_type = data.type;
        info_.stored_shape = data.shape;
        info_.chunk_shape = data.chunk;
        info_.filters = data.filters;
        info_.frames.assign(static_cast<std::size_t>(recordings), data.shape[at(layout_.t)]);
        info_.height = data.shape[at(layout_.h)];
        info_.width = data.shape[at(layout_.w)];
        info_.channels = layout_.c < 0 ? 1 : data.shape[at(layout_.c)];
    }

    void read_values() {
        info_.scale = scaling(file_, info_.dataset, "scale_factor", 1.0);
        info_.offset = scaling(file_, info_.dataset, "add_offset", 0.0);
        for (const char* name : {"_FillValue", "missing_value"}) {
            for (const double fill : file_.numbers(info_.dataset, name)) fills_.push_back(fill);
        }
        info_.has_fill = !fills_.empty();
        info_.fill = fills_.empty() ? 0.0 : fills_.front();
        const std::string units = file_.text(info_.dataset, "units").value_or("");
        info_.units = units.empty() ? "1" : units;
    }

    void check_range(std::int64_t recording, std::int64_t first, std::int64_t count) const {
        const auto recordings = static_cast<std::int64_t>(info_.frames.size());
        if (recording >= 0 && recording < recordings && first >= 0 && count >= 0 &&
            count <= info_.frames[static_cast<std::size_t>(recording)] - first) {
            return;
        }
        throw Error(ExitCode::internal,
                    fmt::format("{} frames from {} on of recording {} asked of {}, which holds {}", count, first,
                                recording, info_.path, shape_text(info_.stored_shape)));
    }

    [[noreturn]] void refuse(const Decoded& decoded, std::vector<std::int64_t> position) const {
        std::int64_t rest = decoded.first_missing;
        for (std::size_t i = position.size(); i-- > 0;) {
            const bool one = static_cast<int>(i) == layout_.n;
            const std::int64_t size = one ? 1 : static_cast<int>(i) == layout_.t ? INT64_MAX : info_.stored_shape[i];
            position[i] += rest % size;
            rest /= size;
        }
        throw Error(ExitCode::data,
                    fmt::format("{} of {} values read from {} are missing or not finite", decoded.missing,
                                decoded.values.numel(), info_.path),
                    info_.dataset + shape_text(position),
                    "--missing zero, or --set data.missing=zero in training, takes them as 0");
    }

    Hdf5File file_;
    std::string missing_;
    FrameLayout layout_;
    std::vector<double> fills_;
    SourceInfo info_;
};

}  // namespace

std::unique_ptr<FrameSource> open_hdf5_source(const SourceOptions& options) {
    return std::make_unique<Hdf5Source>(options);
}

}  // namespace nowcell

#include "predict/forecast_file.h"

#include "data/formats/calendar.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace nowcell {
namespace {

constexpr std::int64_t kTogetherBytes = 1 << 20;
constexpr std::int64_t kMostTogether = 32;
constexpr std::int64_t kRowsBytes = 16 << 20;  // of a chunk, where a frame is larger
constexpr std::int64_t kTimesTogether = 4096;
const char* const kEpoch = "seconds since 1970-01-01 00:00:00";

std::int64_t frame_bytes(const ForecastShape& shape) {
    return std::max<std::int64_t>(1, shape.channels * shape.height * shape.width * std::int64_t{sizeof(float)});
}

// "2019-03-01 06:30:00"; "" where the calendar is not known or the time far away.
std::string date_of_seconds(double seconds, const std::string& calendar) {
    const auto known = calendar_of(calendar);
    constexpr double kFarthest = 1e14;
    if (!known || !(std::abs(seconds) < kFarthest)) return "";
    return to_string(date_of(seconds, *known));
}

}  // namespace

std::int64_t leads_together(const ForecastShape& shape) {
    const std::int64_t most = std::min(kMostTogether, shape.horizon);
    return std::clamp<std::int64_t>(kTogetherBytes / frame_bytes(shape), 1, std::max<std::int64_t>(1, most));
}

torch::Tensor stored_frames(const torch::Tensor& frames) {
    return (frames.size(2) == 1 ? frames.squeeze(2) : frames.permute({0, 1, 3, 4, 2})).contiguous();
}

std::vector<std::int64_t> stored_shape(const ForecastShape& shape) {
    std::vector<std::int64_t> sizes = {shape.recordings, shape.horizon, shape.height, shape.width};
    if (shape.channels > 1) sizes.push_back(shape.channels);
    return sizes;
}

ForecastWriter::ForecastWriter(Hdf5Stream& stream, const ForecastShape& shape, ForecastRecord record)
    : stream_(stream), shape_(shape), record_(std::move(record)) {
    add_axes();
    if (dated()) add_times();
    add_frames();
}

void ForecastWriter::add_axes() {
    Hdf5Dimension recording{"recording", shape_.recordings};
    for (std::int64_t i = 0; i < shape_.recordings; ++i) {
        recording.values.push_back(
            static_cast<double>(record_.recordings.empty() ? i : record_.recordings[static_cast<std::size_t>(i)]));
    }
    recording.attributes["long_name"] = std::string("number of the recording in the source");
    stream_.add(recording);
    const bool timed = record_.step_s > 0.0;
    Hdf5Dimension lead{"lead", shape_.horizon};
    for (std::int64_t i = 1; i <= shape_.horizon; ++i) {
        lead.values.push_back(static_cast<double>(i) * (timed ? record_.step_s : 1.0));
    }
    lead.attributes = {{"units", std::string(timed ? "s" : "steps")},
                       {"long_name", std::string("time after the last input frame")}};
    if (timed) lead.attributes["standard_name"] = std::string("forecast_period");
    stream_.add(lead);
    stream_.add(Hdf5Dimension{"y", shape_.height});
    stream_.add(Hdf5Dimension{"x", shape_.width});
    if (shape_.channels > 1) stream_.add(Hdf5Dimension{"channel", shape_.channels});
    if (record_.last_input.empty()) return;
    stream_.add(Hdf5Target{.name = "/last_input",
                           .type = torch::kFloat64,
                           .dimensions = {"recording"},
                           .chunk = {shape_.recordings},
                           .attributes = {{"long_name", std::string("index of the last input frame")}}});
    stream_.write("/last_input", {0}, at::tensor(record_.last_input, at::kDouble));
}

void ForecastWriter::add_times() {
    const std::string calendar = record_.calendar.empty() ? "standard" : record_.calendar;
    const auto attributes = [&](const std::string& standard, const std::string& meaning) {
        return std::map<std::string, Attribute>{{"units", std::string(kEpoch)},
                                                {"calendar", calendar},
                                                {"standard_name", standard},
                                                {"long_name", meaning}};
    };
    stream_.add(Hdf5Target{.name = "/forecast_reference_time",
                           .type = torch::kFloat64,
                           .dimensions = {"recording"},
                           .chunk = {shape_.recordings},
                           .attributes = attributes("forecast_reference_time", "time of the last input frame")});
    const torch::Tensor reference = at::tensor(record_.last_input_s, at::kDouble);
    stream_.write("/forecast_reference_time", {0}, reference);
    stream_.add(Hdf5Target{.name = "/time",
                           .type = torch::kFloat64,
                           .dimensions = {"recording", "lead"},
                           .chunk = {1, std::min(shape_.horizon, kTimesTogether)},
                           .attributes = attributes("time", "time of the forecast frame")});
    for (std::int64_t i = 0; i < shape_.recordings; ++i) {
        for (std::int64_t lead = 0; lead < shape_.horizon; lead += kTimesTogether) {
            const std::int64_t end = std::min(shape_.horizon, lead + kTimesTogether);
            const torch::Tensor leads = at::arange(lead + 1, end + 1, at::kDouble) * record_.step_s;
            stream_.write("/time", {i, lead}, (leads + reference[i]).unsqueeze(0));
        }
    }
}

void ForecastWriter::add_frames() {
    Hdf5Target frames{.name = "/frames",
                      .dimensions = {"recording", "lead", "y", "x"},
                      .chunk = {},
                      .fill = std::numeric_limits<double>::quiet_NaN(),
                      .attributes = {{"units", record_.units}, {"long_name", std::string("forecast")}}};
    const std::int64_t row_bytes =
        std::max<std::int64_t>(1, frame_bytes(shape_) / std::max<std::int64_t>(1, shape_.height));
    frames.chunk = {1, leads_together(shape_), std::clamp<std::int64_t>(kRowsBytes / row_bytes, 1, shape_.height),
                    shape_.width};
    if (shape_.channels > 1) {
        frames.dimensions.emplace_back("channel");
        frames.chunk.push_back(shape_.channels);
    }
    std::string dimensions;  // as text, for readers that know no dimension scales
    for (const std::string& name : frames.dimensions) dimensions += (dimensions.empty() ? "" : " ") + name;
    frames.attributes["dimensions"] = dimensions;
    if (record_.step_s > 0.0) frames.attributes["step_s"] = record_.step_s;
    if (!record_.channel_order.empty()) frames.attributes["channel_order"] = record_.channel_order;
    std::string others = record_.last_input.empty() ? "" : "last_input";
    if (dated()) {
        others = "time forecast_reference_time " + others;
        frames.attributes["calendar"] = record_.calendar.empty() ? std::string("standard") : record_.calendar;
        const std::string start = date_of_seconds(record_.last_input_s.front() + record_.step_s, record_.calendar);
        if (shape_.recordings == 1 && !start.empty()) frames.attributes["start"] = start;
    }
    if (!others.empty()) frames.attributes["coordinates"] = others;
    stream_.add(frames);
}

void ForecastWriter::write(std::int64_t first, std::int64_t lead, const torch::Tensor& frames) {
    const torch::Tensor stored = stored_frames(frames);
    std::vector<std::int64_t> start(static_cast<std::size_t>(stored.dim()), 0);
    start[1] = lead;
    for (std::int64_t i = 0; i < stored.size(0); ++i) {
        start[0] = first + i;
        stream_.write("/frames", start, stored.narrow(0, i, 1));
    }
}

void ForecastWriter::close() {
    stream_.close({{"schema", std::string("nowcell.forecast/1")},
                   {"Conventions", std::string("CF-1.8")},
                   {"title", std::string("forecast by nowcell")},
                   {"source", record_.source},
                   {"model", record_.model},
                   {"step_s", record_.step_s},
                   {"history", record_.history}});
}

void write_forecast(const std::string& path, const torch::Tensor& frames, const ForecastRecord& record) {
    const ForecastShape shape{frames.size(0), frames.size(1), frames.size(2), frames.size(3), frames.size(4)};
    stream_hdf5(path, [&](Hdf5Stream& stream) {
        ForecastWriter writer(stream, shape, record);
        const std::int64_t block = leads_together(shape);
        for (std::int64_t lead = 0; lead < shape.horizon; lead += block) {
            writer.write(0, lead, frames.slice(1, lead, std::min(shape.horizon, lead + block)));
        }
        writer.close();
    });
}

}  // namespace nowcell

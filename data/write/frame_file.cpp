#include "data/write/frame_file.h"

#include "data/frame_blocks.h"
#include "data/read_cost.h"
#include "data/time_start.h"
#include "data/write/hdf5_stream.h"
#include "data/write/npy_stream.h"
#include "data/write/stored_again.h"
#include "src/error.h"
#include "src/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace nowcell {
namespace {

constexpr std::int64_t kChunkBytes = 16 << 20;
constexpr std::int64_t kWindowValues = 64 << 20;  // 256 MiB of float32: what is read for a row of chunks

constexpr std::size_t kMostAttached = 1000;  // datasets that share the dimensions y and x

// A value that is not that of one stored integer: the file is begun again with float32.
struct NotExact {};

void check_not_empty(const SourceInfo& info) {
    if (unbroken(info).empty()) throw Error(ExitCode::data, info.path + " holds no frames");
}

bool one_length(const std::vector<FrameRange>& ranges) {
    return std::all_of(ranges.begin(), ranges.end(), [&](const auto& range) { return range.count == ranges[0].count; });
}

// (count,C,H,W) as (count,H,W) or (count,H,W,C).
torch::Tensor channels_last(const torch::Tensor& frames) {
    return frames.size(1) == 1 ? frames.squeeze(1) : frames.permute({0, 2, 3, 1});
}

torch::Tensor stored_or_throw(const StoredAgain& again, const torch::Tensor& frames) {
    const auto stored = again.of(frames);
    if (!stored) throw NotExact();
    return channels_last(*stored);
}

// Writes with the stored integers, or with float32 where they do not carry all values.
FrameFile with_exact_type(const SourceInfo& info, const std::function<FrameFile(const SourceInfo&)>& write) {
    if (info.stored_type == "float64") {
        log_warning("float64 values are written as float32, which is what frames are read as");
    }
    try {
        return write(info);
    } catch (const NotExact&) {
        log_warning(
            fmt::format("not every value of {} is that of one {}: written as float32", info.path, info.stored_type));
    }
    SourceInfo plain = info;
    plain.stored_type = "float32";
    return write(plain);
}

std::string type_name(const SourceInfo& info, const StoredAgain& again) {
    return again.exact() ? info.stored_type : "float32";
}

// Where the frames of an HDF5 file go.
class Hdf5Frames {
 public:
    Hdf5Frames(const SourceInfo& info, const FrameSource& source, std::int64_t chunk_frames)
        : info_(info), source_(source), again_(info), ranges_(unbroken(source.info())), together_(one_length(ranges_)) {
        const std::int64_t frame = info.channels * info.height * info.width;
        std::int64_t longest = 0;
        for (const FrameRange& range : ranges_) longest = std::max(longest, range.count);
        frames_ = std::clamp<std::int64_t>(kWindowValues / std::max<std::int64_t>(1, frame), 1,
                                           std::min(chunk_frames, longest));
        const auto row_bytes =
            static_cast<std::int64_t>(torch::elementSize(again_.type())) * info.channels * info.width * frames_;
        const std::int64_t fit = std::clamp<std::int64_t>(kChunkBytes / row_bytes, 1, info.height);
        const std::int64_t parts = (info.height + fit - 1) / fit;
        rows_ = (info.height + parts - 1) / parts;
    }

    void write(Hdf5Stream& stream, const std::string& history) const {
        add_space(stream);
        for (std::size_t i = 0; i < ranges_.size(); ++i) {
            if (i > 0 && together_) break;
            add_time(stream, i);
            stream.add(target(i));
        }
        std::size_t at = 0;
        for_each_block(source_, ranges_, frames_, "writing", [&](const FrameBlock& block) {
            while (block.range.recording != ranges_[at].recording ||
                   block.range.first >= ranges_[at].first + ranges_[at].count) {
                ++at;
            }
            write_block(stream, at, block);
        });
        stream.close({{"history", history}, {"source", info_.path}});
    }

    FrameFile result(std::int64_t window) const {
        FrameFile out{type_name(info_, again_), shape(0), chunk(), {}, 1.0};
        for (std::size_t i = 0; i < (together_ ? 1 : ranges_.size()); ++i) out.datasets.push_back(name(i));
        SourceInfo written;
        written.layout = std::string(has_recordings() ? "nthw" : "thw") + (info_.channels > 1 ? "c" : "");
        written.stored_shape = out.shape;
        written.chunk_shape = out.chunk;
        for (const FrameRange& range : ranges_) written.frames.push_back(range.count);
        written.channels = info_.channels;
        written.height = info_.height;
        written.width = info_.width;
        out.read_amplification = read_amplification(written, window).value_or(1.0);
        return out;
    }

 private:
    bool has_recordings() const { return together_ && (ranges_.size() > 1 || info_.channels > 1); }
    std::string suffix(std::size_t i) const { return together_ ? "" : fmt::format("_{:04}", i + 1); }
    std::string name(std::size_t i) const { return together_ ? "/frames" : "/recording" + suffix(i); }

    // A list with entries for the axes that there are.
    template <typename T>
    std::vector<T> axes(T recording, T time, T row, T column, T channel) const {
        std::vector<T> out;
        if (has_recordings()) out.push_back(recording);
        out.insert(out.end(), {time, row, column});
        if (info_.channels > 1) out.push_back(channel);
        return out;
    }

    std::vector<std::int64_t> chunk() const {
        return axes<std::int64_t>(1, frames_, rows_, info_.width, info_.channels);
    }

    std::vector<std::int64_t> shape(std::size_t i) const {
        return axes<std::int64_t>(static_cast<std::int64_t>(ranges_.size()), ranges_[i].count, info_.height,
                                  info_.width, info_.channels);
    }

    void add_space(Hdf5Stream& stream) const {
        if (has_recordings()) stream.add({"recording", static_cast<std::int64_t>(ranges_.size())});
        stream.add({"y", info_.height});
        stream.add({"x", info_.width});
        if (info_.channels > 1) stream.add({"channel", info_.channels});
    }

    // The start holds for the very first frame alone: after a jump nobody knows the time.
    bool starts_known(std::size_t i) const { return i == 0 && info_.frames.size() == 1 && !has_many_times(); }
    bool has_many_times() const { return together_ && ranges_.size() > 1; }

    void add_time(Hdf5Stream& stream, std::size_t i) const {
        Hdf5Dimension time{"time" + suffix(i), ranges_[i].count};
        if (info_.step_s > 0.0) {
            const auto start = starts_known(i) ? start_seconds(info_) : std::nullopt;
            for (std::int64_t t = 0; t < time.size; ++t) time.values.push_back(static_cast<double>(t) * info_.step_s);
            time.attributes["units"] = start ? "seconds since " + date_text(*start, info_) : std::string("s");
            if (start) time.attributes["calendar"] = info_.calendar.empty() ? std::string("standard") : info_.calendar;
            time.attributes["long_name"] = std::string(start ? "time" : "time after the first frame");
        }
        stream.add(time);
    }

    Hdf5Target target(std::size_t i) const {
        Hdf5Target out;
        out.name = name(i);
        out.type = again_.type();
        out.dimensions = axes<std::string>("recording", "time" + suffix(i), "y", "x", "channel");
        out.chunk = chunk();
        out.scales = together_ || ranges_.size() <= kMostAttached;
        const std::size_t time = has_recordings() ? 1 : 0;
        out.chunk[time] = std::min(out.chunk[time], ranges_[i].count);
        out.attributes["units"] = info_.units;
        if (again_.exact() && info_.has_fill) out.fill = info_.fill;
        if (!again_.exact()) out.fill = std::numeric_limits<double>::quiet_NaN();
        if (again_.exact() && (info_.scale != 1.0 || info_.offset != 0.0)) {
            out.attributes["scale_factor"] = info_.scale;
            out.attributes["add_offset"] = info_.offset;
        }
        if (info_.step_s > 0.0) out.attributes["step_s"] = info_.step_s;
        if (starts_known(i) && !info_.start.empty()) out.attributes["start"] = info_.start;
        if (!info_.calendar.empty()) out.attributes["calendar"] = info_.calendar;
        if (!info_.channel_order.empty()) out.attributes["channel_order"] = info_.channel_order;
        return out;
    }

    void write_block(Hdf5Stream& stream, std::size_t i, const FrameBlock& block) const {
        torch::Tensor values = stored_or_throw(again_, block.frames);
        if (has_recordings()) values = values.unsqueeze(0);
        const auto recording = static_cast<std::int64_t>(i);
        stream.write(name(i), axes<std::int64_t>(recording, block.range.first - ranges_[i].first, 0, 0, 0), values);
    }

    const SourceInfo& info_;
    const FrameSource& source_;
    StoredAgain again_;
    std::vector<FrameRange> ranges_;
    bool together_;
    std::int64_t frames_ = 1;  // of a chunk
    std::int64_t rows_ = 1;
};

}  // namespace

FrameFile write_frames_hdf5(const std::string& path, const FrameSource& source, const ChunkOptions& chunk,
                            const std::string& history) {
    check_not_empty(source.info());
    return with_exact_type(source.info(), [&](const SourceInfo& info) {
        const Hdf5Frames frames(info, source, chunk.frames);
        stream_hdf5(path, [&](Hdf5Stream& stream) { frames.write(stream, history); });
        return frames.result(chunk.window);
    });
}

FrameFile write_frames_npy(const std::string& path, const FrameSource& source) {
    check_not_empty(source.info());
    const std::vector<FrameRange> ranges = unbroken(source.info());
    if (!one_length(ranges)) {
        throw Error(ExitCode::data,
                    fmt::format("{} has recordings of different lengths, or jumps of time: one array cannot hold them",
                                source.info().path),
                    "", "convert it to HDF5: -o NAME.h5");
    }
    return with_exact_type(source.info(), [&](const SourceInfo& known) {
        SourceInfo info = known;
        if (info.scale != 1.0 || info.offset != 0.0) info.stored_type = "float32";
        info.has_fill = false;  // NumPy has no word for a missing value but NaN
        const StoredAgain again(info);
        std::vector<std::int64_t> shape = {ranges[0].count, info.height, info.width};
        const bool many = ranges.size() > 1 || info.channels > 1;
        if (many) shape.insert(shape.begin(), static_cast<std::int64_t>(ranges.size()));
        if (info.channels > 1) shape.push_back(info.channels);
        stream_npy(path, again.type(), shape, [&](NpyStream& stream) {
            for_each_block(source, ranges, 1, "writing",
                           [&](const FrameBlock& block) { stream.append(stored_or_throw(again, block.frames)); });
        });
        return FrameFile{type_name(info, again), shape, {}, {}, 1.0};
    });
}

}  // namespace nowcell

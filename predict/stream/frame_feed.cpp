#include "predict/stream/frame_feed.h"

#include "data/formats/checked.h"
#include "data/formats/frame_layout.h"
#include "data/time_start.h"
#include "predict/stream/frame_names.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace nowcell {
namespace {

// A damaged file is a frame that is none; that no file at all can be read is not.
Refusal unreadable(const Error& error) {
    if (error.code() != ExitCode::data && error.code() != ExitCode::usage) throw error;
    return {"unreadable", error.problems().front().what};
}

std::string text_of(double seconds, const SourceInfo& info) {
    std::string text = date_text(seconds, info);  // "2019-03-01 06:30:00"
    if (const std::size_t space = text.find(' '); space != std::string::npos) text[space] = 'T';
    return text;
}

// As in training, as the file suggests, and as one frame: (C,H,W) looks like (T,H,W), and (H,W) is no recording.
std::vector<SourceOptions> ways_to_read(SourceOptions source, std::int64_t channels) {
    source.missing = "mask";
    source.readers = 1;
    source.alive = {};
    std::vector<SourceOptions> ways = {source};
    const auto add = [&](const std::string& dataset, const std::string& layout) {
        SourceOptions way = source;
        way.dataset = dataset;
        way.layout = layout;
        const auto same = [&](const SourceOptions& other) {
            return other.dataset == dataset && other.layout == layout;
        };
        if (std::none_of(ways.begin(), ways.end(), same)) ways.push_back(std::move(way));
    };
    const std::vector<std::string> one_frame =
        channels == 1 ? std::vector<std::string>{"hw"} : std::vector<std::string>{"chw", "hwc"};
    for (const std::string& dataset : {source.dataset, std::string()}) {
        add(dataset, "auto");
        for (const std::string& layout : one_frame) add(dataset, layout);
    }
    return ways;
}

}  // namespace

FolderFeed::FolderFeed(WatchedFolder& folder, const Stream& stream, SourceOptions source, std::int64_t channels,
                       double step_s)
    : folder_(folder),
      stream_(stream),
      ways_(ways_to_read(std::move(source), channels)),
      channels_(channels),
      step_s_(step_s) {}

void FolderFeed::wait(double seconds) {
    if (!frames_) folder_.wait(seconds);
}

std::unique_ptr<FrameSource> FolderFeed::open(const std::string& path) {
    std::unique_ptr<FrameSource> readable;
    std::exception_ptr refused;
    for (std::size_t i = 0; i < ways_.size(); ++i) {
        try {
            ways_[i].path = path;
            std::unique_ptr<FrameSource> source = open_source(ways_[i]);
            if (source->info().channels == channels_) {
                std::rotate(ways_.begin(), ways_.begin() + static_cast<std::ptrdiff_t>(i),
                            ways_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
                return source;
            }
            if (!readable) readable = std::move(source);
        } catch (const Error& error) {
            unreadable(error);
            if (!refused) refused = std::current_exception();
        }
    }
    if (!readable) std::rethrow_exception(refused);
    return readable;
}

// All but the values.
Offer FolderFeed::described(std::int64_t index) const {
    const SourceInfo& info = frames_->info();
    Offer offer{info.path, index};
    offer.whole = index + 1 == info.frames.front();
    const double step_s = info.step_s > 0.0 ? info.step_s : step_s_;
    if (const auto start = start_seconds(info); start && (index == 0 || step_s > 0.0)) {
        offer.time = FrameTime{*start + static_cast<double>(index) * step_s, true};
        offer.time_text = text_of(offer.time->value, info);
        offer.calendar = info.calendar;
    } else if (info.frames.front() == 1) {
        offer.time = time_of_name(info.path);
        if (offer.time) {
            offer.time_text = offer.time->dated ? text_of(offer.time->value, {}) : fmt::format("{}", offer.time->value);
        }
    }
    if (!info.breaks.empty()) {
        const auto& breaks = info.breaks.front();
        offer.after_jump = std::find(breaks.begin(), breaks.end(), index) != breaks.end();
    }
    return offer;
}

Offer FolderFeed::read() {
    const SourceInfo& info = frames_->info();
    if (info.frames.size() != 1 || info.frames.front() == 0) {
        Offer offer{info.path};
        offer.refusal =
            Refusal{"unreadable", fmt::format("{} recordings, expected one of at least one frame", info.frames.size())};
        return offer;
    }
    Offer offer = described(index_++);
    offer.refusal = stream_.misfit(info.channels, {info.height, info.width}, info.units);
    if (offer.refusal) {
        offer.whole = true;  // the others do not fit either
        return offer;
    }
    try {
        // A copy: the memory of the file's reader goes with it.
        offer.values = frames_->read(0, offer.index, 1)[0].clone();
    } catch (const Error& error) {
        offer.refusal = unreadable(error);
    }
    return offer;
}

// Of a file of which frames were taken before: they were all, or it was refused as a whole.
bool FolderFeed::nothing_left() const {
    const SourceInfo& info = frames_->info();
    return info.frames.size() != 1 || index_ >= info.frames.front() ||
           stream_.misfit(info.channels, {info.height, info.width}, info.units).has_value();
}

std::optional<Offer> FolderFeed::next() {
    Offer offer;
    if (!frames_) {
        if (!folder_.waiting()) return {};
        name_ = folder_.take();
        index_ = std::exchange(skip_, 0);
        const bool begun = index_ > 0;
        offer.source = folder_.path() + "/" + name_;
        try {
            frames_ = open(offer.source);
        } catch (const Error& error) {
            offer.refusal = unreadable(error);
            std::error_code ignored;
            // What is gone was renamed or taken back: no frame.
            if (begun || !std::filesystem::exists(offer.source, ignored)) return {};
            return offer;
        }
        if (begun && nothing_left()) {
            frames_.reset();
            return {};
        }
    }
    offer = read();
    if (offer.whole) frames_.reset();
    return offer;
}

std::optional<Offer> PipeFeed::next() {
    const auto misfit = [&](const std::vector<std::int64_t>& shape) -> std::optional<Refusal> {
        if (shape.size() == 2) return stream_.misfit(1, {shape[0], shape[1]});
        if (shape.size() == 3) return stream_.misfit(shape[0], {shape[1], shape[2]});
        return Refusal{"wrong-size", fmt::format("got an array {}, expected (H,W) or (C,H,W)", shape_text(shape))};
    };
    const auto frame = pipe_.read([&](const std::vector<std::int64_t>& shape) { return !misfit(shape); });
    if (!frame) return {};
    Offer offer{"standard input"};
    offer.values = frame->values;
    offer.refusal = misfit(frame->shape);
    if (!frame->when) return offer;
    offer.time_text = *frame->when;
    SourceInfo info;
    info.start = *frame->when;
    char* end = nullptr;
    const double number = std::strtod(frame->when->c_str(), &end);
    if (*end == '\0') {
        offer.time = FrameTime{number, false};
    } else if (const auto date = start_seconds(info)) {
        offer.time = FrameTime{*date, true};
        offer.time_text = text_of(*date, info);
    } else {
        offer.refusal = Refusal{"no-time", fmt::format("\"{}\" is no time", *frame->when)};
    }
    return offer;
}

}  // namespace nowcell

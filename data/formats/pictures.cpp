#include "data/formats/checked.h"
#include "data/formats/fingerprint.h"
#include "data/formats/formats.h"
#include "data/formats/name_times.h"
#include "data/formats/picture_decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace nowcell {
namespace {

// Up to here every header is checked when the folder is opened; above, each frame when it is read.
constexpr std::size_t kMostChecked = 256;

std::string text_of(const ImageHeader& header) {
    return fmt::format("{} x {} pixels {} {}", header.width, header.height, channel_order(header),
                       to_string(header.type));
}

bool agree(const ImageHeader& a, const ImageHeader& b) {
    return a.width == b.width && a.height == b.height && a.channels == b.channels && a.type == b.type;
}

class PictureReader : public FrameReader {
 public:
    PictureReader(const SourceOptions& options, const std::vector<FrameFiles>& recordings)
        : limits_(options.limits), recordings_(recordings) {
        const std::string& path = recordings.front().paths.front();
        const PictureFile file = load_picture(path, limits_);
        first_ = file.header;
        describe(options);
        describe_times();
        std::vector<float> pixels(static_cast<std::size_t>(info_.channels * info_.height * info_.width));
        decode_picture(file, path, pixels.data());
        check_others(options);
    }

    const SourceInfo& info() const override { return info_; }

    std::int64_t read(std::int64_t recording, std::int64_t first, std::int64_t count, float* out) override {
        const auto& paths = recordings_[static_cast<std::size_t>(recording)].paths;
        std::int64_t missing = 0;
        for (std::int64_t t = first; t < first + count; ++t) {
            const std::string& path = paths[static_cast<std::size_t>(t)];
            missing += decode_picture(load_fitting(path), path, out);
            out += info_.channels * info_.height * info_.width;
        }
        return missing;
    }

 private:
    PictureFile load_fitting(const std::string& path) const {
        PictureFile file = load_picture(path, limits_);
        if (!agree(file.header, first_)) {
            refuse(path,
                   fmt::format("got {}, expected {} as in {}", text_of(file.header), text_of(first_),
                               recordings_.front().paths.front()),
                   "frames of one source have one size and type: scale them, or move this file away");
        }
        return file;
    }

    void describe(const SourceOptions& options) {
        std::vector<std::string> paths;
        for (const FrameFiles& recording : recordings_) {
            paths.insert(paths.end(), recording.paths.begin(), recording.paths.end());
            info_.frames.push_back(static_cast<std::int64_t>(recording.paths.size()));
        }
        const bool folder = paths.size() > 1 || paths.front() != options.path;
        info_.path = options.path;
        info_.format = folder ? "folder of " + first_.format : first_.format;
        info_.layout = first_.channels == 1 ? "hw" : "hwc";
        if (options.layout != "auto" && options.layout != info_.layout) {
            throw Error(
                ExitCode::usage,
                fmt::format("data.layout is '{}', pictures of {} are '{}'", options.layout, options.path, info_.layout),
                "", "data.layout = \"auto\"");
        }
        info_.stored_type = to_string(first_.type);
        info_.units = "1";
        info_.filters = "none";
        info_.stored_shape = {first_.height, first_.width};
        if (first_.channels > 1) info_.stored_shape.push_back(first_.channels);
        info_.channels = first_.channels;
        info_.height = first_.height;
        info_.width = first_.width;
        info_.channel_order = channel_order(first_);
        info_.files = static_cast<std::int64_t>(paths.size());
        info_.fingerprint = fingerprint(paths);
        info_.step_s = options.step_s;
        note_first();
    }

    void note_first() {
        if (first_.palette) {
            info_.notes.push_back(
                "the colours of a palette are read as RGB; as values they mean nothing by themselves");
        }
        if (first_.bits < 8 && !first_.palette) {
            info_.notes.push_back(fmt::format("grey of {} bits is spread over 0 to 255", first_.bits));
        }
        if (first_.pages > 1) {
            info_.notes.push_back(fmt::format("only the first of the {} pages of a TIFF is read", first_.pages));
        }
    }

    void describe_times() {
        bool same_step = true;
        for (std::size_t i = 0; i < recordings_.size(); ++i) {
            const NameTimes times = times_of(recordings_[i].paths);
            if (i == 0) info_.start = times.start;
            if (i == 0 && times.step_s > 0.0) info_.step_s = times.step_s;
            same_step = same_step && (times.step_s == 0.0 || times.step_s == info_.step_s);
            if (!times.breaks.empty()) {
                info_.breaks.resize(recordings_.size());
                info_.breaks[i] = times.breaks;
            }
            constexpr std::size_t kMostNotes = 20;
            if (times.note.empty() || info_.notes.size() >= kMostNotes) continue;
            const std::string& name = recordings_[i].name;
            info_.notes.push_back(name.empty() ? times.note : name + ": " + times.note);
        }
        if (!same_step) info_.notes.push_back("the names of the recordings have different time steps");
    }

    void check_others(const SourceOptions& options) const {
        const bool few = info_.files <= static_cast<std::int64_t>(kMostChecked);
        for (const FrameFiles& recording : recordings_) {
            const std::size_t count = few ? recording.paths.size() : 1;
            for (std::size_t i = 0; i < count; ++i) {
                load_fitting(recording.paths[i]);
                if (options.alive) options.alive();
            }
        }
    }

    ReaderLimits limits_;
    std::vector<FrameFiles> recordings_;
    ImageHeader first_;
    SourceInfo info_;
};

}  // namespace

std::unique_ptr<FrameReader> open_pictures(const SourceOptions& options, const std::vector<FrameFiles>& recordings) {
    return std::make_unique<PictureReader>(options, recordings);
}

}  // namespace nowcell

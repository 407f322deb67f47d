// Folders of HDF5 files: frames in the order of time, usually one a file.
#include "data/formats/calendar.h"
#include "data/formats/fingerprint.h"
#include "data/formats/formats.h"
#include "data/formats/hdf5_reader.h"
#include "data/formats/hdf5_time.h"
#include "data/formats/time_axis.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

// One file of a recording.
struct Part {
    std::string path;
    std::int64_t frames = 1;
    std::vector<double> times = {};  // seconds since 1970 of its frames; empty: unknown
    double span_s = 0.0;
};

class Hdf5Folder : public FrameReader {
 public:
    Hdf5Folder(const SourceOptions& options, const std::vector<FrameFiles>& recordings)
        : options_(options),
          files_(options.limits, [this](const Hdf5File& file, const std::string&) { return describe(file); }) {
        describe_first(recordings.front().paths.front());
        std::vector<std::string> paths;
        for (const FrameFiles& recording : recordings) {
            add(recording);
            paths.insert(paths.end(), recording.paths.begin(), recording.paths.end());
        }
        if (std::all_of(info_.breaks.begin(), info_.breaks.end(), [](const auto& b) { return b.empty(); })) {
            info_.breaks.clear();
        }
        if (info_.step_s <= 0.0) info_.step_s = options.step_s;
        info_.files = static_cast<std::int64_t>(paths.size());
        info_.fingerprint = fingerprint(paths);
    }

    const SourceInfo& info() const override { return info_; }

    std::int64_t read(std::int64_t recording, std::int64_t first, std::int64_t count, float* out) override {
        const std::int64_t frame = info_.channels * info_.height * info_.width;
        std::int64_t missing = 0;
        for (const Part& part : parts_[static_cast<std::size_t>(recording)]) {
            const std::int64_t here = std::min(count, part.frames - first);
            if (here > 0) {
                const Hdf5OpenFiles::Opened& opened = files_.open(part.path);
                missing += read_frames(opened.file, opened.frames, info_.dataset, 0, first, here, out, buffer_);
                out += here * frame;
                count -= here;
            }
            first = std::max<std::int64_t>(0, first - part.frames);
            if (count == 0) break;
        }
        return missing;
    }

 private:
    void describe_first(const std::string& path) {
        const Hdf5File file(path, cache_bytes(options_.limits, 16));
        info_.path = options_.path;
        info_.dataset = choose_dataset(file, options_, true);
        first_ = describe_dataset(file, options_.layout, info_, true);
        info_.format = is_netcdf(file, info_.dataset) ? "folder of NetCDF-4" : "folder of HDF5";
        info_.frames.clear();
        if (first_.layout.n < 0) return;
        throw Error(ExitCode::data,
                    fmt::format("{} in {} holds several recordings (layout {}); in a folder each file holds frames of "
                                "one",
                                info_.dataset, path, first_.layout.name),
                    "", "name one file: data.path = \"" + path + "\"");
    }

    // Scale and offset may differ from file to file; size, type and units may not.
    Hdf5Frames describe(const Hdf5File& file) const {
        const Hdf5Description data = file.describe(info_.dataset);
        check_alike(first_, data, file.path());
        Hdf5Frames frames = {first_.layout, hdf5_values(file, data, file.path()), data};
        if (frames.values.units == first_.values.units && frames.values.type == first_.values.type) return frames;
        throw Error(ExitCode::data, fmt::format("{} in {} is in '{}', expected '{}' as in the others", info_.dataset,
                                                file.path(), frames.values.units, first_.values.units));
    }

    Part describe_part(const std::string& path) {
        const Hdf5OpenFiles::Opened& opened = files_.open(path);
        const Hdf5Description& data = opened.frames.data;
        Part part{path};
        if (first_.layout.t >= 0) part.frames = data.shape[static_cast<std::size_t>(first_.layout.t)];
        part.times = frame_times(opened.file, time_axis_of(opened.file, info_.dataset, first_.layout), part.frames);
        const FileTime time = time_of_file(opened.file, info_.dataset);
        part.span_s = time.span_s;
        if (!part.times.empty() || part.frames != 1) return part;
        const double end_s = std::isnan(time.end_s) ? time_in_name(path) : time.end_s;
        if (!std::isnan(end_s)) part.times = {end_s};
        return part;
    }

    void add(const FrameFiles& recording) {
        std::vector<Part> parts;
        std::int64_t frames = 0;
        for (const std::string& path : recording.paths) {
            if (options_.alive) options_.alive();
            parts.push_back(describe_part(path));
            frames += parts.back().frames;
        }
        find_time(parts, recording.name);
        info_.frames.push_back(frames);
        parts_.push_back(std::move(parts));
    }

    void find_time(std::vector<Part>& parts, const std::string& name) {
        info_.breaks.emplace_back();
        const std::string where = name.empty() ? options_.path : name;
        const auto dated =
            std::count_if(parts.begin(), parts.end(), [](const Part& part) { return !part.times.empty(); });
        if (dated < static_cast<std::ptrdiff_t>(parts.size())) {
            info_.notes.push_back(
                fmt::format("{} of {} files of {} have a time, inside or in their names: the order is "
                            "that of the names, and gaps are not seen",
                            dated, parts.size(), where));
            return;
        }
        std::stable_sort(parts.begin(), parts.end(),
                         [](const Part& a, const Part& b) { return a.times.front() < b.times.front(); });
        std::vector<double> times;
        for (const Part& part : parts) times.insert(times.end(), part.times.begin(), part.times.end());
        const TimeAxis steps = find_steps(times);
        info_.breaks.back() = steps.breaks;
        if (steps.backwards) info_.notes.push_back(fmt::format("times of files in {} repeat", where));
        if (!info_.start.empty()) return;
        info_.start = to_string(date_of(times.front(), Calendar::standard));
        info_.step_s = steps.step_s;
        info_.units = units_over(info_.units, parts.front().span_s);
    }

    SourceOptions options_;
    SourceInfo info_;
    Hdf5Frames first_;
    Hdf5OpenFiles files_;
    std::vector<std::vector<Part>> parts_;  // of each recording, in the order of time
    std::vector<char> buffer_;
};

}  // namespace

std::unique_ptr<FrameReader> open_hdf5_files(const SourceOptions& options, const std::vector<FrameFiles>& recordings) {
    return std::make_unique<Hdf5Folder>(options, recordings);
}

}  // namespace nowcell

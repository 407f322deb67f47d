// One HDF5 or NetCDF-4 file: a dataset, or a pattern of datasets that are a recording each.
#include "data/formats/calendar.h"
#include "data/formats/file_kind.h"
#include "data/formats/fingerprint.h"
#include "data/formats/formats.h"
#include "data/formats/hdf5_reader.h"
#include "data/formats/hdf5_time.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nowcell {
namespace {

// A '*' stands for any text without a slash.
bool matches(const std::string& pattern, const std::string& name) {
    std::size_t p = 0, n = 0, star = std::string::npos, resume = 0;
    while (n < name.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++, resume = n;
        } else if (p < pattern.size() && pattern[p] == name[n]) {
            ++p, ++n;
        } else if (star != std::string::npos && name[resume] != '/') {
            p = star + 1, n = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

class Hdf5Reader : public FrameReader {
 public:
    explicit Hdf5Reader(const SourceOptions& options) : file_(options.path, cache_bytes(options.limits)) {
        info_.path = options.path;
        info_.dataset = choose_dataset(file_, options);
        if (info_.dataset.find('*') == std::string::npos) {
            frames_ = describe_dataset(file_, options.layout, info_);
            read_time(file_, time_axis_of(file_, info_.dataset, frames_.layout), info_);
            if (frames_.layout.t < 0) describe_single();
        } else {
            describe_matches(options);
        }
        info_.format = is_netcdf(file_, frames_.data.name) ? "NetCDF-4" : "HDF5";
        if (info_.step_s <= 0.0) info_.step_s = options.step_s;
        info_.fingerprint = fingerprint(options.path);
    }

    const SourceInfo& info() const override { return info_; }

    std::int64_t read(std::int64_t recording, std::int64_t first, std::int64_t count, float* out) override {
        if (recordings_.empty()) {
            return read_frames(file_, frames_, info_.dataset, recording, first, count, out, buffer_);
        }
        const std::string& dataset = recordings_[static_cast<std::size_t>(recording)];
        return read_frames(file_, frames_, dataset, 0, first, count, out, buffer_);
    }

 private:
    // A file of one frame, such as a radar writes.
    void describe_single() {
        const FileTime time = time_of_file(file_, info_.dataset);
        info_.units = units_over(info_.units, time.span_s);
        if (!info_.start.empty() || std::isnan(time.end_s)) return;
        info_.start = to_string(date_of(time.end_s, Calendar::standard));
    }

    std::vector<Hdf5Description> find_matches(const std::string& pattern) const {
        std::vector<Hdf5Description> all = file_.list();
        std::vector<Hdf5Description> out;
        for (Hdf5Description& data : all) {
            const bool fits = data.numeric && data.shape.size() >= 3 && data.shape.size() <= 4;
            if (fits && matches(pattern, data.name)) out.push_back(std::move(data));
        }
        if (out.empty()) {
            throw Error(ExitCode::data, fmt::format("no dataset of frames (numbers in 3 or 4 dimensions) in {} matches "
                                                    "'{}'; found: {}",
                                                    file_.path(), pattern, list_text(all)));
        }
        std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return natural_less(a.name, b.name); });
        return out;
    }

    void describe_matches(const SourceOptions& options) {
        const std::string pattern = info_.dataset;
        const std::vector<Hdf5Description> found = find_matches(pattern);
        info_.dataset = found.front().name;
        frames_ = describe_dataset(file_, options.layout, info_);
        info_.dataset = pattern;
        if (frames_.layout.n >= 0) {
            throw Error(ExitCode::data,
                        fmt::format("datasets that match '{}' hold several recordings each (layout {}), expected one",
                                    pattern, frames_.layout.name),
                        "", "data.layout = \"tchw\" or \"thwc\" where they have channels");
        }
        info_.frames.clear();
        std::size_t others = 0;
        for (const Hdf5Description& data : found) {
            if (!is_alike(frames_, data)) {
                ++others;
                continue;
            }
            recordings_.push_back(data.name);
            info_.frames.push_back(data.shape[static_cast<std::size_t>(frames_.layout.t)]);
        }
        if (others > 0) {
            info_.notes.push_back(
                fmt::format("{} of {} datasets that match '{}' are left out: their frames have another "
                            "size or type than those of {}",
                            others, found.size(), pattern, found.front().name));
        }
        read_time(file_, "", info_);
    }

    Hdf5File file_;
    SourceInfo info_;
    Hdf5Frames frames_;
    std::vector<std::string> recordings_;  // datasets of a pattern; empty: one dataset
    std::vector<char> buffer_;
};

}  // namespace

std::unique_ptr<FrameReader> open_hdf5(const SourceOptions& options) { return std::make_unique<Hdf5Reader>(options); }

}  // namespace nowcell

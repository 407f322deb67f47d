// SEVIR: HDF5 files of storm events, one image type each, and a catalogue beside them.
// Source: https://proceedings.neurips.cc/paper/2020/hash/fa78a16157fed00d7a80515818432169-Abstract.html
#include "data/formats/fingerprint.h"
#include "data/formats/formats.h"
#include "data/formats/hdf5_reader.h"
#include "data/formats/sevir_catalogue.h"
#include "src/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

constexpr double kStep_s = 300.0;

// Stored numbers of an image type, which its files do not describe.
struct ImageType {
    double scale;
    double fill;
    std::string units;
};

const std::map<std::string, ImageType>& image_types() {
    static const std::map<std::string, ImageType> known = {{"vil", {1.0, 255, "1"}},
                                                           {"ir069", {0.01, -32768, "degC"}},
                                                           {"ir107", {0.01, -32768, "degC"}},
                                                           {"vis", {1e-4, -32768, "1"}}};
    return known;
}

std::string read_catalogue(const std::string& path) {
    constexpr std::uintmax_t kMost = 128 << 20;
    if (fs::file_size(path) > kMost)
        throw Error(ExitCode::data, path + " is larger than 128 MiB: no catalogue of SEVIR");
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The events of the asked image type, or of the only one that there is.
std::string choose_type(const std::vector<SevirEvent>& events, const SourceOptions& options, const std::string& path) {
    std::set<std::string> found;
    for (const SevirEvent& event : events) found.insert(event.image_type);
    std::string type = options.dataset;
    if (!type.empty() && type.front() == '/') type.erase(0, 1);
    if (type == "lght") {
        throw Error(ExitCode::data,
                    fmt::format("{}: 'lght' is a list of lightning strokes for each event, no frames", path), "",
                    "grid the strokes into frames first, or take vil, ir069, ir107 or vis");
    }
    found.erase("lght");
    if (type.empty() && found.size() == 1) type = *found.begin();
    if (image_types().count(type) > 0 && found.count(type) > 0) return type;
    const std::string first = found.empty() ? "vil" : *found.begin();
    throw Error(ExitCode::data,
                type.empty() ? fmt::format("{} has several image types: {}", path, fmt::join(found, ", "))
                             : fmt::format("no image type '{}' in {}; found: {}", type, path, fmt::join(found, ", ")),
                "", fmt::format("--dataset {0}, or --set data.dataset={0} in training", first));
}

class Sevir : public FrameReader {
 public:
    Sevir(const SourceOptions& options, const std::string& catalogue)
        : options_(options),
          folder_(fs::path(catalogue).parent_path()),
          files_(options.limits, [this](const Hdf5File& file, const std::string&) { return describe(file); }) {
        std::vector<SevirEvent> all = parse_sevir_catalogue(read_catalogue(catalogue), catalogue);
        type_ = choose_type(all, options, catalogue);
        info_.path = options.path;
        info_.dataset = "/" + type_;
        info_.format = "SEVIR";
        choose_events(std::move(all));
        find_files(catalogue);
        info_.step_s = kStep_s;
        info_.start = events_.front().time_utc;
        info_.fingerprint = fingerprint_of(catalogue);
    }

    const SourceInfo& info() const override { return info_; }

    std::int64_t read(std::int64_t recording, std::int64_t first, std::int64_t count, float* out) override {
        const SevirEvent& event = events_[static_cast<std::size_t>(recording)];
        const Hdf5OpenFiles::Opened& opened = files_.open(event.file_name);
        return read_frames(opened.file, opened.frames, info_.dataset, event.index, first, count, out, buffer_);
    }

 private:
    // In the order of time, so that parts by fractions are parts of time; an id twice is one event.
    void choose_events(std::vector<SevirEvent> all) {
        std::set<std::string> ids;
        std::int64_t twice = 0;
        std::int64_t incomplete = 0;
        for (SevirEvent& event : all) {
            if (event.image_type != type_) continue;
            if (!event.id.empty() && !ids.insert(event.id).second) {
                ++twice;
                continue;
            }
            incomplete += event.missing > 0 ? 1 : 0;
            events_.push_back(std::move(event));
        }
        std::stable_sort(events_.begin(), events_.end(),
                         [](const SevirEvent& a, const SevirEvent& b) { return a.time_utc < b.time_utc; });
        if (twice > 0) info_.notes.push_back(fmt::format("{} rows repeat the id of an event and are dropped", twice));
        if (incomplete > 0)
            info_.notes.push_back(fmt::format("{} events have missing values (pct_missing)", incomplete));
    }

    // A file below the catalogue's folder; SEVIR's own archive has them in data/, and people move them about.
    std::string locate(const std::string& name) const {
        std::error_code ignored;
        for (std::string rest = name; !rest.empty();) {
            for (const fs::path& path : {folder_ / rest, folder_ / "data" / rest}) {
                if (fs::is_regular_file(path, ignored)) return path.string();
            }
            const std::size_t slash = rest.find('/');
            rest = slash == std::string::npos ? "" : rest.substr(slash + 1);
        }
        return "";
    }

    // Puts full paths into the events and leaves out those whose files are not there; half of SEVIR is still of use.
    void find_files(const std::string& catalogue) {
        std::map<std::string, std::string> paths;
        for (const SevirEvent& event : events_) paths.try_emplace(event.file_name);
        std::string absent;
        for (auto& [name, path] : paths) {
            path = locate(name);
            if (path.empty() && absent.empty()) absent = name;
        }
        const std::size_t listed = events_.size();
        events_.erase(std::remove_if(events_.begin(), events_.end(),
                                     [&](const SevirEvent& event) { return paths[event.file_name].empty(); }),
                      events_.end());
        if (events_.empty()) {
            throw Error(ExitCode::data,
                        fmt::format("none of the files that {} names for '{}' is there: {}", catalogue, type_, absent));
        }
        if (events_.size() < listed) {
            info_.notes.push_back(fmt::format("{} of {} events are left out, their files are not there: {}, ...",
                                              listed - events_.size(), listed, absent));
        }
        for (SevirEvent& event : events_) event.file_name = paths[event.file_name];
        check_files(catalogue);
    }

    void check_files(const std::string& catalogue) {
        std::map<std::string, std::int64_t> sizes;
        for (const SevirEvent& event : events_) {
            auto [size, added] = sizes.try_emplace(event.file_name);
            if (added) size->second = events_in(event.file_name);
            if (event.index < size->second) continue;
            throw Error(ExitCode::data, fmt::format("{}: line {}: file_index {}, but {} holds {} events", catalogue,
                                                    event.line, event.index, event.file_name, size->second));
        }
        info_.files = static_cast<std::int64_t>(sizes.size());
        info_.frames.assign(events_.size(), info_.frames.front());
    }

    std::int64_t events_in(const std::string& path) {
        if (options_.alive) options_.alive();
        return files_.open(path).frames.data.shape[static_cast<std::size_t>(first_.layout.n)];
    }

    Hdf5Frames describe(const Hdf5File& file) {
        const bool is_first = first_.data.name.empty();
        if (is_first) describe_first(file);
        Hdf5Frames frames = first_;
        frames.data = file.describe(info_.dataset);
        check_alike(first_, frames.data, file.path());
        const bool same_length = frames.data.shape[static_cast<std::size_t>(first_.layout.t)] == info_.frames.front();
        if (same_length) return frames;
        throw Error(ExitCode::data,
                    fmt::format("{} in {} has the shape {}, expected {} frames for each event", info_.dataset,
                                file.path(), shape_text(frames.data.shape), info_.frames.front()));
    }

    void describe_first(const Hdf5File& file) {
        first_ = describe_dataset(file, options_.layout == "auto" ? "nhwt" : options_.layout, info_);
        if (first_.layout.n < 0 || first_.layout.t < 0) {
            throw Error(
                ExitCode::usage,
                fmt::format("data.layout: got '{}', expected n and t among the letters for SEVIR", first_.layout.name));
        }
        const ImageType& type = image_types().at(type_);
        if (first_.values.packing.scale == 1.0) first_.values.packing.scale = type.scale;
        first_.values.packing.fills.push_back(type.fill);
        if (first_.values.units == "1") first_.values.units = type.units;
        describe_values(first_.values, first_.data, info_);
    }

    std::string fingerprint_of(const std::string& catalogue) const {
        std::vector<std::string> paths = {catalogue};
        for (const SevirEvent& event : events_) paths.push_back(event.file_name);
        std::sort(paths.begin() + 1, paths.end());
        paths.erase(std::unique(paths.begin() + 1, paths.end()), paths.end());
        return fingerprint(paths);
    }

    SourceOptions options_;
    fs::path folder_;
    std::string type_;
    SourceInfo info_;
    Hdf5Frames first_;
    Hdf5OpenFiles files_;
    std::vector<SevirEvent> events_;  // file_name: the full path
    std::vector<char> buffer_;
};

}  // namespace

std::unique_ptr<FrameReader> open_sevir(const SourceOptions& options, const std::string& catalogue) {
    return std::make_unique<Sevir>(options, catalogue);
}

}  // namespace nowcell

#include "data/formats/file_kind.h"
#include "data/formats/formats.h"
#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& path, const std::string& why, const std::string& hint = "") {
    throw Error(ExitCode::data, fmt::format("cannot open {}: {}", path, why), "", hint);
}

// Frames cut to rows and columns.
class CroppedReader : public FrameReader {
 public:
    CroppedReader(std::unique_ptr<FrameReader> whole, const SourceOptions& options)
        : whole_(std::move(whole)), info_(whole_->info()) {
        cut("data.rows", options.rows, info_.height, info_.first_row);
        cut("data.columns", options.columns, info_.width, info_.first_column);
    }

    const SourceInfo& info() const override { return info_; }

    std::int64_t read(std::int64_t recording, std::int64_t first, std::int64_t count, float* out) override {
        const SourceInfo& from = whole_->info();
        const std::int64_t plane = from.height * from.width;
        buffer_.resize(static_cast<std::size_t>(from.channels * plane));
        std::int64_t missing = 0;
        for (std::int64_t t = 0; t < count; ++t) {
            if (whole_->read(recording, first + t, 1, buffer_.data()) > 0) missing = -1;
            for (std::int64_t c = 0; c < info_.channels; ++c) {
                for (std::int64_t y = 0; y < info_.height; ++y, out += info_.width) {
                    const float* row =
                        buffer_.data() + c * plane + (info_.first_row + y) * from.width + info_.first_column;
                    std::copy(row, row + info_.width, out);
                }
            }
        }
        if (missing == 0) return 0;
        const float* begin = out - count * info_.channels * info_.height * info_.width;
        return std::count_if(begin, static_cast<const float*>(out), [](float value) { return value != value; });
    }

 private:
    void cut(const char* key, const std::vector<std::int64_t>& range, std::int64_t& size, std::int64_t& first) const {
        if (range.empty()) return;
        if (range.size() != 2 || range[0] < 0 || range[1] <= range[0] || range[1] > size) {
            throw Error(ExitCode::usage, fmt::format("{} is [{}], expected [begin, end) within 0 to {} of {}", key,
                                                     fmt::join(range, ", "), size, info_.path));
        }
        first = range[0];
        size = range[1] - range[0];
    }

    std::unique_ptr<FrameReader> whole_;
    SourceInfo info_;
    std::vector<float> buffer_;
};

void check_file(const std::string& path) {
    std::error_code ignored;
    if (path.empty()) throw Error(ExitCode::usage, "no data file is named", "", "--set data.path=FILE");
    if (!fs::exists(path, ignored)) fail(path, "no such file", similar_file(path));
    if (fs::is_directory(path, ignored)) return;
    if (!fs::is_regular_file(path, ignored)) fail(path, "not a regular file");
    if (!std::ifstream(path)) fail(path, std::strerror(errno));
    if (fs::file_size(path, ignored) == 0) fail(path, "the file is empty");
}

std::unique_ptr<FrameReader> open_file(const SourceOptions& options) {
    const FileKind kind = kind_of(options.path);
    switch (kind) {
        case FileKind::hdf5: return open_hdf5(options);
        case FileKind::npy: return open_npy(options);
        case FileKind::zip: return open_npz(options);
        case FileKind::idx: return open_idx(options);
        case FileKind::gif: return open_animation(options);
        case FileKind::video: return open_video(options);
        case FileKind::catalogue: return open_sevir(options, options.path);
        case FileKind::other: refuse_kind(options.path);
        default: return open_pictures(options, {{"", {options.path}}});
    }
}

// The files of the kind that most of the folder's frames have; text beside them is passed over.
struct Frames {
    FileKind kind = FileKind::other;
    std::vector<FrameFiles> recordings;
};

Frames frames_in(const std::string& folder) {
    std::map<FileKind, std::vector<FrameFiles>> found;
    const auto add = [&](const std::string& name, const std::vector<std::string>& paths) {
        std::map<FileKind, FrameFiles> here;
        for (const std::string& path : paths) here[kind_of(path)].paths.push_back(path);
        for (auto& [kind, files] : here) {
            files.name = name;
            if (is_picture(kind) || kind == FileKind::hdf5) found[kind].push_back(std::move(files));
        }
    };
    add("", files_in(folder));
    if (found.empty()) {
        for (const std::string& inner : folders_in(folder)) {
            add(fs::path(inner).filename().string(), files_in(inner));
        }
    }
    Frames most;
    std::size_t count = 0;
    for (auto& [kind, recordings] : found) {
        std::size_t files = 0;
        for (const FrameFiles& recording : recordings) files += recording.paths.size();
        if (files > count) most = {kind, recordings}, count = files;
    }
    return most;
}

std::unique_ptr<FrameReader> open_folder(const SourceOptions& options) {
    for (const std::string& path : files_in(options.path)) {
        if (kind_of(path) == FileKind::catalogue) return open_sevir(options, path);
    }
    const Frames frames = frames_in(options.path);
    if (frames.kind == FileKind::hdf5) return open_hdf5_files(options, frames.recordings);
    if (frames.kind != FileKind::other) return open_pictures(options, frames.recordings);
    const std::vector<std::string> files = files_in(options.path);
    if (files.size() == 1) {
        SourceOptions one = options;
        one.path = files.front();
        return open_file(one);
    }
    fail(options.path, "the folder holds no frames",
         "expected PNG, JPEG, TIFF, PGM or HDF5 files of one frame each, or folders of such files");
}

}  // namespace

std::unique_ptr<FrameReader> open_frames(const SourceOptions& options) {
    check_file(options.path);
    std::error_code ignored;
    auto reader = fs::is_directory(options.path, ignored) ? open_folder(options) : open_file(options);
    if (options.rows.empty() && options.columns.empty()) return reader;
    return std::make_unique<CroppedReader>(std::move(reader), options);
}

}  // namespace nowcell

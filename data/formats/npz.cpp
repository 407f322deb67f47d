#include "data/formats/array_reader.h"
#include "data/formats/checked.h"
#include "data/formats/clips_reader.h"
#include "data/formats/formats.h"
#include "data/formats/npy_header.h"
#include "data/formats/zip_archive.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace nowcell {
namespace {

struct Array {
    ZipMember member;
    NpyHeader header;
    std::string refused;  // why its header is not read
};

std::vector<Array> arrays_of(ZipArchive& archive, const SourceOptions& options) {
    std::vector<Array> out;
    for (const ZipMember& member : archive.members()) {
        const std::size_t end = member.name.rfind(".npy");
        if (end == std::string::npos || end + 4 != member.name.size()) continue;
        Array array{member, {}, {}};
        array.member.name.resize(end);
        try {
            const std::vector<char> start = archive.start_of(member, kMostNpyHeader);
            array.header = parse_npy_header(start, member.size, options.path + ":" + array.member.name);
        } catch (const Error& error) {
            array.refused = error.problems().front().what;
        }
        out.push_back(std::move(array));
    }
    return out;
}

std::string listed(const std::vector<Array>& arrays) {
    constexpr std::size_t kMost = 20;
    std::vector<std::string> out;
    for (const Array& array : arrays) {
        if (out.size() == kMost) {
            out.push_back(fmt::format("and {} more", arrays.size() - kMost));
            break;
        }
        const bool read = array.refused.empty();
        const std::string what = read ? array.header.type + " " + shape_text(array.header.array.shape) : "not read";
        out.push_back(array.member.name + " " + what);
    }
    return fmt::format("{}", fmt::join(out, ", "));
}

const Array* find_array(const std::vector<Array>& arrays, const std::string& name) {
    const auto found = std::find_if(arrays.begin(), arrays.end(), [&](const Array& array) {
        return array.member.name == name || array.member.name + ".npy" == name;
    });
    return found == arrays.end() ? nullptr : &*found;
}

const Array& only_frames(const std::vector<Array>& arrays, const std::string& path) {
    std::vector<const Array*> fitting;
    for (const Array& array : arrays) {
        const std::size_t rank = array.header.array.shape.size();
        if (array.refused.empty() && rank >= 3 && rank <= 5) fitting.push_back(&array);
    }
    if (fitting.size() == 1) return *fitting.front();
    if (arrays.size() == 1 && !arrays.front().refused.empty()) throw Error(ExitCode::data, arrays.front().refused);
    const std::string hint = fitting.empty() ? "" : fmt::format("--dataset {}", fitting.front()->member.name);
    refuse(path,
           fmt::format("{} of its arrays may be frames, expected one: {}", fitting.empty() ? "none" : "several",
                       listed(arrays)),
           hint);
}

const Array& chosen(const std::vector<Array>& arrays, const SourceOptions& options) {
    if (options.dataset.empty()) return only_frames(arrays, options.path);
    const Array* array = find_array(arrays, options.dataset);
    if (array == nullptr) {
        std::vector<std::string> names;
        for (const Array& other : arrays) names.push_back(other.member.name);
        refuse(options.path, fmt::format("no array '{}'; it holds {}", options.dataset, listed(arrays)),
               did_you_mean(options.dataset, names));
    }
    if (!array->refused.empty()) throw Error(ExitCode::data, array->refused);
    return *array;
}

std::unique_ptr<ArrayReader> read_array(ZipArchive& archive, const Array& array, const SourceOptions& options) {
    SourceInfo info;
    info.path = options.path;
    info.dataset = array.member.name;
    info.format = "NumPy archive";
    info.stored_type = array.header.type;
    info.filters = array.member.stored ? "none" : "deflate";
    if (!array.member.stored) {
        info.notes.push_back(fmt::format(
            "{} is compressed as one piece and is held in memory while it is read, {} bytes; numpy.savez without "
            "compression or nowcell data convert make a file that is read in place",
            array.member.name, array.member.size));
    }
    return std::make_unique<ArrayReader>(archive.open(array.member), array.header.array, options, std::move(info));
}

// Moving MNIST in the files of PredRNN: pairs of clips, each (start, length), of one long row of frames.
std::unique_ptr<FrameReader> open_clips(ZipArchive& archive, const std::vector<Array>& arrays,
                                        const SourceOptions& options) {
    const Array* clips = find_array(arrays, "clips");
    const Array* frames = find_array(arrays, "input_raw_data");
    if (clips == nullptr || frames == nullptr || !clips->refused.empty() || !frames->refused.empty()) return nullptr;
    const auto& shape = clips->header.array.shape;
    if (shape.size() != 3 || shape[0] != 2 || shape[1] < 1 || shape[2] != 2 || clips->header.array.fortran)
        return nullptr;
    if (frames->header.array.shape.size() != 4 || options.layout != "auto") return nullptr;
    const std::vector<Clip> joined = join_clips(*archive.open(clips->member), clips->header.array, options.path);
    SourceOptions one = options;
    one.layout = "tchw";
    return read_clips(read_array(archive, *frames, one), joined);
}

}  // namespace

std::unique_ptr<FrameReader> open_npz(const SourceOptions& options) {
    ZipArchive archive(options.path, options.limits.memory / 2, options.alive);
    const std::vector<Array> arrays = arrays_of(archive, options);
    if (arrays.empty()) {
        refuse(options.path, "a ZIP archive without NumPy arrays", "unpack it, and name a file or folder of frames");
    }
    if (options.dataset.empty() || options.dataset == "input_raw_data") {
        if (auto clips = open_clips(archive, arrays, options)) return clips;
    }
    return read_array(archive, chosen(arrays, options), options);
}

}  // namespace nowcell

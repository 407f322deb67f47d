#include "predict/forecast_outputs.h"

#include "data/write/npy_stream.h"
#include "predict/pictures/pictures.h"
#include "predict/value_pictures.h"
#include "src/error.h"
#include "src/files.h"
#include "src/log.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

// In the order that they are written and listed in.
const std::vector<std::pair<std::string, std::string>> kFormats = {{"h5", "forecast.h5"},   {"npy", "forecast.npy"},
                                                                   {"png", "png"},          {"strip", "strip.png"},
                                                                   {"gif", "forecast.gif"}, {"mp4", "forecast.mp4"}};

std::string name_of(const std::string& format) {
    const auto found =
        std::find_if(kFormats.begin(), kFormats.end(), [&](const auto& known) { return known.first == format; });
    return found->second;
}

// Lead times of one recording that are kept for pictures.
std::int64_t pictured_leads(const ForecastShape& shape) {
    constexpr std::int64_t kBytes = 64 << 20;
    constexpr std::int64_t kFewest = 12;
    constexpr std::int64_t kMost = 1000;
    const std::int64_t frame = shape.channels * shape.height * shape.width * std::int64_t{sizeof(float)};
    return std::min(shape.horizon, std::clamp(kBytes / std::max<std::int64_t>(1, frame), kFewest, kMost));
}

class Outputs {
 public:
    Outputs(const ForecastRun& run, const Normalizer& normalizer, const SourceInfo& info, const OutputOptions& options)
        : run_(run), info_(info), options_(options), shape_(run.shape()), folder_(options.folder) {
        if (wanted("png")) {
            pictures_ = std::make_unique<ValuePictures>(options.folder + "/" + name_of("png"), shape_.recordings,
                                                        pixel_scale(info, normalizer), info.units);
        }
    }

    void write(const ForecastRecord& record, const std::function<void()>& use) {
        in_hdf5(record, [&] {
            in_npy([&] {
                run_.make([&](std::int64_t first, std::int64_t lead, const torch::Tensor& frames) {
                    take(first, lead, frames);
                    if (use) use();
                });
            });
        });
        if (draws()) draw();
        if (pictures_) pictures_->commit();
        folder_.commit();
    }

 private:
    bool wanted(const std::string& format) const {
        return std::find(options_.formats.begin(), options_.formats.end(), format) != options_.formats.end();
    }

    bool draws() const { return wanted("strip") || wanted("gif") || wanted("mp4"); }

    void in_hdf5(const ForecastRecord& record, const std::function<void()>& work) {
        if (!wanted("h5")) return work();
        stream_hdf5(folder_.add(name_of("h5")), [&](Hdf5Stream& stream) {
            ForecastWriter writer(stream, shape_, record);
            hdf5_ = &writer;
            work();
            writer.close();
        });
    }

    void in_npy(const std::function<void()>& work) {
        if (!wanted("npy")) return work();
        stream_npy(folder_.add(name_of("npy")), torch::kFloat32, stored_shape(shape_), [&](NpyStream& stream) {
            npy_ = &stream;
            work();
        });
    }

    void take(std::int64_t first, std::int64_t lead, const torch::Tensor& frames) {
        if (hdf5_ != nullptr) hdf5_->write(first, lead, frames);
        const std::int64_t values = shape_.channels * shape_.height * shape_.width;
        for (std::int64_t i = 0; i < frames.size(0); ++i) {
            const std::int64_t at = ((first + i) * shape_.horizon + lead) * values;
            if (npy_ != nullptr) npy_->put(at, stored_frames(frames.narrow(0, i, 1)));
            if (pictures_)
                pictures_->add(run_.origins()[static_cast<std::size_t>(first + i)].recording, lead, frames[i]);
        }
        const std::int64_t rest = pictured_leads(shape_) - lead;
        if (draws() && first == 0 && rest > 0)
            pictured_.push_back(frames[0].narrow(0, 0, std::min(rest, frames.size(1))).clone());
    }

    void draw() {
        const torch::Tensor frames = at::cat(pictured_);
        if (frames.size(0) < shape_.horizon) {
            log_info(fmt::format("pictures show the first {} of {} lead times", frames.size(0), shape_.horizon));
        }
        const Origin& first = run_.origins().front();
        const std::string title =
            info_.frames.size() > 1 ? fmt::format("recording {}", first.recording) : std::string();
        const Forecast picture =
            drawable({run_.input_of(first), frames, run_.truth_of(first, frames.size(0)), title, run_.step_s()});
        const ColourScale scale = colour_scale(picture, info_.units);
        if (wanted("strip")) write_strip(folder_.add(name_of("strip")), picture, scale);
        if (wanted("gif")) write_gif(folder_.add(name_of("gif")), picture, scale);
        if (wanted("mp4")) write_mp4(folder_.add(name_of("mp4")), picture, scale);
    }

    const ForecastRun& run_;
    const SourceInfo& info_;
    const OutputOptions& options_;
    ForecastShape shape_;
    OutputFolder folder_;
    std::unique_ptr<ValuePictures> pictures_;
    ForecastWriter* hdf5_ = nullptr;
    NpyStream* npy_ = nullptr;
    std::vector<torch::Tensor> pictured_;  // of the first recording, (n,C,H,W)
};

}  // namespace

std::vector<std::string> formats_from(const std::vector<std::string>& words) {
    std::vector<std::string> known;
    for (const auto& format : kFormats) known.push_back(format.first);
    for (const std::string& word : words) {
        if (std::find(known.begin(), known.end(), word) != known.end()) continue;
        throw Error(ExitCode::usage, fmt::format("--as: got '{}', expected some of {}", word, fmt::join(known, ", ")),
                    "", did_you_mean(word, known));
    }
    const auto missing = [&](const std::string& format) {
        return std::find(words.begin(), words.end(), format) == words.end();
    };
    known.erase(std::remove_if(known.begin(), known.end(), missing), known.end());
    return known;
}

void check_outputs(const OutputOptions& options) {
    for (const std::string& format : options.formats) {
        const std::string path = options.folder + "/" + name_of(format);
        std::error_code ignored;
        if (format != "png") {
            check_writable(path, options.force);
            continue;
        }
        check_folder_writable(path);
        if (!options.force && fs::exists(path, ignored) && !fs::is_empty(path, ignored)) {
            throw Error(ExitCode::output, fmt::format("{} exists and is not empty", path), "",
                        "choose another name, or add --force to replace what it holds");
        }
    }
}

std::vector<std::string> output_paths(const OutputOptions& options) {
    std::vector<std::string> all;
    for (const std::string& format : options.formats) all.push_back(options.folder + "/" + name_of(format));
    return all;
}

bool outputs_exist(const OutputOptions& options) {
    const std::vector<std::string> paths = output_paths(options);
    return std::all_of(paths.begin(), paths.end(), [](const std::string& path) {
        std::error_code ignored;
        return fs::exists(path, ignored);
    });
}

std::vector<std::string> write_outputs(const ForecastRun& run, const Normalizer& normalizer, const SourceInfo& info,
                                       const ForecastRecord& record, const OutputOptions& options,
                                       const std::function<void()>& use) {
    Outputs outputs(run, normalizer, info, options);
    outputs.write(record, use);
    return output_paths(options);
}

}  // namespace nowcell

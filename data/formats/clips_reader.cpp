#include "data/formats/clips_reader.h"

#include "data/formats/checked.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace nowcell {
namespace {

constexpr std::int64_t kMostClips = 1 << 20;

class ClipsReader : public FrameReader {
 public:
    ClipsReader(std::unique_ptr<FrameReader> row, std::vector<Clip> clips)
        : row_(std::move(row)), clips_(std::move(clips)), info_(row_->info()) {
        const std::int64_t frames = info_.frames.front();
        info_.frames.clear();
        for (const Clip& clip : clips_) {
            if (clip.first < 0 || clip.count < 1 || clip.count > frames || clip.first > frames - clip.count) {
                refuse(info_.path, fmt::format("a clip of {} frames from frame {}, expected within 0 to {}", clip.count,
                                               clip.first, frames));
            }
            info_.frames.push_back(clip.count);
        }
        info_.notes.push_back("Moving MNIST with an index of clips: input and output of a sample are one recording");
    }

    const SourceInfo& info() const override { return info_; }

    std::int64_t read(std::int64_t recording, std::int64_t first, std::int64_t count, float* out) override {
        return row_->read(0, clips_[static_cast<std::size_t>(recording)].first + first, count, out);
    }

 private:
    std::unique_ptr<FrameReader> row_;
    std::vector<Clip> clips_;
    SourceInfo info_;
};

}  // namespace

std::vector<Clip> join_clips(Bytes& bytes, const ArrayInFile& index, const std::string& path) {
    const std::int64_t count = index.shape[1];
    if (count > kMostClips) refuse(path, fmt::format("{} clips, expected at most {}", count, kMostClips));
    const auto item = static_cast<std::int64_t>(size_of(index.type));
    std::vector<char> stored(static_cast<std::size_t>(4 * count * item));
    bytes.read(index.position, static_cast<std::int64_t>(stored.size()), stored.data());
    std::vector<float> numbers(static_cast<std::size_t>(4 * count));  // exact up to 2^24 frames
    decode({stored.data(), index.type, index.swapped, {1, 1, 1, 4 * count}, {0, 0, 0, item}}, {}, numbers.data());
    const auto number = [&](std::int64_t i) {
        const float value = numbers[static_cast<std::size_t>(i)];
        if (!(value >= 0.0F && value < 16777216.0F)) refuse(path, "a clip outside of its frames");
        return static_cast<std::int64_t>(value);
    };
    std::vector<Clip> out;
    for (std::int64_t i = 0; i < count; ++i) {
        const Clip input{number(2 * i), number(2 * i + 1)};
        const Clip output{number(2 * (count + i)), number(2 * (count + i) + 1)};
        if (output.first != input.first + input.count) {
            refuse(path, fmt::format("the output of clip {} begins at frame {}, expected {}, where its input ends", i,
                                     output.first, input.first + input.count));
        }
        out.push_back({input.first, input.count + output.count});
    }
    return out;
}

std::unique_ptr<FrameReader> read_clips(std::unique_ptr<FrameReader> row, const std::vector<Clip>& clips) {
    return std::make_unique<ClipsReader>(std::move(row), clips);
}

}  // namespace nowcell

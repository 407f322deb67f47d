// Where a stream's frames come from: files in a folder, or standard input.
#pragma once

#include "predict/stream/npy_pipe.h"
#include "predict/stream/stream.h"
#include "predict/stream/watched_folder.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// A frame, or what is in its place.
struct Offer {
    std::string source;      ///< path of its file, or "standard input"
    std::int64_t index = 0;  ///< in its file
    bool whole = true;       ///< the file, if it is one, has no further frames
    std::optional<FrameTime> time = {};
    std::string time_text = {};  ///< "2026-01-01T12:05:00", "17", or ""
    bool after_jump = false;     ///< see Stream::observe
    torch::Tensor values = {};   ///< as Stream::observe takes them; undefined with a refusal
    std::optional<Refusal> refusal = {};
};

class FrameFeed {
 public:
    virtual ~FrameFeed() = default;

    /// Waits at most so long for a frame, or its beginning; less when a signal comes.
    virtual void wait(double seconds) = 0;
    /// The next frame, if one is there whole. Throws Error(data) when no further frame can be read.
    virtual std::optional<Offer> next() = 0;
    /// Whether another frame has come, in part at least.
    virtual bool waiting() = 0;
    /// Whether none will come any more.
    virtual bool ended() const = 0;
};

/// Files of one frame or several, in any format that is read. source: how; its path does not matter.
class FolderFeed final : public FrameFeed {
 public:
    /// stream and folder outlive it.
    FolderFeed(WatchedFolder& folder, const Stream& stream, SourceOptions source, std::int64_t channels, double step_s);

    void wait(double seconds) override;
    std::optional<Offer> next() override;
    bool waiting() override { return frames_ != nullptr || folder_.waiting(); }
    bool ended() const override { return false; }

    /// Leaves out the first frames of the next file: they were taken before.
    void skip(std::int64_t frames) { skip_ = frames; }
    /// The name of the file that the last offer is from.
    const std::string& name() const { return name_; }

 private:
    std::unique_ptr<FrameSource> open(const std::string& path);
    bool nothing_left() const;
    Offer described(std::int64_t index) const;
    Offer read();

    WatchedFolder& folder_;
    const Stream& stream_;
    std::vector<SourceOptions> ways_;  // to read a file, the one that fitted last in front
    std::int64_t channels_;
    double step_s_;
    std::string name_;
    std::unique_ptr<FrameSource> frames_;
    std::int64_t index_ = 0;
    std::int64_t skip_ = 0;
};

class PipeFeed final : public FrameFeed {
 public:
    PipeFeed(int descriptor, const Stream& stream) : pipe_(descriptor), stream_(stream) {}

    void wait(double seconds) override { pipe_.wait(seconds); }
    std::optional<Offer> next() override;
    bool waiting() override { return pipe_.waiting(); }
    bool ended() const override { return pipe_.ended(); }

 private:
    NpyPipe pipe_;
    const Stream& stream_;
};

}  // namespace nowcell

#include "data/formats/frame_reader.h"
#include "data/reader/frame_fetcher.h"
#include "data/reader/shared_memory.h"

#include <mutex>

namespace nowcell {
namespace {

class Direct : public FrameFetcher {
 public:
    explicit Direct(const SourceOptions& options) : reader_(open_frames(options)), memory_(SharedMemory::create()) {}

    const SourceInfo& info() const override { return reader_->info(); }

    Fetched fetch(const std::vector<FrameRange>& ranges) override {
        const std::int64_t frame = info().channels * info().height * info().width;
        std::int64_t values = 0;
        for (const FrameRange& range : ranges) values += range.count * frame;
        // Blocks that come back: fresh memory of this size would page-fault on every call.
        const auto block = memory_->take(static_cast<std::size_t>(values) * sizeof(float));
        auto* out = reinterpret_cast<float*>(block->data);
        Fetched fetched{{block, out}, 0};
        const std::lock_guard<std::mutex> guard(mutex_);
        for (const FrameRange& range : ranges) {
            fetched.missing += reader_->read(range.recording, range.first, range.count, out);
            out += range.count * frame;
        }
        return fetched;
    }

 private:
    std::unique_ptr<FrameReader> reader_;
    std::shared_ptr<SharedMemory> memory_;
    std::mutex mutex_;
};

}  // namespace

std::unique_ptr<FrameFetcher> open_direct(const SourceOptions& options) { return std::make_unique<Direct>(options); }

}  // namespace nowcell

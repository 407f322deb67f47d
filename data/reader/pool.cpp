#include "data/reader/frame_fetcher.h"
#include "data/reader/process.h"
#include "data/reader/shared_memory.h"
#include "src/error.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>

namespace nowcell {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kLargestPiece = 16 << 20;  // bytes of one answer: far from the time limit on any disk
constexpr std::int64_t kLeastPiece = 256 << 10;   // less is not worth a message
constexpr std::int64_t kPiecesPerReader = 4;      // so that a slow piece does not leave the others idle

// Requests that go to a reader in one message.
using Piece = std::vector<ReadRequest>;

std::string bytes_of(const Piece& piece) {
    return {reinterpret_cast<const char*>(piece.data()), piece.size() * sizeof(ReadRequest)};
}

std::int64_t frame_bytes(const SourceInfo& info) {
    return info.channels * info.height * info.width * static_cast<std::int64_t>(sizeof(float));
}

// Numbers from a process that may have been taken over: they must be sane before memory is asked for by them.
void check(const SourceInfo& info, const SourceOptions& options) {
    constexpr std::int64_t kLargestSide = std::int64_t{1} << 31;
    std::int64_t bytes = sizeof(float);
    bool sane = !info.frames.empty();
    for (const std::int64_t side : {info.channels, info.height, info.width}) {
        sane = sane && side >= 1 && side <= kLargestSide && !__builtin_mul_overflow(bytes, side, &bytes);
    }
    for (const std::int64_t frames : info.frames) sane = sane && frames >= 0;
    if (!sane) throw Error(ExitCode::data, fmt::format("cannot open {}: its reader tells of no frames", options.path));
    if (bytes <= options.limits.memory) return;
    throw Error(
        ExitCode::data,
        fmt::format("a frame of {} is {} x {} x {} and takes {:.3g} GiB, more than data.limits.memory = {:.3g} GiB",
                    options.path, info.channels, info.height, info.width, static_cast<double>(bytes) / 0x1p30,
                    static_cast<double>(options.limits.memory) / 0x1p30),
        "", "cut it by data.rows and data.columns, or raise data.limits.memory");
}

class Readers : public FrameFetcher {
 public:
    explicit Readers(SourceOptions options)
        : options_(std::move(options)),
          memory_(SharedMemory::create()),
          readers_(static_cast<std::size_t>(reader_count(options_))) {
        start(0);
        while (readers_[0]->busy()) {
            const Message message = readers_[0]->answer();
            if (message.say == Say::info) info_ = parsed(message);
            if (options_.alive) options_.alive();
        }
        check(info_, options_);
    }

    const SourceInfo& info() const override { return info_; }

    Fetched fetch(const std::vector<FrameRange>& ranges) override {
        std::int64_t bytes = 0;
        for (const FrameRange& range : ranges) bytes += range.count * frame_bytes(info_);
        const auto block = memory_->take(static_cast<std::size_t>(bytes));
        std::int64_t missing = 0;
        const std::lock_guard<std::mutex> guard(mutex_);
        try {
            missing = serve(pieces_of(ranges, block->position, bytes));
        } catch (...) {
            // What the others still do is of no use, and must not write into memory that is given to someone else.
            for (auto& reader : readers_) reader.reset();
            throw;
        }
        return {{block, reinterpret_cast<float*>(block->data)}, missing};
    }

 private:
    void start(std::size_t at) {
        readers_[at] = std::make_unique<ReaderProcess>(*memory_, options_);
        readers_[at]->ask(Say::open, to_json(options_));
    }

    SourceInfo parsed(const Message& message) const {
        try {
            return info_from_json(message.body);
        } catch (const std::exception&) {
            throw Error(ExitCode::data, fmt::format("cannot open {}: its reader answers nonsense", options_.path));
        }
    }

    // Frames that one request may cover: whole chunks where that is not too much, as a chunk cut in two is inflated
    // twice.
    std::int64_t frames_per_request(std::int64_t bytes) const {
        const std::int64_t most = std::max<std::int64_t>(1, kLargestPiece / frame_bytes(info_));
        const std::int64_t frames = std::clamp(bytes, kLeastPiece, kLargestPiece) / frame_bytes(info_);
        const std::size_t t = info_.layout.find('t');
        const std::int64_t chunk = t < info_.chunk_shape.size() ? std::max<std::int64_t>(1, info_.chunk_shape[t]) : 1;
        const std::int64_t whole = (std::max<std::int64_t>(1, frames) + chunk - 1) / chunk * chunk;
        return std::min(whole, most);
    }

    std::vector<Piece> pieces_of(const std::vector<FrameRange>& ranges, std::int64_t position,
                                 std::int64_t bytes) const {
        const auto readers = static_cast<std::int64_t>(readers_.size());
        const std::int64_t share = std::clamp(bytes / (kPiecesPerReader * readers), kLeastPiece, kLargestPiece);
        const std::int64_t most = frames_per_request(bytes / readers);
        std::vector<Piece> pieces;
        std::int64_t filled = share;
        for (const FrameRange& range : ranges) {
            for (std::int64_t at = range.first; at < range.first + range.count;) {
                const std::int64_t left = range.first + range.count - at;
                const std::int64_t count = left <= most ? left : most - at % most;
                const std::int64_t size = count * frame_bytes(info_);
                if (filled >= share) pieces.emplace_back(), filled = 0;
                pieces.back().push_back({range.recording, at, count, position, size});
                position += size;
                filled += size;
                at += count;
            }
        }
        return pieces;
    }

    std::int64_t serve(const std::vector<Piece>& pieces) {
        std::size_t next = 0;
        std::size_t done = 0;
        std::int64_t missing = 0;
        while (done < pieces.size()) {
            give_work(pieces, next);
            wait();
            for (auto& reader : readers_) {
                if (!reader || !reader->busy()) continue;
                pollfd event{reader->descriptor(), POLLIN, 0};
                if (::poll(&event, 1, 0) <= 0) {
                    reader->check_time();
                    continue;
                }
                const Message message = reader->answer();
                if (message.say == Say::info) check_same(parsed(message));
                if (message.say != Say::done) continue;
                std::int64_t count = 0;
                std::memcpy(&count, message.body.data(), std::min(sizeof count, message.body.size()));
                missing += count;
                ++done;
            }
        }
        return missing;
    }

    // Readers that are not needed are not started.
    void give_work(const std::vector<Piece>& pieces, std::size_t& next) {
        std::size_t starting = 0;
        for (std::size_t i = 0; i < readers_.size() && next + starting < pieces.size(); ++i) {
            if (!readers_[i]) start(i);
            if (readers_[i]->busy()) {
                ++starting;
            } else {
                readers_[i]->ask(Say::read, bytes_of(pieces[next++]));
            }
        }
    }

    void wait() const {
        std::vector<pollfd> events;
        Clock::time_point first = Clock::time_point::max();
        for (const auto& reader : readers_) {
            if (!reader || !reader->busy()) continue;
            events.push_back({reader->descriptor(), POLLIN, 0});
            first = std::min(first, reader->deadline());
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(first - Clock::now()).count();
        ::poll(events.data(), events.size(), static_cast<int>(std::clamp<std::int64_t>(left + 1, 0, 1 << 30)));
    }

    void check_same(const SourceInfo& other) const {
        if (other.fingerprint == info_.fingerprint && other.frames == info_.frames &&
            frame_bytes(other) == frame_bytes(info_))
            return;
        throw Error(ExitCode::data, fmt::format("{} changed while it was being read", options_.path), "",
                    "start again when nothing writes to it");
    }

    SourceOptions options_;
    std::shared_ptr<SharedMemory> memory_;
    std::vector<std::unique_ptr<ReaderProcess>> readers_;
    SourceInfo info_;
    std::mutex mutex_;
};

}  // namespace

int reader_count(const SourceOptions& options) {
    constexpr int kMost = 4;
    if (options.readers > 0) return options.readers;
    return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMost);
}

std::unique_ptr<FrameFetcher> open_readers(const SourceOptions& options) { return std::make_unique<Readers>(options); }

}  // namespace nowcell

#include "data/loader.h"
#include "src/error.h"
#include "tests/data/fake_source.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <stdexcept>
#include <thread>

using namespace nowcell;

namespace {

// FNV-1a over the positions.
std::uint64_t hash(const std::vector<std::int64_t>& order) {
    std::uint64_t value = 0xcbf29ce484222325ULL;
    for (const std::int64_t position : order) value = (value ^ static_cast<std::uint64_t>(position)) * 0x100000001b3ULL;
    return value;
}

std::vector<Window> some_windows(std::int64_t count) {
    std::vector<Window> windows;
    for (std::int64_t i = 0; i < count; ++i) windows.push_back({i % 3, 4 + i / 3});
    return windows;
}

FakeSource three_recordings() {
    return FakeSource({numbered_frames(0, 30), numbered_frames(1, 30), numbered_frames(2, 30)});
}

const WindowOptions kOptions{4, 2, 1, 6};

// Every batch of an epoch from a position on.
std::vector<Batch> served(Loader& loader, std::int64_t epoch, std::int64_t position = 0) {
    std::vector<Batch> all;
    loader.start_epoch(epoch, position);
    for (Batch batch; loader.next(batch);) all.push_back(batch);
    return all;
}

bool same(const Batch& a, const Batch& b) {
    const bool valid = a.valid.defined() == b.valid.defined() && (!a.valid.defined() || a.valid.equal(b.valid));
    return a.first == b.first && valid && a.past.nan_to_num(-1).equal(b.past.nan_to_num(-1)) &&
           a.target.nan_to_num(-1).equal(b.target.nan_to_num(-1));
}

// Three recordings of noise with missing values, square frames.
FakeSource noise() {
    torch::manual_seed(21);
    std::vector<torch::Tensor> recordings;
    for (int i = 0; i < 3; ++i) {
        torch::Tensor frames = torch::rand({30, 2, 6, 6});
        frames.masked_fill_(torch::rand({30, 2, 6, 6}) < 0.1, std::nanf(""));
        recordings.push_back(frames);
    }
    return FakeSource(recordings);
}

AugmentOptions everything() { return {true, true, true, true, {4, 4}}; }

std::ptrdiff_t threads() {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
}

}  // namespace

TEST_CASE("the order of an epoch is a permutation fixed by its arguments") {
    const std::vector<std::int64_t> order = epoch_order(1000, 42, 3);
    std::vector<std::int64_t> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    for (std::int64_t i = 0; i < 1000; ++i) REQUIRE(sorted[static_cast<std::size_t>(i)] == i);
    CHECK(order == epoch_order(1000, 42, 3));
    CHECK(order != epoch_order(1000, 42, 4));
    CHECK(order != epoch_order(1000, 43, 3));
    // A published number: a change here changes every training run that names a seed.
    CHECK(hash(order) == 357596010532698301ULL);
    CHECK(epoch_order(0, 1, 0).empty());
    CHECK(epoch_order(1, 1, 0) == std::vector<std::int64_t>{0});
}

TEST_CASE("all orders of three are equally likely") {
    std::map<std::vector<std::int64_t>, int> seen;
    for (std::int64_t epoch = 0; epoch < 6000; ++epoch) ++seen[epoch_order(3, 7, epoch)];
    CHECK(seen.size() == 6);
    for (const auto& [order, times] : seen) CHECK(std::abs(times - 1000) < 150);  // five standard deviations
}

TEST_CASE("a window brings its history and its targets") {
    const FakeSource source = three_recordings();
    const Batch batch = read_windows(source, kOptions, {{1, 10}, {2, 2}});
    REQUIRE(batch.past.sizes() == torch::IntArrayRef({2, 6, 1, 2, 3}));
    REQUIRE(batch.target.sizes() == torch::IntArrayRef({2, 2, 1, 2, 3}));
    CHECK(batch.past[0][0][0][0][0].item<float>() == 1008);  // 6 frames up to the last input, which is 13
    CHECK(batch.past[0][5][0][1][2].item<float>() == 1013);
    CHECK(batch.target[0][0][0][0][0].item<float>() == 1014);
    CHECK(batch.past[1][0][0][0][0].item<float>() == 2000);
    const Batch without = read_windows(source, {4, 2, 1, 0}, {{0, 26}}, false);
    CHECK_FALSE(without.target.defined());
    CHECK(without.past[0][3][0][0][0].item<float>() == 29);
}

TEST_CASE("the loader serves what direct reads give, in the order of the epoch, with a smaller last batch") {
    const FakeSource source = three_recordings();
    const std::vector<Window> windows = some_windows(11);
    Loader loader(source, kOptions, windows, {.batch = 4, .shuffle = true, .seed = 5});
    CHECK(loader.samples() == 11);
    CHECK(loader.batches() == 3);
    for (const std::int64_t epoch : {0, 1}) {
        loader.start_epoch(epoch);
        const std::vector<std::int64_t> order = epoch_order(11, 5, epoch);
        Batch batch;
        std::int64_t position = 0;
        while (loader.next(batch)) {
            CHECK(batch.first == position);
            for (std::int64_t i = 0; i < batch.past.size(0); ++i, ++position) {
                const auto which = static_cast<std::size_t>(order[static_cast<std::size_t>(position)]);
                const Batch direct = read_windows(source, kOptions, {windows[which]});
                CHECK(batch.past[i].equal(direct.past[0]));
                CHECK(batch.target[i].equal(direct.target[0]));
            }
        }
        CHECK(batch.past.size(0) == 3);
        CHECK(position == 11);
        CHECK_FALSE(loader.next(batch));
    }
}

TEST_CASE("without shuffling the order is that of the windows") {
    const FakeSource source = three_recordings();
    Loader loader(source, kOptions, some_windows(5), {.batch = 5});
    Batch batch;
    CHECK_FALSE(loader.next(batch));  // before the first epoch
    loader.start_epoch(9);
    REQUIRE(loader.next(batch));
    for (std::int64_t i = 0; i < 5; ++i) {
        CHECK(batch.target[i][0][0][0][0].item<float>() == static_cast<float>(1000 * (i % 3) + 8 + i / 3));
    }
}

TEST_CASE("an epoch can be left in the middle") {
    const FakeSource source = three_recordings();
    Loader loader(source, kOptions, some_windows(12), {.batch = 2, .shuffle = true, .seed = 1});
    Batch first;
    Batch again;
    loader.start_epoch(0);
    REQUIRE(loader.next(first));
    loader.start_epoch(0);
    REQUIRE(loader.next(again));
    CHECK(first.past.equal(again.past));
}

TEST_CASE("what reading throws arrives in next") {
    FakeSource source = three_recordings();
    source.fail_after = 3;
    Loader loader(source, kOptions, some_windows(8), {.batch = 2, .prefetch = 1});
    loader.start_epoch(0);
    Batch batch;
    REQUIRE(loader.next(batch));
    CHECK_THROWS_AS(loader.next(batch), std::runtime_error);
    CHECK_FALSE(loader.next(batch));
}

TEST_CASE("a loader may be destroyed while it reads") {
    const FakeSource source = three_recordings();
    for (int i = 1; i <= 20; ++i) {
        {
            Loader loader(source, kOptions, some_windows(12), {.batch = 12, .shuffle = true, .seed = 1});
            loader.start_epoch(i);
        }
        // The destructor waits: a batch that was begun is whole, and nothing reads on behind its back.
        CHECK(source.reads() % 12 == 0);
        CHECK(source.reads() <= 12 * i);
    }
}

TEST_CASE("a batch of nothing is refused") {
    const FakeSource source = three_recordings();
    CHECK_THROWS_AS(Loader(source, kOptions, some_windows(3), {.batch = 0}), Error);
    CHECK_THROWS_AS(Loader(source, kOptions, some_windows(3), {.prefetch = 0}), Error);
}

TEST_CASE("steps are read as one range and then thinned, a whole batch in one call") {
    const FakeSource source = three_recordings();
    const WindowOptions window{3, 2, 1, 4, 5};
    const Batch batch = read_windows(source, window, {{1, 5}, {2, 7}});
    CHECK(source.batches() == 1);
    REQUIRE(batch.past.sizes() == torch::IntArrayRef({2, 4, 1, 2, 3}));
    CHECK(batch.past.is_contiguous());
    CHECK(batch.target.is_contiguous());
    for (std::int64_t t = 0; t < 4; ++t) {
        CHECK(batch.past[0][t][0][0][0].item<float>() == static_cast<float>(1000 + 5 * t));
        CHECK(batch.past[1][t][0][1][1].item<float>() == static_cast<float>(2002 + 5 * t));
    }
    CHECK(batch.target[0][0][0][0][0].item<float>() == 1020);
    CHECK(batch.target[0][1][0][0][0].item<float>() == 1025);
    for (const FrameRange& range : source.log()) CHECK(range.count == 5 * 5 + 1);
}

TEST_CASE("a batch says which of its targets are known") {
    torch::Tensor frames = numbered_frames(0, 30);
    const Batch whole = read_windows(FakeSource({frames}), kOptions, {{0, 4}, {0, 12}});
    CHECK_FALSE(whole.valid.defined());
    frames[5].fill_(std::nanf(""));  // of the past alone
    CHECK_FALSE(read_windows(FakeSource({frames}), kOptions, {{0, 4}}).valid.defined());
    frames[9][0][1][2] = std::nanf("");
    const Batch batch = read_windows(FakeSource({frames}), kOptions, {{0, 4}, {0, 12}});
    REQUIRE(batch.valid.defined());
    CHECK(batch.valid.sizes() == batch.target.sizes());
    CHECK(batch.valid.logical_not().sum().item<std::int64_t>() == 1);
    CHECK_FALSE(batch.valid[0][1][0][1][2].item<bool>());
}

TEST_CASE("bytes and order do not depend on how far is read ahead, with and without other views") {
    const FakeSource source = noise();
    const std::vector<Window> windows = some_windows(17);
    for (const AugmentOptions& augment : {AugmentOptions(), everything()}) {
        Loader one(source, kOptions, windows,
                   {.batch = 3, .shuffle = true, .seed = 9, .prefetch = 1, .augment = augment});
        for (const std::int64_t prefetch : {2, 3, 64}) {
            Loader other(source, kOptions, windows,
                         {.batch = 3, .shuffle = true, .seed = 9, .prefetch = prefetch, .augment = augment});
            for (const std::int64_t epoch : {0, 1, 5}) {
                const std::vector<Batch> a = served(one, epoch);
                const std::vector<Batch> b = served(other, epoch);
                REQUIRE(a.size() == 6);
                REQUIRE(b.size() == 6);
                for (std::size_t i = 0; i < a.size(); ++i) CHECK(same(a[i], b[i]));
            }
        }
    }
}

TEST_CASE("an epoch resumes at any position with what would have followed") {
    const FakeSource source = noise();
    const AugmentOptions augment = everything();
    Loader loader(source, kOptions, some_windows(13), {.batch = 4, .shuffle = true, .seed = 3, .augment = augment});
    const std::vector<Batch> whole = served(loader, 2);
    const auto joined = [](const std::vector<Batch>& batches, std::int64_t skipped) {
        std::vector<torch::Tensor> all;
        for (const Batch& batch : batches) all.push_back(torch::cat({batch.past, batch.target}, 1));
        return torch::cat(all).slice(0, skipped).nan_to_num(-1);
    };
    for (std::int64_t position = 0; position < 13; ++position) {
        INFO(position);
        const std::vector<Batch> tail = served(loader, 2, position);
        REQUIRE(!tail.empty());
        CHECK(tail.front().first == position);
        CHECK(joined(tail, 0).equal(joined(whole, position)));
        // Batches end where they would have ended.
        CHECK(same(tail.back(), whole.back()) == (position <= 12));
        CHECK(tail.size() == static_cast<std::size_t>((13 - position / 4 * 4 + 3) / 4));
    }
    CHECK(served(loader, 2, 13).empty());
}

TEST_CASE("no more batches are read ahead than asked for") {
    for (const int prefetch : {1, 3}) {
        const FakeSource source = three_recordings();
        Loader loader(source, kOptions, some_windows(40), {.batch = 2, .prefetch = prefetch});
        loader.start_epoch(0);
        for (int wait = 0; wait < 500 && source.batches() < prefetch; ++wait) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
        CHECK(source.batches() == prefetch);
        Batch batch;
        REQUIRE(loader.next(batch));
        for (int wait = 0; wait < 500 && source.batches() < prefetch + 1; ++wait) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
        CHECK(source.batches() == prefetch + 1);
    }
}

TEST_CASE("no thread is left behind, and waiting is counted from the start of the epoch") {
    const FakeSource source = three_recordings();
    {
        Loader warm(source, kOptions, some_windows(12), {.batch = 2});  // whatever LibTorch starts once, it starts here
        served(warm, 0);
    }
    const std::ptrdiff_t before = threads();
    for (int i = 0; i < 10; ++i) {
        Loader loader(source, kOptions, some_windows(12), {.batch = 2});
        CHECK(loader.waited_s() == 0.0);
        served(loader, 0);
        CHECK(loader.waited_s() > 0.0);
        const double waited = loader.waited_s();
        loader.start_epoch(1);
        CHECK(loader.waited_s() == 0.0);
        CHECK(waited < 60.0);
    }
    CHECK(threads() <= before);
}

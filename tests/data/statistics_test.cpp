// What the data verbs compute: costs of reading, counts of values, stored numbers from physical ones, dates.
#include "data/commands/value_counts.h"
#include "data/frame_blocks.h"
#include "data/moments.h"
#include "data/read_cost.h"
#include "data/time_start.h"
#include "data/write/stored_again.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"

#include "src/error.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <limits>
#include <random>
#include <set>

using namespace nowcell;

namespace {

SourceInfo stored(const std::string& layout, const std::vector<std::int64_t>& shape,
                  const std::vector<std::int64_t>& chunk, std::int64_t recordings, std::int64_t frames) {
    SourceInfo info;
    info.format = "HDF5";
    info.layout = layout;
    info.stored_shape = shape;
    info.chunk_shape = chunk;
    info.frames.assign(static_cast<std::size_t>(recordings), frames);
    info.channels = 1;
    const auto size_of = [&](char letter) { return shape[layout.find(letter)]; };
    info.height = size_of('h');
    info.width = size_of('w');
    return info;
}

// The chunks of every window counted one by one.
double counted(const SourceInfo& info, std::int64_t window) {
    const auto chunk_of = [&](char letter) {
        const std::size_t at = info.layout.find(letter);
        return at == std::string::npos ? 1 : info.chunk_shape[at];
    };
    double read = 0.0, used = 0.0;
    const std::int64_t count = std::min(window, info.frames[0]);
    for (std::int64_t first = 0; first + count <= info.frames[0]; ++first) {
        std::set<std::vector<std::int64_t>> chunks;
        for (std::int64_t t = first; t < first + count; ++t) {
            for (std::int64_t y = info.first_row; y < info.first_row + info.height; ++y) {
                for (std::int64_t x = info.first_column; x < info.first_column + info.width; ++x) {
                    chunks.insert({t / chunk_of('t'), y / chunk_of('h'), x / chunk_of('w')});
                }
            }
        }
        double values = 1.0;
        for (const std::int64_t side : info.chunk_shape) values *= static_cast<double>(side);
        read += static_cast<double>(chunks.size()) * values;
        used += static_cast<double>(count * info.height * info.width);
    }
    return read / used;
}

torch::Tensor floats(const std::vector<float>& values) { return at::tensor(values); }

// Three recordings of frames that count up; raises a signal, or fails, at one of them.
class CountingSource : public FrameSource {
 public:
    CountingSource() {
        info_.path = "counting";
        info_.frames = {5, 1, 7};
        info_.channels = 1;
        info_.height = 1024;
        info_.width = 2048;  // two frames are a block
    }
    const SourceInfo& info() const override { return info_; }
    torch::Tensor read(std::int64_t recording, std::int64_t first, std::int64_t count) const override {
        if (recording == 1 && signal != 0) std::raise(signal);
        if (recording == 1 && broken) throw Error(ExitCode::data, "the reader is gone");
        return at::full({count, 1, 1, 1}, static_cast<float>(10 * recording + first));
    }
    int signal = 0;
    bool broken = false;

 private:
    SourceInfo info_;
};

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("read amplification is what counting the chunks of every window gives") {
    const std::vector<SourceInfo> sources = {
        stored("thw", {23, 9, 7}, {5, 4, 3}, 1, 23), stored("thw", {23, 9, 7}, {1, 9, 7}, 1, 23),
        stored("nthw", {4, 12, 8, 8}, {2, 12, 8, 8}, 4, 12), stored("nhwt", {4, 6, 6, 12}, {1, 6, 6, 12}, 4, 12),
        stored("tnhw", {12, 4, 6, 6}, {3, 4, 6, 6}, 4, 12)};
    for (SourceInfo info : sources) {
        for (const std::int64_t window : {1, 3, 5, 12, 100}) {
            INFO(info.layout << " " << window);
            CHECK(*read_amplification(info, window) == Catch::Approx(counted(info, window)).epsilon(1e-12));
        }
        info.first_row = 2;
        info.height = 3;
        info.first_column = 1;
        info.width = 4;
        CHECK(*read_amplification(info, 5) == Catch::Approx(counted(info, 5)).epsilon(1e-12));
    }
    CHECK(*read_amplification(stored("thw", {23, 9, 7}, {}, 1, 23), 5) == 1.0);
    SourceInfo pictures = stored("hw", {40, 30}, {}, 1, 10);
    pictures.height = 10;
    pictures.width = 15;
    CHECK(*read_amplification(pictures, 5) == 8.0);  // each file is decoded whole
    pictures.format = "GIF";
    CHECK_FALSE(read_amplification(pictures, 5).has_value());
}

TEST_CASE("values are counted exactly while they are few, and within 0.05 % when many") {
    std::mt19937 random(1);
    for (const bool many : {false, true}) {
        std::vector<float> values;
        for (int i = 0; i < 300000; ++i) {
            const auto draw = static_cast<float>(std::normal_distribution<double>(3.0, 10.0)(random));
            values.push_back(many ? draw : std::round(draw * 100.0F) / 128.0F);
        }
        values.push_back(kNan);
        values.push_back(std::numeric_limits<float>::infinity());
        values.push_back(-0.0F);
        ValueCounts counts;
        counts.add(values.data(), static_cast<std::int64_t>(values.size()));
        CHECK(counts.exact() != many);
        const auto sorted = counts.sorted();
        values.erase(std::remove_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); }),
                     values.end());
        std::sort(values.begin(), values.end());
        for (const double q : {0.0, 0.01, 0.25, 0.5, 0.99, 1.0}) {
            const auto at = static_cast<std::size_t>(std::floor(q * static_cast<double>(values.size() - 1)));
            const auto expected = static_cast<double>(values[at]);
            INFO(many << " " << q);
            CHECK(std::abs(percentile(sorted, q) - expected) <= (many ? 5e-4 * std::abs(expected) : 0.0));
        }
        double sum = 0.0;
        for (const double count : histogram(sorted, 16)) sum += count;
        CHECK(sum == static_cast<double>(values.size()));
    }
    CHECK(std::isnan(percentile({}, 0.5)));
    CHECK(histogram({{2.0F, 2.0F, 7.0}}, 4) == std::vector<double>{7.0, 0.0, 0.0, 0.0});
}

TEST_CASE("stored integers come back from physical values, or are refused") {
    SourceInfo info;
    info.stored_type = "uint16";
    info.scale = 0.001;
    info.offset = 260.0;
    info.has_fill = true;
    info.fill = 65535;
    std::vector<float> values;
    for (int i = 0; i < 65535; ++i) values.push_back(static_cast<float>(i * 0.001 + 260.0));
    values.push_back(kNan);
    const StoredAgain again(info);
    CHECK(again.type() == torch::kUInt16);
    const auto back = again.of(floats(values));
    REQUIRE(back.has_value());
    CHECK(back->to(torch::kInt64).equal(at::arange(65536, at::kLong)));
    CHECK_FALSE(again.of(floats({260.0005F})).has_value());                                  // between two numbers
    CHECK_FALSE(again.of(floats({259.9F})).has_value());                                     // below the least
    CHECK_FALSE(again.of(floats({static_cast<float>(65535 * 0.001 + 260.0)})).has_value());  // is the fill
    info.has_fill = false;
    CHECK_FALSE(StoredAgain(info).of(floats({kNan})).has_value());
    // float32 does not tell 2^24 from 2^24 + 1.
    SourceInfo wide;
    wide.stored_type = "int32";
    CHECK(StoredAgain(wide).of(floats({-5.0F, 8388608.0F})).has_value());
    CHECK_FALSE(StoredAgain(wide).of(floats({16777216.0F})).has_value());
    wide.stored_type = "float64";
    CHECK(StoredAgain(wide).type() == torch::kFloat32);
}

TEST_CASE("moments of blocks are those of the whole") {
    at::manual_seed(3);
    torch::Tensor values = at::rand({1000}) * 1e-3 + 280.0;
    values[7] = kNan;
    Moments whole, parts;
    whole.add(values);
    for (const torch::Tensor& part : values.split(13)) parts.add(part);
    parts.merge(Moments());
    const torch::Tensor known = at::cat({values.slice(0, 0, 7), values.slice(0, 8)}).to(at::kDouble);
    CHECK(parts.count == 999);
    CHECK(parts.mean == Catch::Approx(known.mean().item<double>()).epsilon(1e-14));
    CHECK(parts.deviation() == Catch::Approx(known.std(false).item<double>()).epsilon(1e-9));
    CHECK(whole.deviation() == Catch::Approx(parts.deviation()).epsilon(1e-9));
    CHECK(Moments().deviation() == 0.0);
}

TEST_CASE("recordings are cut where time jumps") {
    SourceInfo info;
    info.frames = {10, 4};
    info.breaks = {{3, 7}, {}};
    const auto pieces = unbroken(info);
    REQUIRE(pieces.size() == 4);
    const std::vector<std::vector<std::int64_t>> expected = {{0, 0, 3}, {0, 3, 4}, {0, 7, 3}, {1, 0, 4}};
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(std::vector<std::int64_t>{pieces[i].recording, pieces[i].first, pieces[i].count} == expected[i]);
    }
}

TEST_CASE("frames have a time where start, step and calendar tell it") {
    SourceInfo info;
    info.frames = {10};
    info.step_s = 300;
    for (const char* start : {"2019-02-28", "2019-02-28 00:00", "2019-02-28T00:00:00Z", "48 hours since 2019-02-26"}) {
        info.start = start;
        INFO(start);
        CHECK(frame_time(info, 0, 0) == "2019-02-28 00:00");
        CHECK(frame_time(info, 0, 7) == "2019-02-28 00:35");
    }
    info.step_s = 43200;
    info.calendar = "360_day";
    CHECK(frame_time(info, 0, 2) == "2019-02-29 00:00");
    info.breaks = {{2}};
    CHECK(frame_time(info, 0, 1) != "");
    CHECK(frame_time(info, 0, 2) == "");  // nobody knows how far time jumped
    info.breaks.clear();
    for (const char* start : {"", "yesterday", "3 fortnights since 2019-01-01", "2019-02-31"}) {
        info.calendar = "";
        info.start = start;
        CHECK(frame_time(info, 0, 0) == "");
    }
}

TEST_CASE("blocks cover every frame once, in multiples, and end at a signal") {
    CountingSource source;
    const auto walked = [&](std::int64_t multiple) {
        std::vector<std::vector<std::int64_t>> out;
        for_each_block(source, unbroken(source.info()), multiple, "walking", [&](const FrameBlock& block) {
            CHECK(block.frames.size(0) == block.range.count);
            out.push_back({block.range.recording, block.range.first, block.range.count});
        });
        return out;
    };
    using Blocks = std::vector<std::vector<std::int64_t>>;
    CHECK(walked(1) == Blocks{{0, 0, 2}, {0, 2, 2}, {0, 4, 1}, {1, 0, 1}, {2, 0, 2}, {2, 2, 2}, {2, 4, 2}, {2, 6, 1}});
    CHECK(walked(3) == Blocks{{0, 0, 3}, {0, 3, 2}, {1, 0, 1}, {2, 0, 3}, {2, 3, 3}, {2, 6, 1}});
    for (const bool broken : {false, true}) {
        source.broken = broken;
        for (const auto& [signal, code] : {std::pair(SIGINT, ExitCode::interrupted), {SIGTERM, ExitCode::terminated}}) {
            source.signal = signal;
            try {
                walked(1);
                FAIL("not stopped");
            } catch (const Error& error) {
                CHECK(error.code() == code);
            }
        }
    }
    source.signal = 0;
    CHECK_THROWS_AS(walked(1), Error);
}

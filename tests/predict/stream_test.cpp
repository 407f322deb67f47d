#include "predict/stream/stream.h"
#include "predict/stream/frame_names.h"
#include "predict/stream/npy_pipe.h"
#include "src/error.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

using namespace nowcell;

namespace {

constexpr std::int64_t kHeight = 6, kWidth = 8;

Forecaster small_model(const std::vector<std::string>& overrides = {}, int seed = 1, std::int64_t channels = 1,
                       double step_s = 300.0, const std::string& units = "mm/h") {
    std::vector<std::string> all = {"data.path=memory", "data.input_steps=4", "data.output_steps=3",
                                    "data.missing=mask"};
    all.insert(all.end(), overrides.begin(), overrides.end());
    const Config config = Config::parse("[[model.layers]]\nfilters = 3\n", "small", all);
    at::set_num_threads(1);  // two that wait for each other are slower on frames this small
    at::manual_seed(seed);
    const TrainedOn on{channels, kHeight, kWidth, units, step_s, "memory", "/frames", ""};
    return {config,
            make_sequence_model(channels, ModelOptions::from(config), on.frame()),
            Normalizer{"minmax", 0.0, 2.0, 0.7, 0.5},
            BaselineOptions{0, 0.9, at::zeros({channels, kHeight, kWidth}), 0.0},
            on,
            torch::kCPU};
}

torch::Tensor frame(std::uint64_t seed, std::int64_t channels = 1) {
    at::manual_seed(seed);
    return 2.0 * at::rand({channels, kHeight, kWidth});
}

torch::Tensor unknown() { return at::full({1, kHeight, kWidth}, std::numeric_limits<double>::quiet_NaN()); }

FrameTime at_step(std::int64_t step) { return {1e9 + 300.0 * static_cast<double>(step), true}; }

bool flagged(const Observation& seen, const std::string& flag) {
    return std::find(seen.flags.begin(), seen.flags.end(), flag) != seen.flags.end();
}

// What predict gives with these frames as its input, from its last steps.
torch::Tensor batch_forecast(const Forecaster& model, const std::vector<torch::Tensor>& frames, std::int64_t horizon) {
    const auto most = static_cast<std::size_t>(model.history());
    const std::vector<torch::Tensor> last(frames.end() - static_cast<std::ptrdiff_t>(std::min(most, frames.size())),
                                          frames.end());
    return model.forecast(at::stack(last).unsqueeze(0), horizon)[0];
}

// The same with every frame as context.
torch::Tensor whole_forecast(const Forecaster& model, const std::vector<torch::Tensor>& frames, std::int64_t horizon) {
    SequenceMemory memory;
    const torch::Tensor all = at::stack(frames).unsqueeze(0);
    model.read(all, memory);
    const std::int64_t past = std::min(model.history(), all.size(1));
    return model.go_on(memory, all.narrow(1, all.size(1) - past, past)).next(horizon)[0];
}

// A stream that has read steps 0 to 5.
Stream& warmed(Stream& stream) {
    for (std::int64_t step = 0; step < 6; ++step)
        stream.observe(frame(static_cast<std::uint64_t>(step)), at_step(step));
    REQUIRE(stream.ready());
    return stream;
}

}  // namespace

TEST_CASE("a stream warms up, and then forecasts what predict does with its last frames, bit for bit") {
    const Forecaster model = small_model();
    Stream stream(model, {});
    std::vector<torch::Tensor> past;
    for (std::int64_t step = 0; step < 9; ++step) {
        past.push_back(frame(static_cast<std::uint64_t>(step)));
        const Observation seen = stream.observe(past.back(), at_step(step));
        CHECK(seen.result == "accepted");
        CHECK(seen.ready == (step >= 3));
        CHECK(flagged(seen, "warming-up") == (step < 3));
        CHECK(seen.steps == std::min<std::int64_t>(step + 1, 4));
        if (seen.ready) CHECK(at::equal(stream.forecast(), batch_forecast(model, past, 3)));
    }
    CHECK(stream.counts().accepted == 9);
    CHECK(stream.counts().offered == 9);
}

TEST_CASE("with --min-input a stream forecasts from the few frames it has") {
    const Forecaster model = small_model();
    StreamOptions options;
    options.min_input = 2;
    options.horizon = 5;
    Stream stream(model, options);
    CHECK_FALSE(stream.observe(frame(1)).ready);
    CHECK(stream.observe(frame(2)).ready);
    CHECK(at::equal(stream.forecast(), batch_forecast(model, {frame(1), frame(2)}, 5)));
    options.min_input = 5;
    CHECK_THROWS_AS(Stream(model, options), Error);
}

TEST_CASE("every kind of bad frame has its result and its flag, and leaves the stream as it was") {
    const Forecaster model = small_model();
    Stream stream(model, {});
    warmed(stream);
    const torch::Tensor before = stream.forecast();
    const auto refused = [&](const Observation& seen, const std::string& flag) {
        INFO(flag);
        CHECK(seen.result == "rejected");
        CHECK(flagged(seen, flag));
        CHECK_FALSE(seen.ready);
        CHECK(at::equal(stream.forecast(), before));
    };
    refused(stream.observe(frame(9), at_step(4)), "late");
    refused(stream.observe(frame(9), at_step(-400)), "late");
    refused(stream.observe(frame(5), at_step(5)), "duplicate");
    refused(stream.observe(frame(9), at_step(5)), "conflict");
    refused(stream.observe(frame(9)), "no-time");
    refused(stream.observe(frame(9), FrameTime{17.0, false}), "no-time");
    refused(stream.observe(at::rand({1, kHeight, kWidth + 1}), at_step(6)), "wrong-size");
    refused(stream.observe(at::rand({1, kWidth, kHeight}), at_step(6)), "wrong-size");
    refused(stream.observe(at::rand({2, kHeight, kWidth}), at_step(6)), "wrong-channels");
    refused(stream.reject({"unreadable", "why"}), "unreadable");
    CHECK(stream.misfit(1, {kHeight, kWidth}, "K")->flag == "wrong-units");
    CHECK_FALSE(stream.misfit(1, {kHeight, kWidth}, "mm/h"));
    CHECK_FALSE(stream.misfit(1, {kHeight, kWidth}, "1"));
    CHECK(stream.counts().rejected == 10);
    CHECK(stream.observe(frame(6), at_step(6)).flags.empty());
}

TEST_CASE("missing frames are filled one after the other by the forecast from what is there before them") {
    const Forecaster model = small_model();
    Stream stream(model, {});
    warmed(stream);
    std::vector<torch::Tensor> past;
    for (std::uint64_t step = 0; step < 6; ++step) past.push_back(frame(step));
    for (int i = 0; i < 2; ++i) past.push_back(batch_forecast(model, past, 1)[0]);
    past.push_back(frame(8));
    const Observation seen = stream.observe(frame(8), at_step(8));
    CHECK(seen.result == "accepted");
    CHECK(flagged(seen, "gap"));
    CHECK(flagged(seen, "gap-filled"));
    CHECK(flagged(seen, "context-filled"));
    CHECK(seen.filled_steps == 2);
    CHECK(seen.context_filled == 2);
    CHECK(at::equal(stream.forecast(), batch_forecast(model, past, 3)));
}

TEST_CASE("a frame without values is a missing one, whether it comes or not") {
    const Forecaster model = small_model();
    Stream told(model, {}), silent(model, {});
    warmed(told);
    warmed(silent);
    const Observation seen = told.observe(unknown(), at_step(6));
    CHECK(seen.result == "filled");
    CHECK(seen.ready);
    CHECK(seen.missing == 1.0);
    CHECK(flagged(seen, "missing"));
    CHECK(flagged(seen, "gap-filled"));
    CHECK_FALSE(flagged(seen, "gap"));
    told.observe(frame(7), at_step(7));
    silent.observe(frame(7), at_step(7));
    CHECK(at::equal(told.forecast(), silent.forecast()));
}

TEST_CASE("gaps are held or start over as asked, and long ones always start over") {
    const Forecaster model = small_model();
    StreamOptions options;
    options.gap = "hold";
    Stream hold(model, options);
    warmed(hold);
    CHECK(flagged(hold.observe(frame(7), at_step(7)), "gap-held"));
    CHECK(at::equal(hold.forecast(), batch_forecast(model, {frame(4), frame(5), frame(5), frame(7)}, 3)));

    options.gap = "reset";
    Stream reset(model, options);
    warmed(reset);
    Observation seen = reset.observe(frame(7), at_step(7));
    CHECK(seen.result == "accepted");
    CHECK(flagged(seen, "reset"));
    CHECK(flagged(seen, "warming-up"));
    CHECK(seen.steps == 1);
    CHECK_FALSE(reset.ready());

    Stream fill(model, {});
    warmed(fill);
    seen = fill.observe(frame(10), at_step(10));  // 4 are missing
    CHECK(flagged(seen, "reset"));
    CHECK(seen.steps == 1);
    for (std::int64_t step = 11; step < 14; ++step) seen = fill.observe(frame(step), at_step(step));
    CHECK(seen.ready);
    CHECK(at::equal(fill.forecast(), batch_forecast(model, {frame(10), frame(11), frame(12), frame(13)}, 3)));

    Stream row(model, {});  // three filled in a row, one by one, then one more
    warmed(row);
    for (std::int64_t step = 6; step < 9; ++step) CHECK(row.observe(unknown(), at_step(step)).result == "filled");
    seen = row.observe(unknown(), at_step(9));
    CHECK(seen.result == "rejected");
    CHECK(flagged(seen, "reset"));
}

TEST_CASE("after a jump of unknown length, or frames at another distance, a stream starts over") {
    const Forecaster model = small_model({}, 1, 1, 0.0);
    Stream stream(model, {});
    for (int i = 0; i < 4; ++i) stream.observe(frame(i), FrameTime{10.0 * i, false});
    REQUIRE(stream.ready());
    Observation seen = stream.observe(frame(4), FrameTime{40.0, false}, true);
    CHECK(seen.result == "accepted");
    CHECK(flagged(seen, "reset"));
    CHECK(seen.steps == 1);
    stream.observe(frame(5), FrameTime{50.0, false});
    seen = stream.observe(frame(6), FrameTime{55.0, false});
    CHECK(flagged(seen, "reset"));
    CHECK(seen.steps == 1);
    seen = stream.observe(frame(7), FrameTime{60.0, false});
    CHECK(seen.flags == std::vector<std::string>{"warming-up"});
    CHECK(seen.steps == 2);
}

TEST_CASE("frames that miss some values are taken as data.missing says") {
    torch::Tensor holed = frame(6);
    holed.select(1, 2).fill_(std::numeric_limits<float>::infinity());
    torch::Tensor blank = holed.masked_fill(holed.isinf(), std::numeric_limits<double>::quiet_NaN());
    for (const std::string policy : {"mask", "hold", "zero"}) {
        INFO(policy);
        const Forecaster model = small_model({"data.missing=" + policy});
        Stream stream(model, {});
        warmed(stream);
        const Observation seen = stream.observe(holed.clone(), at_step(6));
        CHECK(seen.result == "accepted");
        CHECK(flagged(seen, "partly-missing"));
        CHECK(seen.missing == Catch::Approx(1.0 / kHeight));
        const torch::Tensor read = policy == "zero" ? blank.nan_to_num(0.0) : blank;
        CHECK(at::equal(stream.forecast(), batch_forecast(model, {frame(3), frame(4), frame(5), read}, 3)));
    }
    StreamOptions options;
    options.most_missing = 0.1;
    const Forecaster model = small_model();
    Stream strict(model, options);
    warmed(strict);
    CHECK(strict.observe(holed.clone(), at_step(6)).result == "filled");
    const Forecaster complete = small_model({"data.missing=error"});
    Stream stream(complete, {});
    warmed(stream);
    CHECK(stream.observe(holed.clone(), at_step(6)).result == "filled");
}

TEST_CASE("the time between frames is that of training, what is asked for, or learned") {
    const auto steps = [](StreamClock& clock, double time, bool dated = true) {
        const auto distance = clock.distance(FrameTime{time, dated});
        if (distance.order == StreamClock::Order::next) clock.advance(FrameTime{time, dated});
        return distance;
    };
    StreamClock trained(0.0, 300.0);
    steps(trained, 0.0);
    CHECK(steps(trained, 300.0).steps == 1);
    CHECK(steps(trained, 1200.0).steps == 3);
    const auto jitter = steps(trained, 1520.0);
    CHECK(jitter.steps == 1);
    CHECK(jitter.off_step);
    CHECK(steps(trained, 1521.0).order == StreamClock::Order::same);
    CHECK(steps(trained, 1e300).steps == 1'000'000'000'000'000);

    StreamClock asked(600.0, 300.0);
    steps(asked, 0.0);
    CHECK(steps(asked, 1200.0).steps == 2);

    StreamClock learned(0.0, 0.0);
    steps(learned, 10.0, false);
    CHECK(steps(learned, 20.0, false).steps == 1);
    CHECK(steps(learned, 40.0, false).steps == 2);
    CHECK(steps(learned, 39.0, false).order == StreamClock::Order::late);
    const auto closer = steps(learned, 45.0, false);
    CHECK(closer.shorter);
    CHECK(steps(learned, 55.0, false).steps == 2);

    StreamClock order(0.0, 300.0);
    order.advance({});
    CHECK(order.distance({}).steps == 1);
    CHECK(order.distance(FrameTime{1.0, true}).order == StreamClock::Order::next);  // without times all along
}

TEST_CASE("names of files tell the time, or a number") {
    CHECK(time_of_name("in/RAD_201008260005.h5")->value == 1282781100.0);
    CHECK(time_of_name("radar_20100826_0005.png")->dated);
    CHECK(time_of_name("frame_0041.npy")->value == 41.0);
    CHECK_FALSE(time_of_name("frame_0041.npy")->dated);
    CHECK_FALSE(time_of_name("latest.npy"));
    CHECK_FALSE(time_of_name("x12345678901234567890.npy"));
    std::vector<std::string> names = {"a_10.npy", "z_20100826_0010.png", "a_9.npy", "zz_20100826_0005.png"};
    sort_names(names);
    CHECK(names == std::vector<std::string>{"zz_20100826_0005.png", "z_20100826_0010.png", "a_9.npy", "a_10.npy"});
}

TEST_CASE("with frame_step a stream reads every second frame, as windows do") {
    for (const std::string context : {"window", "all"}) {
        INFO(context);
        const Forecaster model = small_model({"data.frame_step=2"});
        StreamOptions options;
        options.context = context;
        Stream stream(model, options);
        std::vector<torch::Tensor> all;
        const auto expected = [&](std::size_t end, std::int64_t horizon) {  // from frames end - 1, end - 3, ...
            std::vector<torch::Tensor> chosen;
            for (std::size_t i = (end - 1) % 2; i < end; i += 2) chosen.push_back(all[i]);
            return context == "window" ? batch_forecast(model, chosen, horizon)
                                       : whole_forecast(model, chosen, horizon);
        };
        for (std::uint64_t i = 0; i < 14; ++i) {
            if (i == 10) {  // is missing
                all.push_back(expected(9, 1)[0]);
                continue;
            }
            all.push_back(frame(i));
            const Observation seen = stream.observe(frame(i), at_step(static_cast<std::int64_t>(i)));
            CHECK(seen.ready == (i >= 6));
            if (seen.ready) CHECK(at::equal(stream.forecast(), expected(all.size(), 3)));
        }
    }
}

namespace {

// What a stream with the default policy should have read, kept the plain way: every frame of the series so far.
struct Series {
    const Forecaster& model;
    bool whole;
    std::vector<torch::Tensor> frames = {};
    std::int64_t newest = -1;
    std::int64_t in_a_row = 0;

    torch::Tensor forecast(std::int64_t horizon) const {
        return whole ? whole_forecast(model, frames, horizon) : batch_forecast(model, frames, horizon);
    }
    bool ready() const { return frames.size() >= 4; }

    void take(std::int64_t step, const torch::Tensor& values) {
        if (step <= newest) return;
        const bool missing = !values.isfinite().any().item<bool>();
        const std::int64_t gap = newest < 0 ? (missing ? 1 : 0) : step - newest - (missing ? 0 : 1);
        if (gap > 0 && (!ready() || in_a_row + gap > 3)) {
            frames.clear();
            in_a_row = 0;
        } else {
            for (std::int64_t i = 0; i < gap; ++i) frames.push_back(forecast(1)[0]);
            in_a_row += gap;
        }
        newest = step;
        if (missing) return;
        frames.push_back(values);
        in_a_row = 0;
    }
};

struct Event {
    std::int64_t step;
    torch::Tensor values;
};

// Frames in disorder: some are missing, long gaps too, late, double, without values or with few.
std::vector<Event> events(std::uint64_t seed, int count) {
    std::mt19937_64 random(seed);
    std::vector<Event> out;
    std::int64_t step = 0;
    for (int i = 0; i < count; ++i) {
        const auto roll = random() % 20;
        if (roll == 0) step += 2 + static_cast<std::int64_t>(random() % 2);
        if (roll == 1) step += 6;
        Event event{step++, frame(random())};
        if (roll == 2) event.step -= 3;
        if (roll == 3) event.step -= 1;
        if (roll == 4 || roll == 5) event.values = unknown();
        if (roll == 6) event.values.flatten().narrow(0, 5, 11).fill_(std::numeric_limits<double>::quiet_NaN());
        out.push_back(event);
    }
    return out;
}

}  // namespace

TEST_CASE("through any disorder the forecasts are those of the series that the policy makes, bit for bit") {
    for (const std::string context : {"window", "all"}) {
        for (std::uint64_t trial = 0; trial < 4; ++trial) {
            const Forecaster model = small_model(trial % 2 == 1 ? std::vector<std::string>{"model.strategy=next-frame"}
                                                                : std::vector<std::string>{});
            StreamOptions options;
            options.context = context;
            Stream stream(model, options);
            Series series{model, context == "all"};
            for (const Event& event : events(test_seed() + trial, 60)) {
                INFO(context << ", trial " << trial << ", step " << event.step);
                const Observation seen = stream.observe(event.values.clone(), at_step(event.step));
                series.take(event.step, event.values);
                REQUIRE(stream.ready() == series.ready());
                if (seen.ready) REQUIRE(at::equal(stream.forecast(), series.forecast(3)));
            }
            CHECK(stream.counts().offered == 60);
            CHECK(stream.counts().rejected > 0);
        }
    }
}

TEST_CASE("a stream that is saved and loaded after every frame goes on bit for bit") {
    for (const std::string context : {"window", "all"}) {
        const Forecaster model = small_model({"data.missing=hold"});
        StreamOptions options;
        options.context = context;
        Stream undisturbed(model, options);
        auto stream = std::make_unique<Stream>(model, options);
        const TemporaryFolder folder;
        for (const Event& event : events(test_seed(), 40)) {
            const SafeTensors saved = from_safetensors(to_safetensors(stream->save("me")), "state");
            stream = std::make_unique<Stream>(model, options);
            stream->load(saved, "me", "state");
            const Observation a = undisturbed.observe(event.values.clone(), at_step(event.step));
            const Observation b = stream->observe(event.values.clone(), at_step(event.step));
            CHECK(a.result == b.result);
            CHECK(a.flags == b.flags);
            CHECK(a.context_filled == b.context_filled);
            if (a.ready) REQUIRE(at::equal(undisturbed.forecast(), stream->forecast()));
        }
        CHECK(stream->counts().offered == 40);
    }
}

TEST_CASE("a state of another model, frame size or context is refused, and a damaged one") {
    const Forecaster model = small_model();
    Stream stream(model, {});
    warmed(stream);
    const SafeTensors saved = stream.save(identity_of(model));
    const auto code = [&](const Forecaster& other, const StreamOptions& options, const SafeTensors& state) {
        try {
            Stream fresh(other, options);
            fresh.load(state, identity_of(other), "x.state");
        } catch (const Error& error) {
            CHECK(holds(error.what(), "x.state"));
            return error.code();
        }
        return ExitCode::ok;
    };
    CHECK(code(model, {}, saved) == ExitCode::ok);
    CHECK(code(small_model(), {}, saved) == ExitCode::ok);  // the same weights
    CHECK(code(small_model({}, 2), {}, saved) == ExitCode::model);
    StreamOptions options;
    options.frame = FrameSize{10, 10};
    CHECK(code(model, options, saved) == ExitCode::model);
    options = {};
    options.context = "all";
    CHECK(code(model, options, saved) == ExitCode::model);
    SafeTensors broken = saved;
    broken.tensors.erase("filled");
    CHECK(code(model, {}, broken) == ExitCode::model);
    broken = saved;
    broken.metadata["stream"] = "{";
    CHECK(code(model, {}, broken) == ExitCode::model);
    CHECK(code(model, {}, {}) == ExitCode::model);
    CHECK(identity_of(model) != identity_of(small_model({}, 2)));
}

TEST_CASE("a network that reads frames relative to its last one has a window, and no memory of all frames") {
    const Forecaster model = small_model({"model.relative=true"});
    StreamOptions options;
    Stream stream(model, options);
    warmed(stream);
    options.context = "all";
    CHECK_THROWS_AS(Stream(model, options), Error);
}

TEST_CASE("a network with guides streams with all frames as context") {
    const Forecaster model = small_model({"model.residual_on=optical-flow"});
    StreamOptions options;
    options.context = "all";
    Stream stream(model, options);
    std::vector<torch::Tensor> past;
    for (std::uint64_t i = 0; i < 8; ++i) {
        past.push_back(frame(i));
        if (stream.observe(frame(i)).ready) CHECK(at::equal(stream.forecast(), whole_forecast(model, past, 3)));
    }
    CHECK(stream.ready());
}

namespace {

// A pipe whose writing end is filled at once.
class FilledPipe {
 public:
    explicit FilledPipe(const std::string& bytes) {
        REQUIRE(::pipe(ends_) == 0);
        REQUIRE(::write(ends_[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    }
    ~FilledPipe() {
        ::close(ends_[0]);
        end();
    }
    void end() {
        if (ends_[1] >= 0) ::close(ends_[1]);
        ends_[1] = -1;
    }
    void write(const std::string& bytes) const {
        REQUIRE(::write(ends_[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    }
    int reading() const { return ends_[0]; }

 private:
    int ends_[2] = {-1, -1};
};

// What numpy.save writes.
std::string npy(const std::string& type, const std::string& shape, const std::string& values, bool fortran = false) {
    std::string header =
        fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", type, fortran ? "True" : "False", shape);
    std::string out("\x93NUMPY\x01\x00", 8);
    out += static_cast<char>(header.size() & 0xff);
    out += static_cast<char>(header.size() >> 8);
    return out + header + values;
}

bool any(const std::vector<std::int64_t>&) { return true; }

}  // namespace

TEST_CASE("arrays come out of a pipe whole, however they were cut, in any type and order") {
    const std::string bytes = npy("|u1", "(2, 3)", std::string("\1\2\3\4\5\6", 6)) + "{\"time\": 17}\n" +
                              npy("|i1", "(1, 2, 2)", std::string("\1\2\3\4", 4), true) +
                              "{\"time\": \"2026-01-01\", \"x\": 1}\n\n" +
                              npy(">i2", "(1, 2)", std::string("\0\1\1\0", 4));
    for (std::size_t piece : {bytes.size(), std::size_t{1}, std::size_t{7}}) {
        FilledPipe pipe("");
        NpyPipe reader(pipe.reading());
        std::vector<PipedFrame> frames;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            pipe.write(bytes.substr(at, piece));
            while (auto got = reader.read(any)) frames.push_back(*got);
        }
        CHECK_FALSE(reader.ended());
        pipe.end();
        CHECK_FALSE(reader.read(any));
        CHECK(reader.ended());
        REQUIRE(frames.size() == 3);
        CHECK(at::equal(frames[0].values, at::arange(1, 7, at::kFloat).view({1, 2, 3})));
        CHECK_FALSE(frames[0].when);
        CHECK(at::equal(frames[1].values, at::tensor({1, 3, 2, 4}, at::kFloat).view({1, 2, 2})));
        CHECK(frames[1].when == "17");
        CHECK(at::equal(frames[2].values, at::tensor({1, 256}, at::kFloat).view({1, 1, 2})));
        CHECK(frames[2].when == "2026-01-01");
    }
}

TEST_CASE("arrays that are not wanted are passed over, whatever their rank") {
    FilledPipe pipe(npy("|u1", "(5,)", "12345") + npy("|u1", "(1, 2)", "ab"));
    NpyPipe reader(pipe.reading());
    const auto wanted = [](const std::vector<std::int64_t>& shape) { return shape.size() == 2; };
    auto first = reader.read(wanted);
    REQUIRE(first);
    CHECK(first->shape == std::vector<std::int64_t>{5});
    CHECK_FALSE(first->values.defined());
    auto second = reader.read(wanted);
    REQUIRE(second);
    CHECK(second->values.defined());
}

TEST_CASE("a damaged pipe is an error that says at which byte") {
    const std::string good = npy("|u1", "(1, 2)", "ab");
    const auto message = [](const std::string& bytes) -> std::string {
        FilledPipe pipe(bytes);
        pipe.end();
        NpyPipe reader(pipe.reading());
        try {
            while (!reader.ended()) reader.read(any);
        } catch (const Error& error) {
            CHECK(error.code() == ExitCode::data);
            return error.what();
        }
        return "";
    };
    CHECK(message(good).empty());
    CHECK(holds(message(good + "garbage that is no array"), fmt::format("byte {}", good.size())));
    CHECK(holds(message(good.substr(0, good.size() - 1)), "ends within an array"));
    CHECK(holds(message(good.substr(0, 5)), "ends within"));
    CHECK(holds(message("{\"time\": [1]}\n" + good), "time"));
    CHECK(holds(message("{nonsense\n" + good), "no JSON"));
    CHECK(holds(message("{\"time\": 1"), "ends within a line"));
    CHECK(holds(message(npy("|O", "(1, 2)", "ab")), "objects"));
    CHECK(holds(message(std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12) + std::string(30, ' ')), "header"));
    CHECK(holds(message(npy("<f8", "(99999999999, 99999999999)", "ab")), "too large"));
}

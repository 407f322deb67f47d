// Forecasts in progress in physical units, and the files that they are written to.
#include "predict/rollout.h"
#include "data/formats/hdf5_file.h"
#include "data/write/hdf5_io.h"
#include "predict/forecast_file.h"
#include "predict/forecast_outputs.h"
#include "predict/value_pictures.h"
#include "src/allocation_meter.h"
#include "src/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <cmath>
#include <filesystem>
#include <limits>

using namespace nowcell;

namespace {

constexpr std::int64_t kHeight = 14, kWidth = 10;

Forecaster model_with(const std::vector<std::string>& overrides, std::int64_t channels = 1) {
    std::vector<std::string> all = {"data.path=memory", "data.input_steps=4", "data.output_steps=3",
                                    "data.missing=mask", "data.period=5"};
    all.insert(all.end(), overrides.begin(), overrides.end());
    const Config config = Config::parse("[[model.layers]]\nfilters = 3\n", "small", all);
    at::manual_seed(3);
    const TrainedOn on{channels, kHeight, kWidth, "mm/h", 300.0, "memory", "/frames", ""};
    Forecaster model{config,
                     make_sequence_model(channels, ModelOptions::from(config), on.frame()),
                     Normalizer{"minmax", 0.0, 2.0, 0.7, 0.5},
                     BaselineOptions{5, 0.9, at::rand({channels, kHeight, kWidth}), 0.0},
                     on,
                     torch::kCPU};
    const c10::NoGradGuard no_grad;
    for (const torch::Tensor& weight : model.network().parameters()) {  // a correction's head starts at zero
        if (weight.abs().max().item<double>() == 0.0) torch::Tensor(weight).normal_(0.0, 0.05);
    }
    return model;
}

torch::Tensor frames(std::int64_t steps, std::int64_t channels = 1) {
    at::manual_seed(9);
    return 2.0 * at::rand({2, steps, channels, kHeight, kWidth});
}

// Of each recording alone.
torch::Tensor forecasts(const Forecaster& model, const torch::Tensor& past, std::int64_t horizon) {
    std::vector<torch::Tensor> all;
    for (const torch::Tensor& one : past.split(1)) all.push_back(model.forecast(one, horizon));
    return at::cat(all);
}

// Frames in memory, as a file would give them.
class Kept : public FrameSource {
 public:
    Kept(torch::Tensor frames, const SourceInfo& like) : frames_(std::move(frames)), info_(like) {
        info_.path = "memory";
        info_.frames.assign(static_cast<std::size_t>(frames_.size(0)), frames_.size(1));
        info_.channels = frames_.size(2);
        info_.height = frames_.size(3);
        info_.width = frames_.size(4);
    }
    const SourceInfo& info() const override { return info_; }
    torch::Tensor read(std::int64_t recording, std::int64_t first, std::int64_t count) const override {
        return frames_[recording].narrow(0, first, count);
    }

 private:
    torch::Tensor frames_;
    SourceInfo info_;
};

SourceInfo dated() {
    SourceInfo info;
    info.units = "mm/h";
    info.step_s = 300.0;
    info.start = "2020-02-28 23:30";
    info.calendar = "standard";
    return info;
}

OutputOptions to(const TemporaryFolder& folder, const std::vector<std::string>& formats) {
    return {folder.path("out"), formats, false};
}

SourceOptions source_options(const std::string& path, const std::string& dataset, const std::string& layout) {
    SourceOptions options;
    options.path = path;
    options.dataset = dataset;
    options.layout = layout;
    return options;
}

}  // namespace

TEST_CASE("a forecast in progress has the bits of a whole one, whatever guides it") {
    for (const std::vector<std::string>& overrides :
         {std::vector<std::string>{"model.strategy=next-frame"},
          {"model.strategy=direct"},
          {"model.strategy=direct", "model.relative=true", "model.decoder_inputs=[\"optical-flow\"]"},
          {"model.strategy=encoder-forecaster"},
          {"model.residual_on=anomaly", "model.decoder_inputs=[\"climatology\", \"optical-flow\", \"seasonal\"]"},
          {"model.residual_on=persistence", "data.missing=hold", "data.normalize=zscore"}}) {
        INFO(fmt::format("{}", fmt::join(overrides, " ")));
        const Forecaster model = model_with(overrides);
        torch::Tensor past = frames(8);
        past.select(1, 7).narrow(2, 2, 3).fill_(std::nanf(""));
        const torch::Tensor whole = model.forecast(past, 8);
        CHECK(whole.isfinite().all().item<bool>());
        Rollout rollout = model.start(past);
        std::int64_t done = 0;
        for (const std::int64_t leads : {1, 4, 1, 2}) {
            CHECK(at::equal(rollout.next(leads), whole.narrow(1, done, leads)));
            done += leads;
            CHECK(rollout.done() == done);
        }
    }
}

TEST_CASE("what cannot go on piece by piece is refused, and predicted whole") {
    const Forecaster ahead =
        model_with({"model.residual_on=persistence", "model.head=conv3d", "model.time_padding=same"});
    CHECK_THROWS_AS(ahead.start(frames(4)), Error);
    const Kept source(frames(6), dated());
    const ForecastRun run(ahead, source, {.horizon = 5});
    std::vector<torch::Tensor> pieces;
    run.make([&](std::int64_t, std::int64_t, const torch::Tensor& made) { pieces.push_back(made); });
    CHECK(at::equal(at::cat(pieces), forecasts(ahead, frames(6).narrow(1, 2, 4), 5)));
    SequenceMemory memory;
    CHECK_THROWS_AS(model_with({"model.relative=true"}).read(frames(1), memory), Error);
}

TEST_CASE("a run forecasts every recording from its last frames, or from the frames asked for") {
    const Forecaster model = model_with({});
    const Kept source(frames(9), dated());
    const auto made = [&](const ForecastChoice& choice) {
        const ForecastRun run(model, source, choice);
        torch::Tensor all = at::full({run.shape().recordings, run.shape().horizon, 1, kHeight, kWidth}, -1.0);
        run.make([&](std::int64_t first, std::int64_t lead, const torch::Tensor& piece) {
            all.narrow(0, first, piece.size(0)).narrow(1, lead, piece.size(1)).copy_(piece);
        });
        return all;
    };
    CHECK(at::equal(made({}), forecasts(model, frames(9).narrow(1, 5, 4), 3)));
    CHECK(at::allclose(made({.start = 2, .recording = 1, .horizon = 70}),
                       model.forecast(frames(9).narrow(0, 1, 1).narrow(1, 2, 4), 70), 1e-6, 1e-7));
    // Every frame up to the end of the same input, one by one.
    SequenceMemory memory;
    model.read(frames(9).narrow(0, 1, 1).narrow(1, 0, 6), memory);
    const torch::Tensor past = frames(9).narrow(0, 1, 1).narrow(1, 2, 4);
    CHECK(
        at::equal(made({.start = 2, .recording = 1, .horizon = 4, .whole = true}), model.go_on(memory, past).next(4)));
    CHECK_THROWS_AS(ForecastRun(model, source, {.start = 6}), Error);
    CHECK_THROWS_AS(ForecastRun(model, source, {.recording = 2}), Error);
    const Kept one(frames(1), dated());
    CHECK_THROWS_AS(ForecastRun(model, one, {}), Error);
    CHECK(ForecastRun(model, one, {.whole = true}).origins().size() == 2);
}

TEST_CASE("frames before a jump of time are not read") {
    const Forecaster model = model_with({});
    SourceInfo info = dated();
    info.breaks = {{3}, {}};
    const Kept source(frames(9), info);
    const ForecastRun run(model, source, {.whole = true});
    CHECK(run.origins()[0].first == 3);
    CHECK(run.origins()[1].first == 0);
    CHECK_THROWS_AS(ForecastRun(model, source, {.start = 2}), Error);
    CHECK(run.truth_of({0, 0, 1}, 5).size(0) == 1);  // frame 3 comes after a jump
}

TEST_CASE("a forecast file has dimensions, times, units and history") {
    const TemporaryFolder folder;
    const Forecaster model = model_with({}, 3);
    const Kept source(frames(6, 3).narrow(0, 0, 1), dated());
    const ForecastRun run(model, source, {.horizon = 40});
    ForecastRecord record = run.record();
    record.model = "runs/some";
    record.history = "nowcell predict ...";
    write_outputs(run, model.normalizer(), source.info(), record, to(folder, {"h5", "npy"}));
    const std::string path = folder.path("out/forecast.h5");
    const torch::Tensor stored = read_hdf5(path, "/frames");
    CHECK(stored.sizes() == std::vector<std::int64_t>({1, 40, kHeight, kWidth, 3}));
    CHECK(at::equal(stored.permute({0, 1, 4, 2, 3}), model.forecast(frames(6, 3).narrow(0, 0, 1), 40)));
    CHECK(read_hdf5(path, "/last_input")[0].item<double>() == 5.0);
    CHECK(read_hdf5(path, "/lead")[39].item<double>() == 40 * 300.0);
    const double reference = read_hdf5(path, "/forecast_reference_time")[0].item<double>();
    CHECK(reference == 1582932600.0 + 5 * 300.0);  // 2020-02-28 23:30 UTC
    CHECK(read_hdf5(path, "/time")[0][1].item<double>() == reference + 600.0);
    const Hdf5File file(path);
    CHECK(file.text("/time", "calendar") == "standard");
    CHECK(file.text("/time", "units") == "seconds since 1970-01-01 00:00:00");
    CHECK(file.text("/frames", "units") == "mm/h");
    CHECK(file.text("/frames", "coordinates") == "time forecast_reference_time last_input");
    CHECK(file.text("/", "history") == "nowcell predict ...");
    CHECK(file.text("/", "Conventions") == "CF-1.8");
    CHECK(file.text("/lead", "standard_name") == "forecast_period");
    const auto again = open_source(source_options(path, "/frames", "auto"));
    CHECK(again->info().units == "mm/h");
    CHECK(again->info().step_s == 300.0);
    CHECK(again->info().start == "2020-02-29T00:00:00Z");
    CHECK(at::equal(again->read(0, 0, 40), stored[0].permute({0, 3, 1, 2})));
    const auto array = open_source(source_options(folder.path("out/forecast.npy"), "", "nthwc"));
    CHECK(at::equal(array->read(0, 0, 40), again->read(0, 0, 40)));
}

TEST_CASE("many recordings and lead times land where they belong, in every format") {
    const TemporaryFolder folder;
    const Forecaster model = model_with({"eval.batch=2"});
    const Kept source(at::cat({frames(6), frames(6) * 0.5, frames(6) * 0.2}), dated());
    const ForecastRun run(model, source, {.horizon = 35});
    write_outputs(run, model.normalizer(), source.info(), run.record(), to(folder, {"h5", "npy", "png"}));
    const torch::Tensor expected =
        forecasts(model, at::cat({frames(6), frames(6) * 0.5, frames(6) * 0.2}).narrow(1, 2, 4), 35);
    CHECK(at::equal(read_hdf5(folder.path("out/forecast.h5"), "/frames"), expected.squeeze(2)));
    const auto array = open_source(source_options(folder.path("out/forecast.npy"), "", "nthw"));
    for (const std::int64_t i : {0, 3, 5}) CHECK(at::equal(array->read(i, 0, 35), expected[i]));
    // Pixels are values, over the range of training (0 to 2) and a tenth of it on both sides.
    const cv::Mat picture = cv::imread(folder.path("out/png/recording_0004/lead_0035.png"), cv::IMREAD_UNCHANGED);
    REQUIRE(picture.type() == CV_16U);
    REQUIRE(picture.size() == cv::Size(kWidth, kHeight));
    const double value = picture.at<std::uint16_t>(3, 2) * (2.4 / 65535.0) - 0.2;
    CHECK(value == Approx(expected[4][34][0][3][2].item<double>()).margin(2.4 / 65535.0));
    CHECK(open_source(source_options(folder.path("out/png"), "", "auto"))->info().frames ==
          std::vector<std::int64_t>(6, 35));
    CHECK(tree(folder.path("out/png")).size() == 6 + 6 * 35 + 1);
}

TEST_CASE("pictures of byte sources are bytes, and what no picture can hold is refused") {
    SourceInfo bytes = dated();
    bytes.stored_type = "uint8";
    bytes.channels = 3;
    const PixelScale scale = pixel_scale(bytes, {});
    CHECK(scale.bits == 8);
    const TemporaryFolder folder;
    {
        ValuePictures pictures(folder.path("kept"), 1, scale, "1");
        torch::Tensor frame = at::zeros({1, 3, 2, 2});
        frame[0][0].fill_(300.0);  // red, more than a byte holds
        frame[0][2].fill_(6.6);
        pictures.add(0, 0, frame);
        pictures.commit();
        ValuePictures gone(folder.path("gone"), 2, scale, "1");
        gone.add(1, 0, frame);
    }
    CHECK(cv::imread(folder.path("kept/lead_0001.png"), cv::IMREAD_UNCHANGED).at<cv::Vec3b>(1, 1) ==
          cv::Vec3b(7, 0, 255));
    CHECK_FALSE(std::filesystem::exists(folder.path("gone")));
    bytes.channels = 2;
    CHECK_THROWS_AS(pixel_scale(bytes, {}), Error);
}

TEST_CASE("memory does not grow with the horizon, nor with the recordings") {
    const Forecaster model = model_with({"model.residual_on=seasonal", "eval.batch=2"});
    const auto peak = [&](std::int64_t recordings, std::int64_t horizon) {
        const Kept source(frames(6).repeat({recordings / 2, 1, 1, 1, 1}), dated());
        const ForecastRun run(model, source, {.horizon = horizon});
        const TemporaryFolder folder;
        const AllocationMeter meter;
        write_outputs(run, model.normalizer(), source.info(), run.record(), to(folder, {"h5", "npy"}));
        return meter.peak_bytes();
    };
    peak(2, 64);  // workspaces that stay
    const std::int64_t few = peak(2, 64);
    constexpr std::int64_t kFrame = kHeight * kWidth * 4;
    CHECK(peak(2, 600) < few + 40 * kFrame + 600 * 8 * 2);  // the coordinates of the file
    CHECK(peak(40, 64) < few + 40 * kFrame);
}

TEST_CASE("nothing is left of a forecast that stops half-way, and what was there before is kept") {
    const TemporaryFolder folder;
    const Forecaster model = model_with({});
    const Kept source(frames(6), dated());
    const ForecastRun run(model, source, {.horizon = 100});
    struct Stop {};
    int pieces = 0;
    const auto stop = [&] {
        if (++pieces == 2) throw Stop();
    };
    const OutputOptions out = to(folder, {"h5", "npy", "png", "strip"});
    CHECK_THROWS_AS(write_outputs(run, model.normalizer(), source.info(), run.record(), out, stop), Stop);
    CHECK(tree(folder.path()).empty());
    write_outputs(run, model.normalizer(), source.info(), run.record(), to(folder, {"h5"}));
    CHECK_THROWS_AS(check_outputs(out), Error);
    CHECK_FALSE(outputs_exist(out));
    CHECK(outputs_exist(to(folder, {"h5"})));
    CHECK(formats_from({"gif", "h5", "gif"}) == std::vector<std::string>({"h5", "gif"}));
    CHECK_THROWS_AS(formats_from({"hdf"}), Error);
}

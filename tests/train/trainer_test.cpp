#include "train/trainer.h"
#include "data/synthetic/bouncing_digits.h"
#include "data/write/hdf5_io.h"
#include "predict/evaluation.h"
#include "src/error.h"
#include "src/run_directory.h"
#include "tests/data/fake_source.h"
#include "train/prepare.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <cmath>
#include <csignal>
#include <fstream>

using namespace nowcell;

namespace {

// A small run on a square that moves one pixel per frame: easy to learn, and persistence is wrong.
class SmallRun {
 public:
    explicit SmallRun(const std::vector<std::string>& overrides = {}) {
        torch::Tensor frames = at::zeros({24, 8, 16, 16}, at::kByte);
        for (std::int64_t n = 0; n < 24; ++n) {
            for (std::int64_t t = 0; t < 8; ++t) {
                frames[n][t].narrow(0, n % 10, 5).narrow(1, (n * 3) % 4 + t, 4).fill_(255);
            }
        }
        write_hdf5(folder_.path("d.h5"), {{"/frames", frames, {1, 8, 16, 16}, {{"scale_factor", 1.0 / 255.0}}}}, {});
        std::vector<std::string> all = {"data.path=" + folder_.path("d.h5"),
                                        "data.input_steps=4",
                                        "data.output_steps=4",
                                        "data.split_by=sequence",
                                        "train.epochs=3",
                                        "train.batch=8",
                                        "optim.lr=0.01"};
        all.insert(all.end(), overrides.begin(), overrides.end());
        config_ = Config::parse("[[model.layers]]\nfilters = 6\n", "small", all);
        source_ = open_source(DataOptions::from(config_).source);
        run_ = std::make_unique<RunDirectory>(RunDirectory::create(folder_.path("run"), "small.toml", config_, false));
    }

    TrainResult train() {
        at::manual_seed(7);
        at::set_num_threads(1);
        const DataOptions data = DataOptions::from(config_);
        BaselineOptions baselines{0, 0.0, training_mean(*source_, data.split)};
        TrainedOn on{1, 16, 16, "1", 0.0, data.source.path, source_->info().dataset, source_->info().fingerprint};
        Forecaster forecaster(config_, make_sequence_model(1, ModelOptions::from(config_), on.frame()),
                              Normalizer::fit("minmax", *source_, data.split), baselines, on, torch::kCPU);
        Trainer trainer({*source_, windows(Part::train), windows(Part::validation)}, forecaster, *run_);
        return trainer.run();
    }

    std::vector<Window> windows(Part part) const {
        const DataOptions data = DataOptions::from(config_);
        return cut_windows(source_->info(), data.window, data.split, part);
    }

    ScoreTable score(const std::string& model, Part part) const {
        const Forecaster forecaster = Forecaster::load(model, torch::kCPU);
        const auto baselines = all_baselines(forecaster.baselines());
        return evaluate({*source_, forecaster.data().window, windows(part), 4}, contenders(forecaster, baselines),
                        score_options(forecaster));
    }

    std::string metrics() const {
        std::ifstream in(run_->file("metrics.csv"));
        return {std::istreambuf_iterator<char>(in), {}};
    }

    const RunDirectory& run() const { return *run_; }

 private:
    TemporaryFolder folder_;
    Config config_;
    std::unique_ptr<FrameSource> source_;
    std::unique_ptr<RunDirectory> run_;
};

// What `nowcell train` does with frames from memory.
struct Rehearsal {
    TrainResult result;
    std::unique_ptr<Forecaster> best;
    ScoreTable test;
};

Config small_config(const std::vector<std::string>& overrides) {
    std::vector<std::string> all = {"data.path=memory", "data.input_steps=4", "data.output_steps=3",
                                    "train.epochs=2",   "train.batch=4",      "optim.lr=0.01"};
    all.insert(all.end(), overrides.begin(), overrides.end());
    return Config::parse("[[model.layers]]\nfilters = 4\n", "small", all);
}

Rehearsal rehearse(const FakeSource& source, const std::vector<std::string>& overrides, bool scored = true) {
    const TemporaryFolder folder;
    Config config = small_config(overrides);
    at::manual_seed(3);
    settle_period(config, source.info());
    const TrainingWindows windows = cut_training_windows(config, source.info());
    Forecaster forecaster = prepare_forecaster(config, source, windows.training, torch::kCPU);
    const RunDirectory run = RunDirectory::create(folder.path("run"), "small.toml", config, false);
    Rehearsal out;
    out.result = Trainer({source, windows.training, windows.validation}, forecaster, run).run();
    out.best = std::make_unique<Forecaster>(Forecaster::load(run.path(), torch::kCPU));
    if (!scored) return out;
    const DataOptions& data = out.best->data();
    const auto baselines = all_baselines(out.best->baselines());
    out.test = evaluate({source, data.window, cut_windows(source.info(), data.window, data.split, Part::test), 4},
                        contenders(*out.best, baselines), score_options(*out.best));
    return out;
}

// A square that moves, n recordings of t frames, a part of the pixels missing.
FakeSource moving_squares(std::int64_t n, std::int64_t t, double missing = 0.0, std::int64_t side = 12) {
    at::manual_seed(17);
    std::vector<torch::Tensor> recordings;
    for (std::int64_t i = 0; i < n; ++i) {
        torch::Tensor frames = at::full({t, 1, side, side}, 0.1F);
        for (std::int64_t k = 0; k < t; ++k)
            frames[k][0].narrow(0, i % 6, 5).narrow(1, (k + i) % (side - 4), 4).fill_(1);
        if (missing > 0) frames.masked_fill_(at::rand(frames.sizes()) < missing, std::nanf(""));
        recordings.push_back(frames);
    }
    return FakeSource(recordings);
}

std::string usage_message(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::usage);
        return error.what();
    }
    return "";
}

std::vector<double> validation_column(const std::string& csv) {
    std::vector<double> values;
    std::istringstream in(csv);
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {
        std::istringstream cells(line);
        std::string cell;
        for (int i = 0; i < 5; ++i) std::getline(cells, cell, ',');
        values.push_back(std::stod(cell));
    }
    return values;
}

}  // namespace

TEST_CASE("training on a moving square beats persistence and keeps the best epoch") {
    SmallRun small({"train.epochs=30"});
    const TrainResult result = small.train();
    CHECK(result.why == "all epochs");
    const std::vector<double> validation = validation_column(small.metrics());
    REQUIRE(validation.size() == 31);
    CHECK(result.state.best_mae ==
          Catch::Approx(*std::min_element(validation.begin(), validation.end())).epsilon(1e-6));

    // The saved best checkpoint scores what the log says: validation and evaluation are the same function.
    const ScoreTable again = small.score(small.run().path(), Part::validation);
    CHECK(again.of("model").value("mae", 0) == Catch::Approx(result.state.best_mae).epsilon(1e-6));
    const ScoreTable test = small.score(small.run().path(), Part::test);
    CHECK(test.of("model").value("mae", 0) < 0.75 * test.of("persistence").value("mae", 0));
}

TEST_CASE("the same seed gives the same numbers") {
    SmallRun a;
    SmallRun b;
    a.train();
    b.train();
    CHECK(validation_column(a.metrics()) == validation_column(b.metrics()));
    SmallRun other({"train.seed=1"});
    other.train();
    CHECK(validation_column(a.metrics()) != validation_column(other.metrics()));
}

TEST_CASE("a network that corrects a baseline starts where the baseline stands") {
    SmallRun small({"model.residual_on=optical-flow", "train.epochs=1"});
    small.train();
    const ScoreTable table = small.score(small.run().path(), Part::validation);
    CHECK(validation_column(small.metrics())[0] ==
          Catch::Approx(table.of("optical-flow").value("mae", 0)).epsilon(1e-5));
}

TEST_CASE("time, patience and averaging end or shape a run") {
    SmallRun hurried({"train.epochs=100000", "train.max_time=1s"});
    CHECK(hurried.train().why == "train.max_time");
    SmallRun hopeless({"train.epochs=50", "optim.lr=0", "train.patience=2"});
    const TrainResult result = hopeless.train();
    CHECK(result.why == "train.patience");
    CHECK(result.state.epoch == 2);
    SmallRun averaged({"train.ema=0.9"});
    averaged.train();
    SmallRun plain;
    plain.train();
    CHECK(validation_column(averaged.metrics()) != validation_column(plain.metrics()));
    SmallRun fewer({"train.epoch_windows=8", "train.epochs=2"});
    fewer.train();
    CHECK(fewer.metrics().find("\n2,2,") != std::string::npos);
}

TEST_CASE("a signal ends a run after the step, with a checkpoint that loads") {
    SmallRun small({"train.epochs=100000"});
    struct Alarm {
        Alarm() {
            std::signal(SIGALRM, [](int) { std::raise(SIGTERM); }), ::alarm(1);
        }
        ~Alarm() { std::signal(SIGALRM, SIG_DFL); }
    };
    const Alarm alarm;
    const TrainResult result = small.train();
    CHECK(result.why == "signal");
    CHECK(result.signal == SIGTERM);
    CHECK_NOTHROW(Forecaster::load(small.run().checkpoint("last"), torch::kCPU));
}

TEST_CASE("divergence is an error that names the step, and the checkpoints stay") {
    SmallRun small({"optim.lr=1e30", "optim.grad_clip=0", "train.epochs=20", "loss.name=mse"});
    try {
        small.train();
        FAIL("a learning rate of 1e30 did not diverge");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::diverged);
    }
    CHECK_NOTHROW(Forecaster::load(small.run().path(), torch::kCPU));
}

TEST_CASE("next-frame networks are trained and validated as rollouts") {
    SmallRun small({"model.strategy=next-frame", "model.head=conv3d", "train.epochs=12"});
    const TrainResult result = small.train();
    CHECK(result.state.best_mae < validation_column(small.metrics())[0]);
}

TEST_CASE("a forecaster refuses data that it was not built for") {
    SmallRun small({"train.epochs=1", "model.patch=2"});
    small.train();
    const Forecaster forecaster = Forecaster::load(small.run().path(), torch::kCPU);
    SourceInfo info;
    info.channels = 3;
    info.height = info.width = 16;
    CHECK_THROWS_AS(forecaster.check_source(info), Error);
    info.channels = 1;
    info.height = 15;
    CHECK_THROWS_AS(forecaster.check_source(info), Error);
    info.height = 32;
    CHECK_NOTHROW(forecaster.check_source(info));
    // Another frame size than in training is fine: the network is a convolution.
    CHECK(forecaster.forecast(at::rand({1, 4, 1, 32, 24}), 7).sizes() == std::vector<std::int64_t>({1, 7, 1, 32, 24}));
}

TEST_CASE("networks of all kinds of layers are trained, saved and loaded") {
    const std::vector<std::vector<std::string>> kinds = {
        {"model.layers[0].stride=2", "model.layers[0].peephole=pixel", "model.layers[0].gate_norm=frame"},
        {"model.layers[0].cell=conv_gru", "model.layers[0].kernel=[2,4]", "model.layers[0].padding=valid",
         "model.layers[0].reset=before", "model.layers[0].update=replace", "model.patch=2"},
        {"model.layers[0].dropout=0.2", "model.layers[0].recurrent_dropout=0.2", "model.layers[0].zoneout=0.1",
         "model.layers[0].zoneout_cell=0.1", "model.layers[0].memory=recompute", "model.layers[1].cell=conv_gru",
         "model.layers[1].filters=3", "model.layers[1].bias=false", "model.layers[1].activation=relu"},
    };
    for (std::vector<std::string> overrides : kinds) {
        INFO(overrides.front());
        overrides.push_back("train.epochs=8");
        SmallRun small(overrides);
        const TrainResult result = small.train();
        CHECK(result.state.best_mae < validation_column(small.metrics())[0]);
        // Rebuilt from the checkpoint, it is the network that was validated.
        const ScoreTable again = small.score(small.run().path(), Part::validation);
        CHECK(again.of("model").value("mae", 0) == Catch::Approx(result.state.best_mae).epsilon(1e-6));
        const Forecaster forecaster = Forecaster::load(small.run().path(), torch::kCPU);
        const torch::Tensor past = at::rand({1, 4, 1, 16, 16});
        CHECK(at::equal(forecaster.forecast(past, 5), forecaster.forecast(past, 5)));
    }
}

TEST_CASE("dropout acts in training and nowhere else") {
    SmallRun plain;
    plain.train();
    SmallRun dropping({"model.layers[0].dropout=0.5"});
    dropping.train();
    const std::vector<double> without = validation_column(plain.metrics());
    const std::vector<double> with = validation_column(dropping.metrics());
    CHECK(with[0] == without[0]);  // the same untrained weights
    CHECK(with[1] != without[1]);
}

TEST_CASE("a network that is tied to a frame size says so when it sees another") {
    SmallRun small({"train.epochs=1", "model.layers[0].gate_norm=frame"});
    small.train();
    const Forecaster forecaster = Forecaster::load(small.run().path(), torch::kCPU);
    SourceInfo info;
    info.path = "large.h5";
    info.channels = 1;
    info.height = info.width = 16;
    CHECK_NOTHROW(forecaster.check_source(info));
    info.width = 24;
    try {
        forecaster.check_source(info);
        FAIL("accepted frames of another size");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::data);
        const std::string block = error.block("nowcell");
        INFO(block);
        CHECK(block.find("frames of 16x24: model.layers[0].gate_norm = \"frame\" ties the network to the size it was "
                         "trained on, expected 16x16") != std::string::npos);
        CHECK(block.find("at large.h5") != std::string::npos);
        CHECK(block.find("gate_norm = \"channels\"") != std::string::npos);
    }
}

TEST_CASE("a checkpoint from before layers had options is read as it was meant") {
    SmallRun small({"train.epochs=1"});
    small.train();
    const Forecaster now = Forecaster::load(small.run().path(), torch::kCPU);
    Checkpoint old = Checkpoint::load(small.run().checkpoint("best"));
    std::istringstream in(old.sections.at("config"));
    std::string config;
    for (std::string line; std::getline(in, line);) {
        if (line.rfind("cell = ", 0) == 0) line = "cell = \"convlstm\"";
        const std::string name = line.substr(0, line.find(" = "));
        const auto added = {"stride", "dilation", "padding",   "activation",   "recurrent_activation",
                            "bias",   "peephole", "gate_norm", "gate_norm_on", "reset",
                            "update", "dropout",  "zoneout",   "zoneout_cell", "recurrent_dropout",
                            "memory"};
        const bool is_new = config.find("[[model.layers]]") != std::string::npos &&
                            config.find("[loss]") == std::string::npos &&
                            std::find(added.begin(), added.end(), name) != added.end();
        if (!is_new) config += line + "\n";
    }
    REQUIRE(config.size() < old.sections.at("config").size());
    old.sections["config"] = config;
    const std::string path = small.run().file("old.safetensors");
    old.save(path);
    const torch::Tensor past = at::rand({1, 4, 1, 16, 16});
    CHECK(at::equal(Forecaster::load(path, torch::kCPU).forecast(past, 3), now.forecast(past, 3)));
}

TEST_CASE("nothing in training reads the test part") {
    const std::vector<std::vector<std::string>> splits = {
        {"data.split_by=time"},
        {"data.split_by=time", "data.split.train=[40,160]", "data.split.validation=[160,200]",
         "data.split.test=[0,40]"},
        {"data.split_by=sequence"},
        {"data.split_by=file"},
        {"data.split_by=sequence", "data.split.train=[2,9]", "data.split.validation=[9,10]", "data.split.test=[0,2]"},
    };
    for (std::vector<std::string> overrides : splits) {
        INFO(overrides.front());
        FakeSource source = moving_squares(10, 200);
        source.edit().files = 10;
        source.edit().step_s = 10800;  // a day of 8 steps: history reaches before each window
        overrides.insert(overrides.end(),
                         {"train.epochs=1", "train.epoch_windows=64", "data.stride=3", "data.frame_step=2"});
        const Rehearsal done = rehearse(source, overrides, false);
        CHECK(done.best->data().period == 4);
        CHECK(done.best->data().window.history == 5);
        const SplitOptions& split = done.best->data().split;
        std::size_t checked = 0;
        for (const Span& test : part_spans(source.info(), split, Part::test)) {
            for (const FrameRange& range : source.log()) {
                if (range.recording != test.recording) continue;
                const bool apart = range.first >= test.end || range.first + range.count <= test.begin;
                REQUIRE(apart);
            }
            ++checked;
        }
        CHECK(checked > 0);
        CHECK(source.reads() > 100);
    }
}

TEST_CASE("a separate validation part is not optional") {
    const FakeSource source = moving_squares(10, 20);
    const auto train = [&](const std::vector<std::string>& overrides) {
        return usage_message([&] { cut_training_windows(small_config(overrides), source.info()); });
    };
    CHECK(train({}).empty());
    for (const char* by : {"data.split_by=time", "data.split_by=sequence", "data.split_by=auto"}) {
        CHECK(holds(train({by, "data.split.validation=[0.9,1.0]"}), "the best epoch would be chosen on the test part"));
        CHECK(holds(train({by, "data.split.validation=[0.7,0.9]"}), "overlaps data.split.train"));
    }
    CHECK_THROWS_AS(cut_training_windows(small_config({"data.split.validation=[0.81,0.89]"}), source.info()), Error);
}

TEST_CASE("networks learn from frames with missing values, and forecast without") {
    const FakeSource source = moving_squares(16, 9, 0.2);
    const std::vector<std::vector<std::string>> kinds = {
        {"model.strategy=encoder-forecaster"},
        {"model.strategy=next-frame"},
        {"model.strategy=next-frame", "model.relative=true"},
        {"model.residual_on=optical-flow", "model.decoder_inputs=[\"persistence\"]", "data.normalize=zscore"},
    };
    for (std::vector<std::string> overrides : kinds) {
        for (const char* policy : {"mask", "hold"}) {
            INFO(overrides.front() << " " << policy);
            std::vector<std::string> all = overrides;
            all.insert(all.end(), {std::string("data.missing=") + policy, "train.epochs=10"});
            const Rehearsal done = rehearse(source, all);
            CHECK(std::isfinite(done.result.state.best_mae));
            for (const ForecasterScores& row : done.test.rows) {
                INFO(row.name);
                for (const char* metric : {"mae", "mse", "ssim", "psnr"}) {
                    CHECK(std::isfinite(row.value(metric, 0)));
                }
            }
            CHECK(done.test.of("model").value("mae", 0) < done.test.of("persistence").value("mae", 0));
            torch::Tensor past = at::rand({2, 4, 1, 12, 12});
            past.masked_fill_(at::rand(past.sizes()) < 0.5, std::nanf(""));
            past[1].fill_(std::nanf(""));
            CHECK(done.best->forecast(past, 6).isfinite().all().item<bool>());
        }
    }
}

TEST_CASE("what the network sees at missing values is the training mean, or what was last known") {
    const FakeSource source = moving_squares(12, 9);
    const Rehearsal masking = rehearse(source, {"data.missing=mask"}, false);
    torch::Tensor past = at::rand({1, 4, 1, 12, 12});
    torch::Tensor holes = past.clone();
    holes[0][2][0][3].fill_(std::nanf(""));
    past[0][2][0][3].fill_(masking.best->normalizer().mean);
    CHECK(at::equal(masking.best->forecast(holes, 3), masking.best->forecast(past, 3)));
    const Rehearsal holding = rehearse(source, {"data.missing=hold"}, false);
    past[0][2][0][3] = past[0][1][0][3];
    CHECK(at::equal(holding.best->forecast(holes, 3), holding.best->forecast(past, 3)));
    past[0][2][0][3].fill_(0.7);
    CHECK_FALSE(at::equal(holding.best->forecast(holes, 3), holding.best->forecast(past, 3)));
}

TEST_CASE("a policy for missing values changes nothing where none is missing") {
    const FakeSource source = moving_squares(12, 9);
    for (const char* strategy : {"model.strategy=encoder-forecaster", "model.strategy=next-frame"}) {
        const Rehearsal strict = rehearse(source, {strategy});
        for (const char* policy : {"data.missing=mask", "data.missing=hold", "data.missing=zero"}) {
            const Rehearsal other = rehearse(source, {strategy, policy});
            CHECK(other.result.state.best_mae == strict.result.state.best_mae);
            for (const char* metric : {"mae", "mse", "ssim", "psnr"}) {
                CHECK(other.test.of("model").value(metric, 0) == strict.test.of("model").value(metric, 0));
            }
        }
    }
}

TEST_CASE("targets of which nothing is known teach nothing, and score nothing") {
    FakeSource source = moving_squares(10, 9);
    std::vector<torch::Tensor> recordings;
    for (std::int64_t i = 0; i < 10; ++i) {
        torch::Tensor frames = source.read(i, 0, 9);
        if (i < 8) frames.slice(0, 4).fill_(std::nanf(""));  // of the training part: every target
        recordings.push_back(frames);
    }
    const FakeSource blind(recordings);
    const Rehearsal done = rehearse(blind, {"data.missing=mask", "optim.weight_decay=0.1", "optim.name=adamw"});
    CHECK(done.result.state.best_epoch == 0);  // the weights never moved
    for (std::int64_t i = 8; i < 10; ++i) recordings[static_cast<std::size_t>(i)].slice(0, 4).fill_(std::nanf(""));
    try {
        rehearse(FakeSource(recordings), {"data.missing=mask"});
        FAIL("scored nothing");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::data);
        CHECK(holds(error.what(), "every target value"));
    }
}

TEST_CASE("the period of the time axis is settled, kept in the checkpoint, and can be named") {
    FakeSource source = moving_squares(1, 200);
    source.edit().step_s = 10800;
    const Rehearsal day = rehearse(source, {"train.epochs=1", "train.epoch_windows=8"});
    CHECK(day.best->data().period == 8);
    CHECK(day.best->config().integer("data.period") == 8);
    CHECK(day.best->baselines().period == 8);
    CHECK(day.test.of("seasonal").windows() > 0);
    const Rehearsal none = rehearse(source, {"train.epochs=1", "train.epoch_windows=8", "data.period=0"});
    CHECK(none.best->data().period == 0);
    CHECK(none.test.rows.size() == 7);
    Config config = small_config({"data.period=5"});
    settle_period(config, source.info());
    CHECK(config.integer("data.period") == 5);
    source.edit().step_s = 0;
    Config unknown = small_config({"model.residual_on=anomaly"});
    settle_period(unknown, source.info());
    CHECK(holds(usage_message([&] {
                    prepare_forecaster(unknown, source, {{0, 0}}, torch::kCPU);
                }),
                "needs data.period"));
}

TEST_CASE("training may see other views; validation sees whole frames as they are") {
    const FakeSource source = moving_squares(12, 12);
    const std::vector<std::string> views = {
        "data.augment=[\"flip-horizontal\",\"flip-vertical\",\"rotate90\",\"reverse-time\"]", "data.augment_crop=8"};
    const Rehearsal plain = rehearse(source, {});
    const Rehearsal seen = rehearse(source, views);
    const Rehearsal again = rehearse(source, views);
    CHECK(seen.result.state.best_mae != plain.result.state.best_mae);
    CHECK(seen.result.state.best_mae == again.result.state.best_mae);
    CHECK(seen.best->trained_on().height == 12);
    CHECK(seen.test.of("persistence").value("mae", 0) == plain.test.of("persistence").value("mae", 0));
}

TEST_CASE("views that contradict the network are refused") {
    const FakeSource source = moving_squares(12, 9);
    const auto refused = [&](std::vector<std::string> overrides) {
        const Config config = small_config(overrides);
        return usage_message([&] { prepare_forecaster(config, source, {{0, 0}}, torch::kCPU); });
    };
    const std::string flip = "data.augment=[\"flip-horizontal\"]";
    CHECK(holds(refused({flip, "model.decoder_inputs=[\"climatology\"]"}), "sees the climatology"));
    CHECK(holds(refused({"data.augment_crop=8", "model.decoder_inputs=[\"climatology\"]"}), "sees the climatology"));
    CHECK(refused({"data.augment=[\"reverse-time\"]", "model.decoder_inputs=[\"climatology\"]"}).empty());
    CHECK(holds(refused({"data.augment_crop=8", "model.layers[0].peephole=pixel"}),
                "model.layers[0].peephole = \"pixel\" ties the network to 12x12"));
    CHECK(refused({flip, "model.layers[0].peephole=pixel"}).empty());
    CHECK(holds(refused({"data.augment_crop=7", "model.patch=2"}), "data.augment_crop: "));
    CHECK(holds(refused({"data.augment_crop=13"}), "does not fit into frames"));
    CHECK(holds(refused({"data.augment=[\"rotate90\"]", "data.augment_crop=[8,6]"}), "not square"));
}

TEST_CASE("missing targets take no part in learning, whatever stands in for them") {
    // What is missing stands in target frames alone, and never becomes an input: both policies must learn the same.
    for (const auto& [strategy, first] : {std::pair("encoder-forecaster", 4), std::pair("next-frame", 6)}) {
        INFO(strategy);
        const FakeSource whole = moving_squares(10, 7);
        std::vector<torch::Tensor> recordings;
        for (std::int64_t i = 0; i < 10; ++i) {
            torch::Tensor frames = whole.read(i, 0, 7);
            frames.slice(0, first).slice(2, 0, 6).fill_(std::nanf(""));
            recordings.push_back(frames);
        }
        const FakeSource source(recordings);
        const auto learned = [&](const char* policy) {
            return rehearse(source, {std::string("model.strategy=") + strategy, policy, "train.epochs=4"}, false);
        };
        const Rehearsal mask = learned("data.missing=mask");
        const Rehearsal hold = learned("data.missing=hold");
        CHECK(mask.result.state.best_epoch > 0);
        const torch::Tensor past = at::rand({1, 4, 1, 12, 12});
        CHECK(at::equal(mask.best->forecast(past, 3), hold.best->forecast(past, 3)));
    }
}

TEST_CASE("scores are taken on the frames as they are") {
    const FakeSource source = moving_squares(6, 12);
    const WindowOptions window{4, 3, 1, 0};
    const std::vector<Window> windows = cut_windows(source.info(), window, {}, Part::all);
    std::size_t next = 0;
    const auto clairvoyant = [&](const Batch& batch, std::int64_t) {
        const auto end = next + static_cast<std::size_t>(batch.past.size(0));
        std::vector<torch::Tensor> truth;
        for (; next < end; ++next) truth.push_back(read_windows(source, window, {windows[next]}).target);
        return at::cat(truth);
    };
    const ScoreTable table = evaluate({source, window, windows, 4}, {{"clairvoyant", clairvoyant}}, {});
    CHECK(table.of("clairvoyant").value("mae", 0) == 0.0);
    CHECK(next == windows.size());
}

// Interrupted runs end as if they had not been.
#include "data/write/hdf5_io.h"
#include "src/error.h"
#include "src/log.h"
#include "src/run_directory.h"
#include "src/safetensors.h"
#include "src/verb.h"
#include "tests/data/fake_source.h"
#include "train/checkpoint_writer.h"
#include "train/prepare.h"
#include "train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

using namespace nowcell;

namespace {

using Overrides = std::vector<std::string>;

// Recordings of noise with a bright square; bad >= 0: frames of that recording are huge.
FakeSource squares(std::int64_t bad = -1) {
    at::manual_seed(17);
    std::vector<torch::Tensor> recordings;
    for (std::int64_t i = 0; i < 12; ++i) {
        torch::Tensor frames = at::rand({8, 1, 12, 12}) * 0.2;
        for (std::int64_t k = 0; k < 8; ++k) frames[k][0].narrow(0, i % 6, 5).narrow(1, (k + i) % 8, 4).fill_(1);
        recordings.push_back(i == bad ? frames * 1e25 : frames);
    }
    return FakeSource(recordings);
}

Config config_of(const Overrides& overrides) {
    Overrides all = {"data.path=memory",     "data.input_steps=4",     "data.output_steps=3", "data.split_by=sequence",
                     "data.normalize=none",  "train.epochs=3",         "train.batch=2",       "optim.lr=0.01",
                     "log.pictures_every=0", "checkpoint.keep=1000000"};
    all.insert(all.end(), overrides.begin(), overrides.end());
    return Config::parse("[[model.layers]]\nfilters = 4\n", "small", all);
}

// A run in a folder that may be gone on with.
class Run {
 public:
    Run(const FakeSource& source, const Overrides& overrides) : source_(source), config_(config_of(overrides)) {
        std::filesystem::create_directories(folder_.path("run/checkpoints"));
    }

    // From the beginning, or from a checkpoint of it.
    TrainResult train(const std::optional<Checkpoint>& from = {}) {
        at::set_num_threads(1);
        at::manual_seed(3);
        settle_period(config_, source_.info());
        const TrainingWindows windows = cut_training_windows(config_, source_.info());
        Forecaster forecaster = from ? Forecaster::from(*from, "run", torch::kCPU, config_)
                                     : prepare_forecaster(config_, source_, windows.training, torch::kCPU);
        Trainer trainer({source_, windows.training, windows.validation}, forecaster, run_, from);
        return trainer.run();
    }

    Checkpoint newest() const { return load_newest(run_); }
    const RunDirectory& directory() const { return run_; }

 private:
    TemporaryFolder folder_;
    const FakeSource& source_;
    Config config_;
    RunDirectory run_{folder_.path("run")};
};

void check_same(const Checkpoint& a, const Checkpoint& b) {
    REQUIRE(a.tensors.size() == b.tensors.size());
    for (const auto& [name, tensor] : a.tensors) {
        INFO(name);
        CHECK(at::equal(tensor, b.tensors.at(name)));
    }
}

Error error_of(Run& run) {
    try {
        run.train();
    } catch (const Error& error) {
        return error;
    }
    FAIL("trained without an error");
    return {ExitCode::ok, ""};
}

struct Quiet {
    Quiet() { set_verbosity(-1); }
    ~Quiet() { set_verbosity(0); }
};

}  // namespace

TEST_CASE("a run resumed from any of its steps ends with the same bits") {
    const FakeSource source = squares();
    const std::vector<Overrides> kinds = {
        {"checkpoint.every_steps=1"},
        {"checkpoint.every_steps=1", "train.ema=0.9", "optim.name=sgd", "optim.momentum=0.9", "schedule.name=cosine"},
        {"checkpoint.every_steps=1", "model.layers[0].dropout=0.3", "model.layers[0].norm=batch", "train.accumulate=2",
         "schedule.name=plateau", "schedule.patience=1"},
        {"checkpoint.every_steps=1", "model.strategy=next-frame", "train.sampling=scheduled", "train.sampling_stop=9",
         "train.curriculum_start=1", "data.augment=[\"flip-horizontal\"]", "data.prefetch=5"},
    };
    for (const Overrides& overrides : kinds) {
        INFO(overrides.back());
        Run whole(source, overrides);
        const TrainResult result = whole.train();
        const Checkpoint end = whole.newest();
        std::vector<std::int64_t> steps = whole.directory().checkpoint_steps();
        CHECK(steps.size() == static_cast<std::size_t>(result.state.step) + 1);
        for (const std::int64_t step : steps) {
            INFO("resumed at step " << step);
            Run again(source, overrides);
            const TrainResult ended = again.train(Checkpoint::load(whole.directory().step_checkpoint(step)));
            CHECK(ended.state.best_mae == result.state.best_mae);
            CHECK(ended.state.step == result.state.step);
            if (step == result.state.step) continue;  // it was over
            check_same(again.newest(), end);
            // Every epoch has one row.
            CHECK(again.newest().get_json("records").size() == end.get_json("records").size());
        }
    }
}

TEST_CASE("a run may be given more epochs, and one that is over trains no further") {
    const FakeSource source = squares();
    Run whole(source, {"train.epochs=4"});
    whole.train();
    Run shorter(source, {"train.epochs=2"});
    shorter.train();
    Run longer(source, {"train.epochs=4"});
    longer.train(shorter.newest());
    check_same(longer.newest(), whole.newest());
    Run over(source, {"train.epochs=2"});
    CHECK(over.train(shorter.newest()).why == "all epochs");
    CHECK(over.directory().checkpoint_steps().empty());
}

TEST_CASE("accumulated passes give the step of the large batch") {
    const FakeSource source = squares();
    Run large(source, {"train.batch=6"});
    large.train();
    Run passes(source, {"train.batch=2", "train.accumulate=3"});
    passes.train();
    const Checkpoint a = large.newest(), b = passes.newest();
    CHECK(a.get_json("training").at("step") == b.get_json("training").at("step"));
    for (const auto& [name, tensor] : a.get_tensors("model")) {
        INFO(name);
        CHECK(at::allclose(tensor, b.tensors.at("model." + name), 1e-3, 1e-5));
    }
}

TEST_CASE("NaN and Inf are found in the step, named, and treated as train.on_nan says") {
    const Quiet quiet;
    const FakeSource source = squares(/*bad=*/2);  // squared, its errors are infinite
    const Overrides squared = {"loss.name=mse", "checkpoint.every_steps=1"};
    const auto with = [&](const std::string& policy) {
        Overrides all = squared;
        all.push_back("train.on_nan=" + policy);
        return all;
    };
    Run halting(source, with("halt"));
    const Error error = error_of(halting);
    CHECK(error.code() == ExitCode::diverged);
    CHECK(holds(error.what(), "is not finite at epoch 1 step"));
    CHECK(holds(error.what(), "samples"));

    Run skipping(source, with("skip"));
    const TrainResult skipped = skipping.train();
    CHECK(skipped.why == "all epochs");
    for (const auto& [name, tensor] : skipping.newest().get_tensors("model"))
        CHECK(tensor.isfinite().all().item<bool>());

    Run rolling(source, with("rollback"));
    CHECK(rolling.train().why == "all epochs");
    for (const auto& [name, tensor] : rolling.newest().get_tensors("optim"))
        CHECK(tensor.isfinite().all().item<bool>());

    // Where nothing but bad steps is left, every policy ends.
    Run hopeless(source,
                 {"optim.lr=1e30", "optim.grad_clip=0", "train.on_nan=skip", "train.epochs=50", "loss.name=mse"});
    CHECK(error_of(hopeless).code() == ExitCode::diverged);
}

TEST_CASE("the first tensor that is not finite is named") {
    const Quiet quiet;
    const FakeSource source = squares();
    Run run(source, {"checkpoint.every_steps=1"});
    run.train();
    Checkpoint checkpoint = Checkpoint::load(run.directory().step_checkpoint(2));
    checkpoint.tensors.at("model.head.weight").view(-1)[0].fill_(std::nan(""));
    Run poisoned(source, {});
    try {
        poisoned.train(checkpoint);
        FAIL("learned from NaN");
    } catch (const Error& error) {
        CHECK(holds(error.what(), "weight head.weight is not finite"));
    }
}

TEST_CASE("flipped bits and truncations of a training checkpoint are detected, and the newest whole one is used") {
    const Quiet quiet;
    const FakeSource source = squares();
    Run run(source, {"train.ema=0.9"});
    run.train();
    const std::vector<std::int64_t> steps = run.directory().checkpoint_steps();
    REQUIRE(steps.size() >= 2);
    const std::string path = run.directory().step_checkpoint(steps[0]);
    std::ifstream in(path, std::ios::binary);
    const std::string good{std::istreambuf_iterator<char>(in), {}};
    std::mt19937_64 random(test_seed());
    std::size_t accepted = 0;
    const auto try_to_read = [&](const std::string& bytes) {
        try {
            from_safetensors(bytes, "bad");
            ++accepted;
        } catch (const Error& error) {
            if (error.code() != ExitCode::model) ++accepted;
        }
    };
    std::string bad = good;
    for (int flip = 0; flip < 10000; ++flip) {
        char& byte = bad[random() % bad.size()];
        const char before = byte;
        byte = static_cast<char>(byte ^ (1 << (random() % 8)));
        try_to_read(bad);
        byte = before;
    }
    for (std::size_t size = 0; size < good.size(); ++size) try_to_read(good.substr(0, size));
    CHECK(accepted == 0);
    REQUIRE_NOTHROW(from_safetensors(good, "good"));

    bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 4);
    std::filesystem::remove(path);  // not through the second name of the file
    std::ofstream(path, std::ios::binary) << bad;
    std::filesystem::remove(run.directory().checkpoint("last"));
    const Checkpoint fallback = run.newest();
    CHECK(TrainingState::from(fallback.get_json("training")).step == steps[1]);
    // What forecasts falls back too.
    std::ofstream(run.directory().checkpoint("best"), std::ios::binary) << good.substr(0, 100);
    CHECK_NOTHROW(Forecaster::load(run.directory().path(), torch::kCPU));
}

TEST_CASE("whatever is saved in whatever order, whole checkpoints stay: the newest ones, as many as asked for") {
    std::mt19937_64 random(test_seed());
    for (int trial = 0; trial < 60; ++trial) {
        const TemporaryFolder folder;
        const RunDirectory run(folder.path("run"));
        std::filesystem::create_directories(run.file("checkpoints"));
        const auto keep = static_cast<std::int64_t>(1 + random() % 3);
        std::int64_t step = 0;
        std::vector<std::int64_t> saved;
        for (int process = 0; process < 3; ++process) {
            const std::optional<std::int64_t> from = saved.empty() ? std::nullopt : std::optional(saved.back());
            CheckpointWriter writer(run, keep, from);
            const int saves = static_cast<int>(random() % 5);
            for (int i = 0; i < saves; ++i) {
                step += static_cast<std::int64_t>(1 + random() % 3);
                Checkpoint checkpoint;
                TrainingState state;
                state.step = step;
                checkpoint.put_json("training", state.json());
                writer.save(std::move(checkpoint), step, random() % 2 == 0);
                saved.push_back(step);
            }
            writer.finish();
            if (saved.empty()) continue;
            const std::vector<std::int64_t> there = run.checkpoint_steps();
            REQUIRE_FALSE(there.empty());
            if (saves > 0) CHECK(there.front() == saved.back());
            if (saves >= keep) CHECK(there.size() == static_cast<std::size_t>(keep));
            // Someone resumes from an older one, as when the newest are damaged.
            if (random() % 4 == 0) {
                step = there.back();
                saved.push_back(step);
            }
        }
    }
}

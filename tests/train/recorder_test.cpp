#include "train/recorder.h"
#include "src/error.h"
#include "train/progress.h"

#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace nowcell;

namespace {

std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<nlohmann::json> lines_of(const std::string& path) {
    std::vector<nlohmann::json> lines;
    std::istringstream in(text_of(path));
    for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
}

// "step 20", "epoch 40": which events there are, in their order.
std::vector<std::string> names_of(const std::string& path) {
    std::vector<std::string> names;
    for (const nlohmann::json& line : lines_of(path)) {
        names.push_back(line.at("event").get<std::string>() + " " + line.at("step").dump());
    }
    return names;
}

EpochRecord epoch_record(std::int64_t epoch, double mae) {
    return {epoch,         40 * epoch, 1e-3 / static_cast<double>(epoch + 1), epoch > 0 ? 0.5 : std::nan(""),
            mae,           mae * mae,  10.0 * static_cast<double>(epoch),     33.25,
            {mae, 2 * mae}};
}

StepRecord step_record(std::int64_t step, bool skipped = false) {
    return {step / 40 + 1, step, 1.0 / static_cast<double>(step), 1e-3, 0.7, 33.0, 0.01, skipped};
}

const LogOptions kOften{10, true, 1, 1};

// Steps from the one after `first` to `last` with an epoch every 40, as a trainer reports them.
void train(RunRecorder& recorder, std::int64_t first, std::int64_t last) {
    for (std::int64_t step = first + 1; step <= last; ++step) {
        recorder.step(step_record(step));
        if (step % 40 == 0) recorder.epoch(epoch_record(step / 40, 3.0 - static_cast<double>(step) / 100));
    }
}

}  // namespace

TEST_CASE("a recorder keeps rows, events, curves and the state of a run current") {
    const TemporaryFolder folder;
    const RunDirectory run(folder.path());
    RunRecorder recorder(run, kOften, "K", 2.0);
    recorder.started({{"command", "nowcell train"}, {"parameters", 12}});
    CHECK(nlohmann::json::parse(text_of(run.file("run.json"))).at("state") == "running");
    recorder.epoch(epoch_record(0, 5.0));
    train(recorder, 0, 40);
    recorder.step(step_record(43, /*skipped=*/true));
    recorder.event("warning", {{"text", "the disk is nearly full"}});
    recorder.finished("stopped", {{"ended_by", "signal"}});

    CHECK(names_of(run.file("events.jsonl")) == std::vector<std::string>{"started 0", "epoch 0", "step 10", "step 20",
                                                                         "step 30", "step 40", "epoch 40", "step 43",
                                                                         "warning 43", "stopped 43"});
    const auto lines = lines_of(run.file("events.jsonl"));
    CHECK(lines[1].at("train_loss").is_null());
    CHECK(lines[2].at("loss") == 0.1);
    CHECK(lines[6].at("val_mae_per_lead").size() == 2);
    CHECK(lines[7].at("skipped") == true);
    CHECK(lines[8].at("text") == "the disk is nearly full");
    CHECK(text_of(run.file("metrics.csv")) ==
          "epoch,step,lr,train_loss,val_mae,val_mse,seconds,sequences_per_s\n"
          "0,0,0.001,,5,25,0.0,33.25\n"
          "1,40,0.0005,0.5,2.6,6.76,10.0,33.25\n");
    const auto state = nlohmann::json::parse(text_of(run.file("run.json")));
    CHECK(state.at("schema") == "nowcell.run/1");
    CHECK(state.at("state") == "stopped");
    CHECK(state.at("command") == "nowcell train");
    CHECK(state.at("ended_by") == "signal");
    CHECK(state.at("best") == nlohmann::json({{"epoch", 1}, {"val_mae", 2.6}, {"unit", "K"}}));
    CHECK(state.at("started").get<std::string>().size() == std::string("2026-01-31T12:00:00Z").size());
    CHECK(state.at("ended").is_string());
    for (const char* name : {"loss.png", "loss.svg", "lr.svg"}) {
        CHECK(std::filesystem::file_size(run.file(name)) > 500);
    }
    CHECK(std::filesystem::exists(run.file("tb")));
}

TEST_CASE("the state of a run that an exception ends says which kind it was") {
    const TemporaryFolder folder;
    const RunDirectory run(folder.path());
    RunRecorder recorder(run, {.tensorboard = false}, "1", 1.0);
    recorder.started({});
    recorder.failed(Error(ExitCode::diverged, "loss nan"));
    auto state = nlohmann::json::parse(text_of(run.file("run.json")));
    CHECK(state.at("state") == "diverged");
    CHECK(state.at("error") == "loss nan");
    recorder.failed(std::runtime_error("disk on fire\nwith a trace"));
    state = nlohmann::json::parse(text_of(run.file("run.json")));
    CHECK(state.at("state") == "failed");
    CHECK(state.at("error") == "disk on fire");
    CHECK_FALSE(std::filesystem::exists(run.file("tb")));
}

TEST_CASE("whatever a kill leaves behind, a resumed run has every row once") {
    const TemporaryFolder whole_folder;
    const RunDirectory whole(whole_folder.path());
    RunRecorder uninterrupted(whole, kOften, "1", 1.0);
    uninterrupted.started({});
    uninterrupted.epoch(epoch_record(0, 5.0));
    train(uninterrupted, 0, 160);
    std::vector<std::string> expected = names_of(whole.file("events.jsonl"));

    // checkpoint: the step it was made at; killed: the step at which the process died, maybe long after it.
    for (const auto& [checkpoint, killed] : {std::pair{0, 35}, {40, 40}, {57, 79}, {57, 80}, {57, 159}, {80, 133}}) {
        for (const char* torn : {"", "{\"event\":\"st", "\n\n", "[]\n17\n"}) {
            INFO("checkpoint " << checkpoint << ", killed " << killed << ", torn '" << torn << "'");
            const TemporaryFolder folder;
            const RunDirectory run(folder.path());
            Resumption covered;
            {
                RunRecorder recorder(run, kOften, "1", 1.0);
                recorder.started({{"seed", 4}});
                recorder.epoch(epoch_record(0, 5.0));
                train(recorder, 0, checkpoint);
                // As a checkpoint would keep it.
                const std::string kept = to_json(recorder.records()).dump();
                covered = {checkpoint, epoch_records_from(nlohmann::json::parse(kept))};
                train(recorder, checkpoint, killed);
            }
            std::ofstream(run.file("events.jsonl"), std::ios::app) << torn;
            RunRecorder recorder(run, kOften, "1", 1.0, covered);
            recorder.started({});
            train(recorder, checkpoint, 160);
            auto names = names_of(run.file("events.jsonl"));
            const std::string mark = "resumed " + std::to_string(checkpoint);
            CHECK(std::count(names.begin(), names.end(), mark) == 1);
            names.erase(std::remove(names.begin(), names.end(), mark), names.end());
            CHECK(names == expected);
            CHECK(text_of(run.file("metrics.csv")) == text_of(whole.file("metrics.csv")));
            const auto state = nlohmann::json::parse(text_of(run.file("run.json")));
            CHECK(state.at("seed") == 4);
            CHECK(state.at("resumed_from").at("step") == checkpoint);
        }
    }
}

TEST_CASE("the rows of events.jsonl are those of the checkpoint, whatever a loss of power took") {
    const TemporaryFolder folder;
    const RunDirectory run(folder.path());
    const Resumption covered{80, {epoch_record(0, 5.0), epoch_record(1, 2.6), epoch_record(2, 2.2)}};
    std::ofstream(run.file("events.jsonl")) << "{\"event\":\"epoch\",\"step\":0,\"epoch\":0}\n";
    { const RunRecorder recorder(run, kOften, "1", 1.0, covered); }
    CHECK(names_of(run.file("events.jsonl")) == std::vector<std::string>{"epoch 0", "epoch 40", "epoch 80"});
    // And a row that the checkpoint does not have goes, though it is of the checkpoint's step: it will be made again.
    const Resumption before_validation{80, {epoch_record(0, 5.0), epoch_record(1, 2.6)}};
    const RunRecorder recorder(run, kOften, "1", 1.0, before_validation);
    CHECK(names_of(run.file("events.jsonl")) == std::vector<std::string>{"epoch 0", "epoch 40"});
}

TEST_CASE("a new run in an old folder begins anew") {
    const TemporaryFolder folder;
    const RunDirectory run(folder.path());
    {
        RunRecorder recorder(run, kOften, "1", 1.0);
        recorder.started({{"seed", 4}});
        train(recorder, 0, 80);
    }
    RunRecorder recorder(run, kOften, "1", 1.0);
    recorder.started({});
    CHECK(names_of(run.file("events.jsonl")) == std::vector<std::string>{"started 0"});
    CHECK_FALSE(nlohmann::json::parse(text_of(run.file("run.json"))).contains("seed"));
    CHECK_FALSE(nlohmann::json::parse(text_of(run.file("run.json"))).contains("best"));
}

TEST_CASE("epoch records survive a checkpoint exactly") {
    const std::vector<EpochRecord> records = {
        epoch_record(0, 0.1), {3, 120, 1.0 / 3, 0.2, 1e-17, 5e300, 12.3456789, 7.0, {1.0 / 7, std::nan("")}}};
    const auto again = epoch_records_from(nlohmann::json::parse(to_json(records).dump()));
    REQUIRE(again.size() == 2);
    CHECK(std::isnan(again[0].train_loss));
    CHECK(again[1].lr == 1.0 / 3);
    CHECK(again[1].validation_mae == 1e-17);
    CHECK(again[1].validation_mse == 5e300);
    CHECK(again[1].mae_per_lead[0] == 1.0 / 7);
    CHECK(std::isnan(again[1].mae_per_lead[1]));
    CHECK(metrics_csv(again) == metrics_csv(records));
}

TEST_CASE("a progress record says the same as text and as JSON") {
    const ProgressRecord record{2, 50, 40, 125, 0.066184, 3e-3, 56.81, 0.08, 812.4, 3780};
    CHECK(record.text() ==
          "epoch 2/50  step 40/125  loss 0.06618  56.8 sequences/s  ETA 1h03m  lr 3.0e-03  waiting 8 %  812 MiB");
    const auto json = nlohmann::json::parse(record.json().dump());
    CHECK(json.at("epoch_step") == 40);
    CHECK(json.at("waiting") == 0.08);
    CHECK(json.at("eta_s") == 3780);
    CHECK(time_text(-3.0) == "0s");
    CHECK(time_text(187.2) == "3m07s");
    CHECK(process_memory_mib() > 5.0);
}

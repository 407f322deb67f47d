// Training that is killed at random moments, and taken up again, ends with the weights of an undisturbed run.
#include "src/checkpoint.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

using nowcell::Checkpoint;

namespace {

const char* const kConfig = R"([data]
path = "digits.h5"
input_steps = 4
output_steps = 3
split_by = "sequence"
[[model.layers]]
filters = 4
dropout = 0.1
[train]
epochs = 3
batch = 4
ema = 0.9
[checkpoint]
every_steps = 1
)";

const std::vector<std::string> kTrain = {"train", "--config",  "small.toml", "--output",   "run", "--resume",
                                         "auto",  "--threads", "1",          "--progress", "none"};

bool same_tensors(const std::string& a, const std::string& b) {
    const Checkpoint one = Checkpoint::load(a), other = Checkpoint::load(b);
    if (one.tensors.size() != other.tensors.size()) return false;
    for (const auto& [name, tensor] : one.tensors) {
        if (!at::equal(tensor, other.tensors.at(name))) return false;
    }
    return true;
}

// NOWCELL_KILLS: how many; a night has 200.
int kills_wanted() {
    const char* text = std::getenv("NOWCELL_KILLS");
    return text != nullptr ? std::atoi(text) : 50;
}

void check_interruptions(int signal, int wanted, int code) {
    const TemporaryFolder folder;
    REQUIRE(run_nowcell({"data", "make", "bouncing-digits", "--output", "digits.h5", "--size", "16", "--frames", "8",
                         "--count", "60", "--seed", "1"},
                        folder.path())
                .code == 0);
    std::ofstream(folder.path("small.toml")) << kConfig;
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(run_nowcell(kTrain, folder.path()).code == 0);
    const double whole_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::filesystem::rename(folder.path("run"), folder.path("undisturbed"));

    std::mt19937_64 random(test_seed());
    std::uniform_real_distribution<double> moment(0.02, 0.9 * whole_s);
    int interrupted = 0;
    while (interrupted < wanted) {
        for (int here = 0; here < 5 && interrupted < wanted;) {
            const double after_s = moment(random);
            INFO("interruption " << interrupted << " after " << after_s << " s");
            const Outcome outcome = run_nowcell_for(kTrain, folder.path(), after_s, signal);
            if (outcome.code == 0) break;  // it was done before
            INFO(outcome.err);
            REQUIRE(outcome.code == code);
            ++interrupted;
            ++here;
        }
        const Outcome last = run_nowcell(kTrain, folder.path());
        INFO(last.err);
        REQUIRE(last.code == 0);
        for (const char* which : {"best", "last"}) {
            const std::string name = fmt::format("/checkpoints/{}.safetensors", which);
            CHECK(same_tensors(folder.path("run") + name, folder.path("undisturbed") + name));
        }
        for (const std::string& file : tree(folder.path("run"))) CHECK_FALSE(holds(file, ".tmp."));
        // The rows and events of all processes together are those of one.
        std::ifstream csv(folder.path("run/metrics.csv"));
        int rows = 0;
        for (std::string line; std::getline(csv, line);) ++rows;
        CHECK(rows == 5);
        std::filesystem::remove_all(folder.path("run"));
    }
}

}  // namespace

TEST_CASE("a run that is killed at random moments ends with the weights of an undisturbed one") {
    check_interruptions(SIGKILL, kills_wanted(), 128 + SIGKILL);
}

TEST_CASE("a run that is terminated at random moments saves, and ends with the weights of an undisturbed one") {
    // Before training has begun there is nothing to save, and the signal ends the program at once.
    check_interruptions(SIGTERM, (kills_wanted() + 1) / 2, 128 + SIGTERM);
}

TEST_CASE("a run whose terminal is closed saves, and ends with the weights of an undisturbed one") {
    check_interruptions(SIGHUP, (kills_wanted() + 9) / 10, 128 + SIGHUP);
}

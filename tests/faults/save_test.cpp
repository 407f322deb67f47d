// Every system call of a save, failing: nothing is lost, and the error says what is to be known.
#include "src/error.h"
#include "src/log.h"
#include "train/checkpoint_writer.h"
#include "train/training_state.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/faults.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

using namespace nowcell;

namespace {

Checkpoint checkpoint_of(std::int64_t step) {
    Checkpoint checkpoint;
    checkpoint.tensors["model.weight"] = at::full({3000}, static_cast<float>(step));
    checkpoint.sections["config"] = "[data]\n";
    TrainingState state;
    state.step = step;
    checkpoint.put_json("training", state.json());
    return checkpoint;
}

void save(const RunDirectory& run, std::int64_t step, std::int64_t before) {
    CheckpointWriter writer(run, 2, before);
    writer.save(checkpoint_of(step), step, /*best=*/true);
    writer.finish();
}

std::int64_t newest_step(const RunDirectory& run) {
    const Checkpoint checkpoint = load_newest(run);
    const TrainingState state = TrainingState::from(checkpoint.get_json("training"));
    CHECK(checkpoint.tensors.at("model.weight")[0].item<float>() == static_cast<float>(state.step));
    return state.step;
}

bool has_temporaries(const std::string& folder) {
    const std::vector<std::string> files = tree(folder);
    return std::any_of(files.begin(), files.end(), [](const std::string& name) { return holds(name, ".tmp."); });
}

// A run with a checkpoint of step 1, and the number of calls that saving another one takes.
struct SavedRun {
    SavedRun() {
        std::filesystem::create_directories(folder.path("run/checkpoints"));
        save(run, 1, 0);
        set_verbosity(-1);
    }
    ~SavedRun() { set_verbosity(0); }

    TemporaryFolder folder;
    RunDirectory run{folder.path("run")};
};

int calls_of_a_save() {
    const SavedRun saved;
    faults::arm(faults::Kind::none, 0, 0);
    save(saved.run, 2, 1);
    return faults::disarm();
}

}  // namespace

TEST_CASE("whichever call of a save fails, a whole checkpoint stays and the error names path, needed and free bytes") {
    const int calls = calls_of_a_save();
    REQUIRE(calls >= 15);  // three files: open, write, sync, stat, rename or link, the folder
    int failed = 0;
    for (const faults::Kind kind : {faults::Kind::error, faults::Kind::short_write}) {
        for (const int error : {ENOSPC, EIO, EDQUOT}) {
            for (int at = 1; at <= calls; ++at) {
                INFO("call " << at << " of " << calls << ", errno " << error);
                const SavedRun saved;
                std::string message;
                faults::arm(kind, at, error);
                try {
                    save(saved.run, 2, 1);
                } catch (const Error& thrown) {
                    faults::disarm();
                    CHECK(thrown.code() == ExitCode::output);
                    message = thrown.block("nowcell");
                }
                faults::disarm();
                const std::int64_t step = newest_step(saved.run);
                CHECK((step == 1 || step == 2));
                CHECK_NOTHROW(Checkpoint::load(saved.run.checkpoint("best")));
                CHECK_NOTHROW(Checkpoint::load(saved.run.checkpoint("last")));
                CHECK_FALSE(has_temporaries(saved.run.path()));
                if (!message.empty()) {
                    ++failed;
                    CHECK(holds(message, saved.run.path()));
                    if (error == ENOSPC) CHECK(holds(message, "free"));
                }
                // Once there is room again, it goes on.
                save(saved.run, 3, step);
                CHECK(newest_step(saved.run) == 3);
            }
        }
    }
    CHECK(failed > 2 * calls);
}

TEST_CASE("a save that is killed at any of its calls leaves a whole checkpoint") {
    const int calls = calls_of_a_save();
    for (int at = 1; at <= calls; ++at) {
        INFO("killed before call " << at << " of " << calls);
        const SavedRun saved;
        const pid_t child = ::fork();
        if (child == 0) {
            faults::arm(faults::Kind::kill, at, 0);
            save(saved.run, 2, 1);
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        CHECK(WIFSIGNALED(status));
        const std::int64_t step = newest_step(saved.run);
        CHECK((step == 1 || step == 2));
        CHECK_NOTHROW(Checkpoint::load(saved.run.checkpoint("best")));
        saved.run.remove_temporaries();
        CHECK_FALSE(has_temporaries(saved.run.path()));
        save(saved.run, 3, step);
        CHECK(newest_step(saved.run) == 3);
    }
}

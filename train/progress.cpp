#include "train/progress.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace nowcell {
std::string ProgressRecord::text() const {
    return fmt::format(
        "epoch {}/{}  step {}/{}  loss {:.5f}  {:.1f} sequences/s  ETA {}  lr {:.1e}  waiting {:.0f} %  {:.0f} MiB",
        epoch, epochs, epoch_step, epoch_steps, loss, sequences_per_s, time_text(eta_s), lr, 100.0 * waiting,
        memory_mib);
}

nlohmann::ordered_json ProgressRecord::json() const {
    return {{"epoch", epoch},
            {"epochs", epochs},
            {"epoch_step", epoch_step},
            {"epoch_steps", epoch_steps},
            {"loss", loss},
            {"lr", lr},
            {"sequences_per_s", sequences_per_s},
            {"waiting", waiting},
            {"memory_mib", memory_mib},
            {"eta_s", eta_s}};
}

void TrainingProgress::show(const ProgressRecord& record) {
    if (narration() == Narration::json) {
        log_object("progress", record.json());
    } else {
        line_.show(record.text());
    }
}

void TrainingProgress::finish(const EpochRecord& record, const std::string& text) {
    log_object("epoch", to_json(record));
    line_.finish(text);
}

double process_memory_mib() {
    std::ifstream status("/proc/self/status");
    double kib = 0.0;
    for (std::string word; status >> word;) {
        double value = 0.0;
        if ((word == "RssAnon:" || word == "RssShmem:") && status >> value) kib += value;
    }
    return kib / 1024.0;
}

std::string time_text(double seconds) {
    const auto whole = static_cast<std::int64_t>(std::lround(std::max(0.0, seconds)));
    if (whole < 60) return fmt::format("{}s", whole);
    if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
    return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

}  // namespace nowcell

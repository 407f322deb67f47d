#include "train/progress.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace nowcell {
namespace {

constexpr double kWorthSaying = 0.05;  // share of time waiting for data

}  // namespace

std::string ProgressRecord::text() const {
    const std::string wait = waiting > kWorthSaying ? fmt::format("  {:.0f} % waiting for data", 100 * waiting) : "";
    return fmt::format("epoch {}/{}  step {}/{}  loss {:.5f}  lr {:.1e}  {:.1f} sequences/s{}  {:.0f} MiB  ETA {}",
                       epoch, epochs, epoch_step, epoch_steps, loss, lr, sequences_per_s, wait, memory_mib,
                       time_text(eta_s));
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

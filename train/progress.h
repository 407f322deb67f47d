// What a user sees while a network is trained.
#pragma once

#include "src/log.h"
#include "train/records.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>

namespace nowcell {

/// Where training stands.
struct ProgressRecord {
    std::int64_t epoch = 0;
    std::int64_t epochs = 0;
    std::int64_t epoch_step = 0;
    std::int64_t epoch_steps = 0;
    double loss = 0.0;  ///< mean over the epoch so far, model units
    double lr = 0.0;
    double sequences_per_s = 0.0;
    double waiting = 0.0;     ///< share of the epoch's time spent waiting for data, 0..1
    double memory_mib = 0.0;  ///< of this process
    double eta_s = 0.0;       ///< until the end of the run

    /// "epoch 2/50  step 40/125  loss 0.06618  56.8 sequences/s  ETA 1h03m  lr 3.0e-03  waiting 1 %  812 MiB": what
    /// matters most first, as a narrow terminal cuts the rest.
    std::string text() const;

    nlohmann::ordered_json json() const;
};

/// The live line of training, plain lines, or objects, as set_narration() says: at most one in 0.1 s on a terminal, one
/// a second as objects, else one in 30 s and not more than 15 an epoch.
class TrainingProgress {
 public:
    /// Whether it is time to show something; who is told so calls show().
    bool due(std::int64_t epoch_step, std::int64_t epoch_steps) {
        return line_.due(static_cast<double>(epoch_step) / static_cast<double>(epoch_steps));
    }
    void show(const ProgressRecord& record);

    /// The end of an epoch, in a line that stays; as objects also the record.
    void finish(const EpochRecord& record, const std::string& text);

 private:
    ProgressLine line_;
};

/// MiB of memory that this process holds now, without what is mapped from files.
double process_memory_mib();

/// "42s", "3m07s", "2h05m".
std::string time_text(double seconds);

}  // namespace nowcell

// The one file of src/ that looks up: it collects what every folder puts on the command line.
#include "src/surface.h"

#include "data/verbs.h"
#include "predict/verbs.h"
#include "src/error.h"
#include "src/model_options.h"
#include "src/verbs.h"
#include "train/checkpoint_options.h"
#include "train/log_keys.h"
#include "train/train_options.h"
#include "train/verbs.h"

#include <fmt/format.h>

namespace nowcell {
namespace {

template <typename T>
void append(std::vector<T>& all, std::vector<T> more) {
    for (T& element : more) all.push_back(std::move(element));
}

}  // namespace

const std::vector<Key>& all_keys() {
    static const std::vector<Key> keys = [] {
        std::vector<Key> all = data_keys();
        append(all, model_keys());
        append(all, train_keys());
        append(all, checkpoint_keys());
        append(all, log_keys());
        append(all, predict_keys());
        return all;
    }();
    return keys;
}

const std::vector<Verb>& all_verbs() {
    static const std::vector<Verb> verbs = [] {
        std::vector<Verb> all = train_verbs();
        append(all, predict_verbs());
        append(all, data_verbs());
        append(all, src_verbs());
        return all;
    }();
    return verbs;
}

void check_config(const Config& config) {
    check_output_range(ModelOptions::from(config), config);
    TrainOptions::from(config);
    check_device_name(config.text("train.device"), config.where("train.device"));
    for (const char* part : {"data.split.train", "data.split.validation", "data.split.test"}) {
        const std::vector<double> range = config.numbers(part);
        if (range.size() == 2 && range[0] < range[1]) continue;
        throw Error(ExitCode::usage, fmt::format("{} must be [begin, end) with begin < end", part), config.where(part),
                    "such as [0.0, 0.8], or [0, 456] in steps");
    }
}

void check_device_name(const std::string& name, const std::string& where) {
    const bool numbered = name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() <= 8 &&
                          name.find_first_not_of("0123456789", 5) == std::string::npos;
    if (name == "auto" || name == "cpu" || name == "cuda" || numbered) return;
    throw Error(ExitCode::usage, fmt::format("unknown device '{}', expected auto, cpu or cuda[:N]", name), where);
}

}  // namespace nowcell

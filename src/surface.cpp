// The one file of src/ that looks up: it collects what every folder puts on the command line.
#include "src/surface.h"

#include "data/verbs.h"
#include "predict/verbs.h"
#include "src/model_options.h"
#include "src/verbs.h"
#include "train/verbs.h"

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

void check_config(const Config& config) { ModelOptions::from(config); }

}  // namespace nowcell

#include "data/baseline.h"
#include "predict/verbs.h"
#include "src/config.h"
#include "src/error.h"
#include "src/verbs.h"
#include "tests/support/catch.h"

#include <algorithm>

using namespace nowcell;

namespace {

std::vector<std::string> choices_of(const std::vector<Key>& keys, const std::string& name) {
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == name; });
    return found == keys.end() ? std::vector<std::string>() : found->choices;
}

}  // namespace

TEST_CASE("configurations can name every baseline") {
    std::vector<std::string> names;
    for (const auto& one : all_baselines({24, 0.9, torch::zeros({1, 2, 2})})) names.push_back(one->name());
    CHECK(choices_of(predict_keys(), "eval.baselines") == names);
    CHECK(choices_of(model_keys(), "model.decoder_inputs") == names);
    names.erase(std::find(names.begin(), names.end(), "climatology"));  // it knows nothing of the input to correct
    names.insert(names.begin(), "none");
    CHECK(choices_of(model_keys(), "model.residual_on") == names);
}

TEST_CASE("an array with an unknown name is refused with the nearest one") {
    try {
        Config::parse("[eval]\nbaselines = [\"persistence\", \"sprog\"]\n", "c.toml");
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::usage);
        CHECK(error.block("").find("did you mean 's-prog'?") != std::string::npos);
    }
}

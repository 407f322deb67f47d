// Every configuration key changes something that a user can see.
#include "tests/train/key_effects.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <map>
#include <set>

using namespace nowcell::effects;
using nowcell::all_keys;

namespace {

/// One key: the value it is given beside its default (or beside what `also` gives it), what else must be set for it to
/// act, and where the difference shows.
struct Row {
    std::string key;
    std::string value;
    Overrides also = {};
    Observe observe = trajectory;
};

const Overrides kLong = {"data.path=@long.h5", "data.split.train=[0.0,0.5]", "data.split.validation=[0.5,0.75]",
                         "data.split.test=[0.75,1.0]"};
const Overrides kBalanced = {"loss.name=b-mae", "loss.thresholds=[0.3]", "loss.threshold_weights=[1,3]"};
const Overrides kSgd = {"optim.name=sgd", "optim.lr=0.5"};
const Overrides kStep = {"schedule.name=step", "schedule.every=1", "train.epochs=3"};
const Overrides kCycle = {"schedule.name=one-cycle", "train.epochs=4"};
// Nothing is an improvement: the rate falls as soon as it may.
const Overrides kPlateau = {"schedule.name=plateau", "schedule.min_delta=0.9", "schedule.patience=1", "train.epochs=6"};
const Overrides kNextFrame = {"model.strategy=next-frame"};
const Overrides kScheduled = {"model.strategy=next-frame", "train.sampling=scheduled", "train.sampling_stop=8"};
const Overrides kTwoLayers = {"model.layers[1].filters=3"};
const Overrides kGru = {"model.layers[0].cell=conv_gru"};

std::vector<Row> data_rows() {
    return {
        {"data.path", "@other.h5", {}, reading},
        {"data.dataset", "/b", {"data.path=@two.h5", "data.dataset=/a"}, reading},
        {"data.target", "/b", {"data.path=@two.h5", "data.dataset=/a"}},
        {"data.target_path", "@other.h5", {"data.target=/frames"}},
        {"data.layout", "tnhw", {}, reading},
        {"data.rows", "[0,8]", {}, reading},
        {"data.columns", "[2,10]", {}, reading},
        {"data.trust", "readers", {"data.readers=1"}, reader_processes},
        {"data.readers", "3", {"data.trust=readers", "data.readers=1"}, reader_processes},
        {"data.limits.memory", "16MiB", {"data.path=@huge.h5", "data.trust=readers", "data.readers=1"}, reading},
        {"data.limits.request_s",
         "0.2",
         {"data.path=@hang-open", "data.trust=readers", "data.limits.request_s=0.1"},
         hanging_reading},
        {"data.input_steps", "3"},
        {"data.output_steps", "3"},
        {"data.stride", "1", {}, windows},
        {"data.frame_step", "2", {"data.input_steps=2"}, windows},
        {"data.step", "1h", {}, reading},
        {"data.period", "3", kLong, windows},
        {"data.normalize", "zscore"},
        {"data.missing", "mask", {"data.path=@holes.h5", "data.missing=zero"}},
        {"data.split_by", "time", kLong, windows},
        {"data.split.train", "[0,6]", {}, windows},
        {"data.split.validation", "[9,10]", {}, windows},
        {"data.split.test", "[11,12]", {}, windows},
        {"data.augment", "[\"flip-horizontal\"]"},
        {"data.augment_crop", "8"},
        {"data.prefetch", "5", {}, read_ahead},
        {"eval.stride", "1", {"data.stride=2", "eval.stride=3"}, evaluation},
        {"eval.validation_stride", "3"},
        {"eval.batch", "1", {}, evaluation},
        {"eval.dialect", "openstl", {}, evaluation},
        {"eval.metrics", "[\"mae\"]", {}, evaluation},
        {"eval.thresholds", "[0.5]", {}, evaluation},
        {"eval.fss_scales", "[3]", {"eval.thresholds=[0.5]"}, evaluation},
        {"eval.csi_pools", "[2]", {"eval.thresholds=[0.5]"}, evaluation},
        {"eval.range", "[0,3]", {}, evaluation},
        {"eval.baselines", "[\"persistence\"]", {}, evaluation},
        {"eval.tile", "16", {}, forecast_memory},
        {"eval.min_input_steps", "2", kNextFrame, evaluation},
    };
}

std::vector<Row> model_rows() {
    const Overrides norm = {"model.layers[0].gate_norm=channels"};
    return {
        {"cells.algorithm", "reference"},
        {"cells.cuda_graph", "true", {}, cuda_graphs},
        {"model.strategy", "next-frame"},
        {"model.residual_on", "persistence"},
        {"model.decoder_inputs", "[\"persistence\"]"},
        {"model.relative", "true"},
        {"model.head", "conv3d"},
        {"model.head_kernel", "1"},
        {"model.output_activation", "sigmoid"},
        {"model.time_padding", "same", {"model.strategy=next-frame", "model.head=conv3d"}},
        {"model.head_bias", "false"},
        {"model.patch", "2"},
        {"model.layers[].cell", "conv_gru"},
        {"model.layers[].filters", "4"},
        {"model.layers[].kernel", "5"},
        {"model.layers[].stride", "2"},
        {"model.layers[].dilation", "2"},
        {"model.layers[].padding", "valid"},
        {"model.layers[].return_sequences", "false", kNextFrame},
        {"model.layers[].activation", "relu"},
        {"model.layers[].recurrent_activation", "hard_sigmoid"},
        {"model.layers[].bias", "false"},
        {"model.layers[].forget_bias", "0.0"},
        {"model.layers[].peephole", "channel"},
        {"model.layers[].gate_norm", "channels"},
        {"model.layers[].gate_norm_on", "sum", norm},
        {"model.layers[].reset", "before", kGru},
        {"model.layers[].update", "replace", kGru},
        {"model.layers[].dropout", "0.3"},
        {"model.layers[].recurrent_dropout", "0.3"},
        {"model.layers[].zoneout", "0.3"},
        {"model.layers[].zoneout_cell", "0.3"},
        {"model.layers[].norm", "layer"},
        {"model.layers[].norm_groups", "3", {"model.layers[0].norm=group", "model.layers[0].norm_groups=1"}},
        {"model.layers[].residual", "true"},
        {"model.layers[].downsample", "2", kTwoLayers},
        {"model.layers[].scale_kernel", "5", {"model.layers[1].filters=3", "model.layers[1].downsample=2"}},
        {"model.layers[].memory", "recompute", {}, step_memory},
    };
}

std::vector<Row> learning_rows() {
    return {
        {"loss.name", "mse"},
        {"loss.huber_delta", "0.1", {"loss.name=huber"}},
        {"loss.thresholds", "[0.7]", kBalanced},
        {"loss.threshold_weights", "[1,9]", kBalanced},
        {"loss.gradient_weight", "0.5"},
        {"loss.ssim_weight", "0.5"},
        {"loss.lead_weights", "[1,3]"},
        {"loss.lead_growth", "linear"},
        {"loss.lead_upper", "2.0", {"loss.lead_growth=exponential"}},
        {"optim.name", "adam-keras"},
        {"optim.lr", "0.02"},
        {"optim.betas", "[0.5,0.9]"},
        {"optim.eps", "1e-3"},
        {"optim.momentum", "0.9", kSgd},
        {"optim.nesterov", "true", {"optim.name=sgd", "optim.momentum=0.9"}},
        {"optim.weight_decay", "0.1"},
        {"optim.grad_clip", "0.01", kSgd},
        {"optim.clip", "value", {"optim.name=sgd", "optim.grad_clip=0.01"}},
        {"schedule.name", "cosine"},
        {"schedule.warmup_steps", "3"},
        {"schedule.min_lr", "0.005", {"schedule.name=cosine"}},
        {"schedule.factor", "0.5", kStep},
        {"schedule.every", "2", kStep},
        {"schedule.unit", "step", kStep},
        {"schedule.rise", "0.6", kCycle},
        {"schedule.divide", "5.0", kCycle},
        {"schedule.divide_final", "10.0", kCycle},
        {"schedule.anneal", "linear", kCycle},
        {"schedule.rule", "pytorch", kPlateau},
        {"schedule.patience", "2", kPlateau},
        {"schedule.min_delta", "0.0", kPlateau},
        {"schedule.cooldown", "2", kPlateau},
        {"train.epochs", "3"},
        {"train.max_time", "0.000001", {"train.epochs=2"}, ending},
        {"train.batch", "4"},
        {"train.accumulate", "2"},
        {"train.epoch_windows", "8"},
        {"train.seed", "1"},
        {"train.patience", "1", {"optim.lr=0.0", "train.epochs=4"}, ending},
        {"train.min_delta", "0.9", {"train.patience=1", "train.epochs=3"}, ending},
        {"train.ema", "0.9"},
        {"train.precision", "bfloat16"},
        {"train.device", "cuda", {}, device},
        {"train.sampling", "reverse", kNextFrame},
        {"train.sampling_decay", "exponential", kScheduled},
        {"train.sampling_start", "4", kScheduled},
        {"train.sampling_stop", "4", kScheduled},
        {"train.sampling_alpha",
         "1.0",
         {"model.strategy=next-frame", "train.sampling=scheduled", "train.sampling_decay=exponential"}},
        {"train.curriculum_start", "1"},
        {"train.curriculum_epochs", "1", {"train.curriculum_start=1", "train.epochs=3"}},
    };
}

std::vector<Row> recording_rows() {
    const Overrides often = {"checkpoint.keep=100", "train.epochs=3", "optim.lr=0.0"};  // no epoch is a new best one
    return {
        {"train.on_nan", "skip", {"optim.lr=1e30", "optim.grad_clip=0.0", "loss.name=mse", "train.epochs=4"}},
        {"train.deterministic", "true", {}, strictness},
        {"checkpoint.every", "2", often, records},
        {"checkpoint.every_steps", "1", often, records},
        {"checkpoint.every_time", "0.000001", often, records},
        {"checkpoint.keep", "1", often, records},
        {"log.every_steps", "1", {}, records},
        {"log.tensorboard", "false", {}, records},
        {"log.pictures_every", "2", {}, records},
        {"log.pictures", "2", {}, records},
    };
}

std::vector<Row> all_rows() {
    std::vector<Row> all;
    for (const auto& rows : {data_rows(), model_rows(), learning_rows(), recording_rows()})
        all.insert(all.end(), rows.begin(), rows.end());
    return all;
}

// "model.layers[].stride" is set in the first layer.
std::string assignment(const Row& row) {
    std::string key = row.key;
    const bool between = key.ends_with("downsample") || key.ends_with("scale_kernel");  // the layer and the one below
    if (const auto at = key.find("[]"); at != std::string::npos) key.insert(at + 1, between ? "1" : "0");
    return key + "=" + row.value;
}

// What can be seen without the row's value; many rows start from the same.
const std::string& before(const Row& row) {
    static std::map<std::pair<Observe, Overrides>, std::string> known;
    const auto found = known.find({row.observe, row.also});
    if (found != known.end()) return found->second;
    return known[{row.observe, row.also}] = row.observe(row.also);
}

}  // namespace

TEST_CASE("every configuration key has a row in the table of effects") {
    std::set<std::string> rows;
    for (const Row& row : all_rows()) {
        INFO(row.key);
        CHECK(rows.insert(row.key).second);
    }
    for (const nowcell::Key& key : all_keys()) {
        INFO(key.name << " needs a row in tests/train/keys_test.cpp");
        CHECK(rows.erase(key.name) == 1);
    }
    CHECK(rows == std::set<std::string>{});
}

TEST_CASE("what is observed of the same configuration twice is the same") {
    std::set<Observe> seen;
    for (const Row& row : all_rows()) {
        if (!seen.insert(row.observe).second) continue;
        INFO(row.key);
        CHECK(before(row) == row.observe(row.also));
    }
}

TEST_CASE("every configuration key has an effect") {
    for (const Row& row : all_rows()) {
        Overrides changed = row.also;
        changed.push_back(assignment(row));
        const std::string after = row.observe(changed);
        const bool differs = before(row) != after;
        INFO(assignment(row) << "\nbefore:\n" << before(row) << "\nafter:\n" << after);
        CHECK(before(row).rfind("error 2", 0) != 0);  // a configuration that is refused shows nothing
        CHECK(after.rfind("error 2", 0) != 0);
        CHECK(differs);
    }
}

// What a user writes in [[model.layers]] and what a layer is then made of.
#include "cells/conv_gru.h"
#include "cells/conv_lstm.h"
#include "src/error.h"
#include "src/help.h"
#include "src/layer.h"
#include "src/model_options.h"

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <algorithm>

using nowcell::Config;
using nowcell::Error;
using nowcell::ExitCode;
using nowcell::FrameSize;
using nowcell::LayerOptions;
using nowcell::ModelOptions;

namespace {

LayerOptions parsed(const std::string& lines) {
    const Config config = Config::parse("[data]\npath = \"a.h5\"\n[[model.layers]]\n" + lines, "exp.toml");
    return LayerOptions::from(config, 0);
}

std::string failure(const std::string& lines, const std::vector<std::string>& overrides = {}) {
    try {
        const Config config =
            Config::parse("[data]\npath = \"a.h5\"\n[[model.layers]]\n" + lines, "exp.toml", overrides);
        ModelOptions::from(config);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::usage);
        return error.block("nowcell");
    }
    return "";
}

const nowcell::Key& key_named(const std::string& name) {
    const auto& keys = nowcell::all_keys();
    return *std::find_if(keys.begin(), keys.end(), [&](const nowcell::Key& key) { return key.name == name; });
}

std::vector<std::string> sorted(std::vector<std::string> names) {
    std::sort(names.begin(), names.end());
    return names;
}

// The layer of these lines as a ConvLstm, or nullptr.
std::shared_ptr<nowcell::ConvLstm> lstm(const std::string& lines) {
    return std::dynamic_pointer_cast<nowcell::ConvLstm>(nowcell::make_layer(parsed(lines), 2, FrameSize{9, 8}));
}

std::shared_ptr<nowcell::ConvGru> gru(const std::string& lines) {
    return std::dynamic_pointer_cast<nowcell::ConvGru>(
        nowcell::make_layer(parsed("cell = \"conv_gru\"\n" + lines), 2, FrameSize{9, 8}));
}

std::string quoted(const std::string& name, const std::string& value) { return name + " = \"" + value + "\"\n"; }

}  // namespace

TEST_CASE("a layer without keys is the layer of the option struct") {
    CHECK(parsed("") == LayerOptions());
    CHECK_FALSE(parsed("bias = false") == LayerOptions());
}

TEST_CASE("the names of the keys are the names of the cells") {
    for (const char* name : {"model.layers[].activation", "model.layers[].recurrent_activation"}) {
        CHECK(sorted(key_named(name).choices) == sorted(nowcell::activation_names()));
    }
    for (const std::string& name : nowcell::activation_names()) {
        const auto layer = lstm(quoted("activation", name) + quoted("recurrent_activation", name));
        CHECK(nowcell::name_of(layer->options().activation) == name);
        CHECK(nowcell::name_of(layer->options().recurrent_activation) == name);
    }
    // Every choice of every key makes a layer.
    for (const nowcell::Key& key : nowcell::layer_keys()) {
        const std::string name = key.name.substr(key.name.rfind('.') + 1);
        for (const std::string& choice : key.choices) {
            INFO(name << " = " << choice);
            const bool of_gru = name == "reset" || name == "update";
            const std::string norm = name == "gate_norm_on" ? "gate_norm = \"channels\"\n" : "";
            CHECK_NOTHROW(nowcell::make_layer(parsed((of_gru ? "cell = \"conv_gru\"\n" : norm) + quoted(name, choice)),
                                              2, FrameSize{9, 8}));
        }
    }
}

TEST_CASE("every key reaches its cell") {
    const auto options = lstm(
                             "filters = 5\nkernel = [2, 3]\nstride = [1, 2]\npadding = \"valid\"\nbias = false\n"
                             "activation = \"relu\"\nrecurrent_activation = \"hard_sigmoid\"\ndropout = 0.1\n"
                             "recurrent_dropout = 0.2\nzoneout = 0.3\nzoneout_cell = 0.4\nmemory = \"recompute\"\n"
                             "peephole = \"pixel\"\ngate_norm = \"frame\"\ngate_norm_on = \"sum\"")
                             ->options();
    CHECK(options.input_channels == 2);
    CHECK(options.filters == 5);
    CHECK(options.kernel == std::vector<std::int64_t>{2, 3});
    CHECK(options.stride == std::vector<std::int64_t>{1, 2});
    CHECK(options.padding == nowcell::Padding::valid);
    CHECK_FALSE(options.bias);
    CHECK(options.activation == nowcell::Activation::relu);
    CHECK(options.recurrent_activation == nowcell::Activation::hard_sigmoid);
    CHECK(options.dropout == 0.1);
    CHECK(options.recurrent_dropout == 0.2);
    CHECK(options.zoneout == 0.3);
    CHECK(options.zoneout_cell == 0.4);
    CHECK(options.memory == nowcell::Memory::recompute);
    CHECK(options.peephole == nowcell::Peephole::pixel);
    CHECK(options.norm == nowcell::GateNorm::frame);
    CHECK(options.norm_on == nowcell::NormOn::sum);
    CHECK(options.frame == std::vector<std::int64_t>{9, 8});

    CHECK(lstm("dilation = 3\nforget_bias = 0.5")->options().dilation == std::vector<std::int64_t>{3, 3});
    CHECK(lstm("forget_bias = 0.5")->options().forget_bias == 0.5);
    CHECK(lstm("peephole = \"channel\"")->options().peephole == nowcell::Peephole::channel);
    CHECK(lstm("gate_norm = \"channels\"")->options().norm == nowcell::GateNorm::channels);
    CHECK(gru("reset = \"before\"")->options().reset == nowcell::Reset::before);
    CHECK(gru("update = \"replace\"")->options().update == nowcell::Update::replace);
    CHECK(gru("kernel = [3, 5]\nzoneout = 0.25")->options().kernel == std::vector<std::int64_t>{3, 5});
    CHECK(gru("kernel = [3, 5]\nzoneout = 0.25")->options().zoneout == 0.25);
    CHECK(gru("")->options().reset == nowcell::Reset::after);
    CHECK(lstm("cell = \"conv_gru\"") == nullptr);
}

TEST_CASE("one number or two, height first, survive printing") {
    const Config config = Config::parse("[data]\npath = \"a.h5\"\n[[model.layers]]\nkernel = [2, 5]\nstride = 2\n",
                                        "exp.toml", {"model.layers[0].dilation=[1, 1]"});
    CHECK(config.per_axis("model.layers[0].kernel") == std::vector<std::int64_t>{2, 5});
    CHECK(config.per_axis("model.layers[0].stride") == std::vector<std::int64_t>{2});
    CHECK(config.per_axis("model.layers[0].dilation") == std::vector<std::int64_t>{1, 1});
    const std::string text = config.toml();
    CHECK(holds(text, "kernel = [2, 5]\nstride = 2\ndilation = [1, 1]\n"));
    CHECK(Config::parse(text, "again.toml").toml() == text);
    CHECK(holds(nowcell::help_keys("model.layers[].kernel"), "integer | [height, width]"));

    for (const char* bad : {"[3]", "[3, 3, 3]", "[]", "0", "32", "[3, 0]", "[3, 2.5]", "\"3\"", "3.0"}) {
        INFO(bad);
        const std::string block = failure(std::string("kernel = ") + bad + "\n");
        CHECK(holds(block, "model.layers[0].kernel must be an integer from 1 to 31, or two: [height, width], got"));
        CHECK(holds(block, "at exp.toml:4:1"));
    }
}

TEST_CASE("wrong layers are refused with the position of the key") {
    const auto refused = [](const std::string& lines, const std::string& what, const std::string& where) {
        const std::string block = failure(lines);
        INFO(block);
        CHECK(holds(block, what));
        CHECK(holds(block, where));
        CHECK(holds(block, "^"));
    };
    refused("activation = \"hard_sigmiod\"\n", "did you mean 'hard_sigmoid'?", "exp.toml:4:1");
    refused("padding = \"full\"\n", "must be one of \"same\", \"valid\", got the string \"full\"", "exp.toml:4:1");
    refused("dropout = 1.0\n", "model.layers[0].dropout must be a number from 0", "exp.toml:4:1");
    refused("zoneout = -0.1\n", "model.layers[0].zoneout must be a number from 0", "exp.toml:4:1");
    refused("filters = 3\nstride = [1, 2]\ndilation = 2\n", "stride and dilation are both above 1", "exp.toml:5:1");
    refused("gate_norm_on = \"sum\"\n", "nothing is normalised: gate_norm is \"none\"", "exp.toml:4:1");
    for (const char* line : {"peephole = \"pixel\"", "peephole = \"channel\"", "gate_norm = \"frame\"",
                             "gate_norm_on = \"sum\"", "zoneout_cell = 0.1", "forget_bias = 0.0"}) {
        refused(std::string("cell = \"conv_gru\"\n") + line + "\n",
                "is an option of cell \"conv_lstm\", but the layer's cell is \"conv_gru\"", "exp.toml:5:1");
    }
    refused("reset = \"before\"\n", "is an option of cell \"conv_gru\"", "exp.toml:4:1");
    refused("update = \"replace\"\n", "is an option of cell \"conv_gru\"", "exp.toml:4:1");
    // The defaults, written out, mean nothing: a resolved configuration holds them all.
    CHECK(failure("cell = \"conv_gru\"\npeephole = \"none\"\nforget_bias = 1.0\nreset = \"after\"\n").empty());
    CHECK(holds(failure("filters = 3\n", {"model.layers[0].reset=before"}), "--set model.layers[0].reset=before"));
    // Of the second layer.
    refused("[[model.layers]]\nupdate = \"replace\"\n", "model.layers[1].update", "exp.toml:5:1");
}

TEST_CASE("unknown keys of a layer are met with its near ones") {
    CHECK(holds(failure("peephol = \"pixel\"\n"), "did you mean 'model.layers[].peephole'?"));
    CHECK(holds(failure("strides = 2\n"), "use 'model.layers[].stride'"));
    CHECK(holds(failure("dilation_rate = 2\n"), "use 'model.layers[].dilation'"));
    CHECK(holds(failure("use_bias = true\n"), "use 'model.layers[].bias'"));
    CHECK(holds(failure("go_backwards = true\n"), "nowcell config keys lists every key"));
}

TEST_CASE("the cell's name of older checkpoints is read") {
    CHECK(parsed("cell = \"convlstm\"\n").cell == "conv_lstm");
    CHECK(holds(failure("cell = \"convgru\"\n"), "did you mean 'conv_gru'?"));
}

TEST_CASE("the help says which hard sigmoid is which") {
    for (const char* name : {"model.layers[].activation", "model.layers[].recurrent_activation"}) {
        const std::string& help = key_named(name).help;
        CHECK(holds(help, "hard_sigmoid is x/6 + 0.5 between 0 and 1, as in Keras 3"));
        CHECK(holds(help, "hard_sigmoid_keras2 is 0.2x + 0.5, as in Keras 1 and 2"));
    }
}

TEST_CASE("hidden frames are as large as the layer makes them") {
    const auto hidden = [](const std::string& lines) { return nowcell::hidden_size(parsed(lines), {9, 8}).text(); };
    CHECK(hidden("kernel = 4\n") == "9x8");
    CHECK(hidden("stride = [2, 3]\n") == "5x3");
    CHECK(hidden("padding = \"valid\"\nkernel = [3, 4]\n") == "7x5");
    CHECK(hidden("padding = \"valid\"\nstride = 2\n") == "4x3");
    CHECK(hidden("padding = \"valid\"\ndilation = 4\n") == "1x0");
    for (const char* lines : {"kernel = [2, 5]\nstride = [3, 2]\n", "padding = \"valid\"\ndilation = 2\n"}) {
        const LayerOptions options = parsed(lines);
        const auto layer = nowcell::make_layer(options, 2, {});
        nowcell::State state;
        CHECK(nowcell::size_of(layer->forward(at::rand({1, 2, 2, 9, 8}), state)) ==
              nowcell::hidden_size(options, {9, 8}));
    }
}

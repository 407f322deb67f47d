// Our layers against tests/golden/: what Keras, and for what it has not plain PyTorch, computed in float64.
#include "cells/bidirectional.h"
#include "cells/conv_gru.h"
#include "cells/conv_gru_operator.h"
#include "cells/conv_lstm.h"
#include "cells/cpu/engine_use.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/optim/adam.h>

#include "tests/support/catch.h"
#include "tests/support/engine.h"
#include "tests/support/golden.h"

#include <cmath>
#include <nlohmann/json.hpp>

using nlohmann::json;
using nowcell::Algorithm;
using nowcell::Bidirectional;
using nowcell::ConvGru;
using nowcell::ConvGruOptions;
using nowcell::ConvLstm;
using nowcell::ConvLstmOptions;
using nowcell::Memory;
using nowcell::RecurrentLayer;
using nowcell::State;

namespace {

constexpr double kExactOutput = 1e-10;
constexpr double kExactGradient = 1e-9;
const std::string kGradient = "grad/";

// A golden file with the layouts and parameter names of our layers.
struct Case {
    json options;
    Golden golden;
    at::ScalarType type = at::kDouble;  // of the layer and all that it is given
    Algorithm algorithm = Algorithm::automatic;

    const torch::Tensor& at(const std::string& name) const { return golden.at(name); }
    bool dense() const { return options.value("rank", 2) == 0; }  // a dense layer is a 1 x 1 kernel on a 1 x 1 frame
};

// (k...,C,G) becomes (G,C,k...).
torch::Tensor kernel(const torch::Tensor& keras) { return keras.movedim(-1, 0).movedim(-1, 1).contiguous(); }

torch::Tensor our_layout(const std::string& name, const torch::Tensor& tensor, const Case& golden) {
    if (name == "mask") return tensor.to(at::kBool);
    if (golden.options.at("layout") == "aten") return tensor;
    const bool result = name == "output" || name == "probe";
    const bool sequence = name == "x" || name == "target" || (result && golden.options.value("return_sequences", true));
    const bool frame = result || name == "h" || name == "c" || name == "h0" || name == "c0";
    torch::Tensor ours;
    if (name.ends_with("kernel"))
        ours = kernel(tensor);
    else if (sequence || frame)
        ours = golden.options.value("data_format", "channels_last") == "channels_first"
                   ? tensor
                   : tensor.movedim(-1, sequence ? 2 : 1);
    else
        return tensor;
    return golden.dense() ? ours.unsqueeze(-1).unsqueeze(-1) : ours;
}

std::string our_name(const std::string& name) {
    return name == "kernel" ? "input" : name == "recurrent_kernel" ? "hidden" : name;
}

Case load(const std::string& file) {
    Golden raw = read_golden(file);
    Case golden{json::parse(raw.metadata.at("case")), {}};
    for (const auto& [path, tensor] : raw.tensors) {
        const std::size_t start = path.rfind('/') + 1;  // 0 without a slash
        const std::string prefix = path.substr(0, start);
        const std::string name = path.substr(start);
        if (name == "bias" && tensor.dim() == 2) {  // a GRU with reset_after has two
            golden.golden.tensors[prefix + "bias"] = tensor[0];
            golden.golden.tensors[prefix + "hidden_bias"] = tensor[1];
        } else {
            golden.golden.tensors[prefix + our_name(name)] = our_layout(name, tensor, golden);
        }
    }
    return golden;
}

template <class Options>
Options common_options(const Case& golden, Memory memory) {
    const json& keras = golden.options;
    Options options;
    options.input_channels = golden.at("x").size(2);
    options.filters = keras.at("filters");
    options.rank = golden.at("x").dim() - 3;
    options.kernel = keras.value("kernel_size", std::vector<std::int64_t>{1});
    options.stride = keras.value("strides", options.stride);
    options.dilation = keras.value("dilation_rate", options.dilation);
    options.padding = nowcell::padding_from(keras.value("padding", "same"));
    options.activation = nowcell::activation_from(keras.value("activation", "tanh"));
    options.recurrent_activation = nowcell::activation_from(keras.value("recurrent_activation", "sigmoid"));
    options.bias = golden.golden.has("bias") || golden.golden.has("forward/bias");
    options.return_sequences = keras.value("return_sequences", true);
    options.go_backwards = keras.value("go_backwards", false);
    options.zero_output_for_mask = keras.value("zero_output_for_mask", false);
    options.memory = memory;
    return options;
}

ConvLstmOptions conv_lstm_options(const Case& golden, Memory memory) {
    auto options = common_options<ConvLstmOptions>(golden, memory);
    options.peephole = nowcell::peephole_from(golden.options.value("peephole", "none"));
    options.norm = nowcell::gate_norm_from(golden.options.value("norm", "none"));
    options.norm_on = nowcell::norm_on_from(golden.options.value("norm_on", "parts"));
    options.algorithm = golden.algorithm;
    options.frame = golden.at("x").sizes().slice(3).vec();
    return options;
}

ConvGruOptions conv_gru_options(const Case& golden, Memory memory) {
    auto options = common_options<ConvGruOptions>(golden, memory);
    const bool after = golden.options.value("reset_after", true);
    options.reset = nowcell::reset_from(golden.options.value("reset", after ? "after" : "before"));
    options.update = nowcell::update_from(golden.options.value("update", "keep"));
    return options;
}

void check_close(const std::string& what, const torch::Tensor& actual, const torch::Tensor& expected,
                 double tolerance) {
    INFO(what);
    REQUIRE(actual.defined());
    REQUIRE(actual.sizes() == expected.sizes());
    const double error =
        ((actual.to(at::kDouble) - expected).abs() / expected.abs().clamp_min(1.0)).max().item<double>();
    CHECK(error < tolerance);
}

void check_gradient(const std::string& what, const torch::Tensor& actual, const torch::Tensor& expected) {
    if (actual.defined() && actual.scalar_type() == at::kFloat) {
        INFO(what);
        REQUIRE(actual.sizes() == expected.sizes());
        CHECK(relative_error(actual, expected) <= kGradientTolerance);
    } else {
        check_close(what, actual, expected, kExactGradient);
    }
}

// One forward and one backward pass of a golden file, and the tensors that get gradients, by their names in the file.
class Run {
 public:
    explicit Run(const Case& golden) : golden_(golden) {}

    torch::Tensor leaf(const std::string& name) {
        if (!golden_.golden.has(name)) return {};
        return leaves_[name] = golden_.at(name).detach().to(golden_.type, false, true).requires_grad_(true);
    }

    State state(const std::string& side = "") { return {leaf(side + "h0"), leaf(side + "c0")}; }

    torch::Tensor mask() const { return golden_.golden.has("mask") ? golden_.at("mask") : torch::Tensor(); }

    void fill(RecurrentLayer& layer, const std::string& side = "") {
        layer.to(golden_.type);
        const c10::NoGradGuard no_grad;
        for (auto& parameter : layer.named_parameters()) {
            const torch::Tensor& value = golden_.at(side + parameter.key());
            REQUIRE(parameter.value().sizes() == value.sizes());
            parameter.value().copy_(value);
            leaves_[side + parameter.key()] = parameter.value();
        }
    }

    void check_state(const State& state, const std::string& side = "") const {
        check_close(side + "h", state.h, golden_.at(side + "h"), output_tolerance());
        if (golden_.golden.has(side + "c"))
            check_close(side + "c", state.c, golden_.at(side + "c"), output_tolerance());
    }

    void check_output(const torch::Tensor& output) const {
        check_close("output", output, golden_.at("output"), output_tolerance());
        (output * golden_.at("probe").to(golden_.type)).sum().backward();
        for (const auto& [name, expected] : golden_.golden.tensors) {
            if (!name.starts_with(kGradient)) continue;
            const torch::Tensor& leaf = leaves_.at(name.substr(kGradient.size()));
            check_gradient(name, leaf.grad(), expected);
        }
    }

 private:
    double output_tolerance() const { return golden_.type == at::kFloat ? kStateTolerance : kExactOutput; }

    const Case& golden_;
    std::map<std::string, torch::Tensor> leaves_;
};

void check_layer(const Case& golden, RecurrentLayer& layer) {
    Run run(golden);
    run.fill(layer);
    State state = run.state();
    const torch::Tensor output = layer.forward(run.leaf("x"), state, run.mask());
    run.check_state(state);
    run.check_output(output);
}

void check_conv_lstm(const Case& golden, Memory memory) {
    ConvLstm layer(conv_lstm_options(golden, memory));
    check_layer(golden, layer);
}

void check_conv_gru(const Case& golden, Memory memory) {
    ConvGru layer(conv_gru_options(golden, memory));
    check_layer(golden, layer);
}

void check_bidirectional(const Case& golden, Memory memory) {
    ConvLstmOptions options = conv_lstm_options(golden, memory);
    const auto forward = std::make_shared<ConvLstm>(options);
    options.go_backwards = true;
    const auto backward = std::make_shared<ConvLstm>(options);
    const std::string merge = golden.options.at("merge_mode");
    Bidirectional layer(forward, backward, nowcell::merge_from(merge == "ave" ? "mean" : merge));

    Run run(golden);
    run.fill(*forward, "forward/");
    run.fill(*backward, "backward/");
    std::array<State, 2> states{run.state("forward/"), run.state("backward/")};
    const torch::Tensor output = layer.forward(run.leaf("x"), states, run.mask());
    run.check_state(states[0], "forward/");
    run.check_state(states[1], "backward/");
    run.check_output(output);
}

// `count`: how many there have to be, so that lost files are noticed.
void check_all(const std::string& prefix, std::size_t count, void (*check)(const Case&, Memory)) {
    const std::vector<std::string> names = golden_names(prefix);
    REQUIRE(names.size() == count);
    for (const std::string& name : names) {
        DYNAMIC_SECTION(name) {
            const Case golden = load(name);
            for (const Memory memory : {Memory::store, Memory::recompute}) {
                INFO(nowcell::name_of(memory));
                check(golden, memory);
            }
        }
    }
}

// What the kernels take, in the words of the files.
bool fits_kernels(const Case& golden) {
    const json& keras = golden.options;
    const auto kernel = keras.value("kernel_size", std::vector<std::int64_t>{1});
    const auto ones = [&](const char* name) {
        const auto values = keras.value(name, std::vector<std::int64_t>{1});
        return std::all_of(values.begin(), values.end(), [](std::int64_t value) { return value == 1; });
    };
    const bool square = std::all_of(kernel.begin(), kernel.end(), [&](std::int64_t k) { return k == kernel[0]; });
    return golden.at("x").dim() == 5 && square && kernel[0] % 2 == 1 && keras.value("padding", "same") == "same" &&
           ones("strides") && ones("dilation_rate") && keras.value("norm", "none") == "none";
}

// How many files an algorithm computed.
std::size_t check_in_single_precision(const std::string& prefix, Algorithm algorithm,
                                      void (*check)(const Case&, Memory)) {
    std::size_t computed = 0;
    for (const std::string& name : golden_names(prefix)) {
        Case golden = load(name);
        golden.type = at::kFloat;
        golden.algorithm = algorithm;
        const std::int64_t kernel = golden.options.value("kernel_size", std::vector<std::int64_t>{1})[0];
        const bool fits = fits_kernels(golden);
        if (fits && kernel < 3 && algorithm != Algorithm::direct) continue;
        for (const Memory memory : {Memory::store, Memory::recompute}) {
            INFO(name << ", " << name_of(algorithm) << ", " << nowcell::name_of(memory));
            nowcell::forget_engine_uses();
            check(golden, memory);
            CHECK((fits ? not_computed_by(algorithm) : not_by_reference("")) == "");
        }
        computed += fits ? 1 : 0;
    }
    return computed;
}

}  // namespace

TEST_CASE("ConvLSTM equals Keras: outputs, states and gradients") { check_all("conv_lstm_", 43, check_conv_lstm); }

TEST_CASE("Bidirectional equals Keras: outputs, states and gradients") {
    check_all("bidirectional_", 13, check_bidirectional);
}

TEST_CASE("ConvGRU with a 1 x 1 kernel equals Keras' dense GRU") { check_all("gru_", 6, check_conv_gru); }

TEST_CASE("ConvGRU equals plain PyTorch, every place of the reset gate and use of the update gate") {
    check_all("plain_gru_", 4, check_conv_gru);
}

TEST_CASE("normalised gates equal plain PyTorch") { check_all("norm_", 4, check_conv_lstm); }

TEST_CASE("peepholes equal plain PyTorch") { check_all("peephole_", 3, check_conv_lstm); }

TEST_CASE("a new layer's bias is Keras' unit_forget_bias") {
    const Case golden = load("conv_lstm_unit_forget_bias");
    const ConvLstm layer(conv_lstm_options(golden, Memory::store));
    CHECK(at::equal(layer.weights().bias.to(at::kDouble), golden.at("bias")));
}

TEST_CASE("ten steps of training give the losses of PyTorch") {  // of Keras: tests/train/optimizer_test.cpp
    const Case golden = load("training");
    ConvLstm layer(conv_lstm_options(golden, Memory::store));
    Run(golden).fill(layer);
    const torch::Tensor& expected = golden.at("losses/torch");
    REQUIRE(expected.numel() == 10);
    torch::optim::Adam adam(layer.parameters(), torch::optim::AdamOptions(golden.options.at("lr").get<double>()));
    for (std::int64_t n = 0; n < expected.numel(); ++n) {
        layer.zero_grad();
        State state;
        const torch::Tensor loss = (layer.forward(golden.at("x"), state) - golden.at("target")).abs().mean();
        CHECK(std::abs(loss.item<double>() - expected[n].item<double>()) < kExactGradient);
        (loss * golden.options.at("loss_scale").get<double>()).backward();
        adam.step();
    }
}

TEST_CASE("engine: Keras' and PyTorch's numbers in single precision", "[engine]") {
    for (const Algorithm algorithm : {Algorithm::direct, Algorithm::winograd_safe, Algorithm::winograd_fast}) {
        const std::size_t one = algorithm == Algorithm::direct ? 1 : 0;  // with a kernel of 1
        CHECK(check_in_single_precision("conv_lstm_", algorithm, check_conv_lstm) == 21 + one);
        CHECK(check_in_single_precision("bidirectional_", algorithm, check_bidirectional) == 11);
        CHECK(check_in_single_precision("peephole_", algorithm, check_conv_lstm) == 2);
        CHECK(check_in_single_precision("norm_", algorithm, check_conv_lstm) == 0);
    }
}

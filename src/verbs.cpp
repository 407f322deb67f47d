#include "src/verbs.h"

#include "src/layer_options.h"

namespace nowcell {

std::vector<Verb> src_verbs() {
    return {
        {.name = "doctor",
         .summary =
             "Say what this installation is made of, and test that it computes right; with --config also whether "
             "data and network fit.",
         .handler = "nowcell_doctor",
         .flags = {config_flag(), set_flag(), report_flag(), json_flag(), force_flag(), device_flag(), threads_flag()},
         .examples = {"nowcell doctor", "nowcell doctor --json -", "nowcell doctor --config configs/era5_t2m.toml"}},
        {.name = "check",
         .summary = "Compare every engine of the ConvLSTM on this machine with its definition in float64, forward and "
                    "backward; ends with code 10 when one is off.",
         .handler = "nowcell_check",
         .flags = {report_flag(), json_flag(), force_flag(), device_flag(), threads_flag()},
         .examples = {"nowcell check --device cpu", "nowcell check --device cuda:0 --json -"}},
        {.name = "bench memory",
         .summary = "Measure what a training step of a layer keeps in memory, and its speed, beside plain autograd.",
         .handler = "nowcell_bench_memory",
         .flags = {report_flag(), json_flag(), force_flag(), threads_flag()},
         .examples = {"nowcell bench memory", "nowcell bench memory --json -"}},
        {.name = "bench scaling",
         .summary = "Measure how time and memory of a ConvLSTM grow with frames, steps and threads.",
         .handler = "nowcell_bench_scaling",
         .flags = {report_flag(), json_flag(), force_flag(), threads_flag()},
         .examples = {"nowcell bench scaling", "nowcell bench scaling --json -"}},
        {.name = "bench cells",
         .summary =
             "Time the ConvLSTM layer beside the plain LibTorch cell, in turn in one process; with its errors against "
             "float64 on one item of the batch.",
         .handler = "nowcell_bench_cells",
         .flags = {report_flag(),
                   json_flag(),
                   force_flag(),
                   {.name = "--config",
                    .value = "NAME[,NAME]",
                    .help = "only these problems: a, b3, b5, c, k1, tiny; default: all"},
                   {.name = "--threads",
                    .value = "N[,N]",
                    .help = "CPU threads of both sides, in turn; default: 1 and the cores this process may use"},
                   {.name = "--rounds",
                    .type = FlagType::integer,
                    .value = "N",
                    .help = "timings of each side, of which the median counts, behind one that warms up; default: 5, "
                            "with --guard 3",
                    .min = 1,
                    .max = 1000},
                   {.name = "--device",
                    .value = "DEVICE",
                    .help = "auto | cpu | cuda[:N]; on a GPU in float32 (TF32), float16 and bfloat16",
                    .fallback = "cpu"},
                   {.name = "--algorithm",
                    .value = "NAME",
                    .help = "how the layer computes; default: auto, on a GPU each engine",
                    .choices = algorithm_flag().choices},
                   {.name = "--guard",
                    .type = FlagType::none,
                    .value = "",
                    .help = "one thread; end with code 10 when the best of up to 3 attempts at a row is under 80 % of "
                            "the speed measured when the kernels were written; without AVX-512 nothing is judged"}},
         .examples = {"nowcell bench cells", "nowcell bench cells --config b3,c --threads 1 --json -",
                      "nowcell bench cells --guard"}},
        {.name = "bench rollout",
         .summary =
             "Time a forecast of 10 frames from 10 that goes on from its states (19 steps) beside one that reads "
             "all known frames again for each, as Keras' example does (145 steps), in turn in one process.",
         .handler = "nowcell_bench_rollout",
         .flags = {report_flag(),
                   json_flag(),
                   force_flag(),
                   threads_flag(),
                   {.name = "--rounds",
                    .type = FlagType::integer,
                    .value = "N",
                    .help = "timings of each, of which the median counts, behind one that warms up; default: 3",
                    .min = 1,
                    .max = 1000}},
         .examples = {"nowcell bench rollout", "nowcell bench rollout --json -"}},
        {.name = "config show",
         .summary = "Print the resolved configuration: every key with its value and where it came from.",
         .handler = "",
         .flags = {config_flag(), set_flag(), report_flag(), force_flag(), threads_flag()},
         .examples = {"nowcell config show --config configs/era5_t2m.toml --set train.epochs=5"}},
        {.name = "config keys",
         .summary = "List the documented keys with type, default and meaning.",
         .handler = "",
         .arguments = {{.name = "[PREFIX]", .help = "only keys that begin so, such as train"}},
         .flags = {report_flag(), force_flag(), threads_flag()},
         .examples = {"nowcell config keys model"}},
        {.name = "config presets",
         .summary = "List the configurations that come with the program.",
         .handler = "",
         .flags = {report_flag(), force_flag(), threads_flag()},
         .examples = {"nowcell config presets"}},
        {.name = "config init",
         .summary = "Write one of these configurations, with the comments that explain it.",
         .handler = "",
         .arguments = {{.name = "NAME", .help = "as config presets lists it"}},
         .flags = {report_flag(), force_flag(), threads_flag()},
         .examples = {"nowcell config init moving-mnist --output my.toml"}},
        {.name = "help",
         .summary = "Explain a command or a topic: exit-codes, config.",
         .handler = "",
         .arguments = {{.name = "[TOPIC]", .help = "exit-codes, config, or a command", .repeated = true}},
         .flags = {report_flag(), force_flag(), threads_flag()},
         .examples = {"nowcell help exit-codes"}},
    };
}

std::vector<Key> model_keys() {
    std::vector<Key> keys = {
        {.name = "cells.algorithm",
         .type = KeyType::text,
         .fallback = "\"auto\"",
         .help =
             "how a conv_lstm is computed. On a CPU, in float32: auto takes the fastest by a short timing; direct is "
             "as "
             "exact as LibTorch and gives the same bits each time; winograd-fast and winograd-safe (kernels of 3 and "
             "5; "
             "fast also 7) need a fourth of the multiplications, errors of 1e-5. On a GPU: auto is cudnn, whose "
             "recurrent convolution adds to the input's; cudnn-separate keeps the two apart; implicit-gemm computes "
             "convolution and gates in one kernel, in bfloat16, float16 or tf32. reference is LibTorch's own "
             "operators, "
             "which also compute every option that the others do not. A name of the other device acts as auto",
         .choices = algorithm_flag().choices},
        {.name = "cells.cuda_graph",
         .type = KeyType::boolean,
         .fallback = "false",
         .help = "on a GPU, replay each conv_lstm over a sequence as one CUDA graph from its second call on, at the "
                 "price of copies of what goes in and comes out: for small frames of one size"},
        {.name = "model.strategy",
         .type = KeyType::text,
         .fallback = "\"encoder-forecaster\"",
         .help = "next-frame: taught with the true previous frame, rolled out in prediction. encoder-forecaster: the "
                 "states of the input frames are handed to a decoder that is unrolled over the lead times. direct: "
                 "data.output_steps frames at once from the last state; longer forecasts go on from those frames",
         .choices = {"encoder-forecaster", "next-frame", "direct"}},
        {.name = "model.residual_on",
         .type = KeyType::text,
         .fallback = "\"none\"",
         .help = "forecast the correction of this baseline, whose frame of each lead time the decoder sees",
         .choices = {"none", "persistence", "seasonal", "anomaly", "linear-trend", "optical-flow", "farneback",
                     "s-prog"}},
        {.name = "model.decoder_inputs",
         .type = KeyType::texts,
         .fallback = "[]",
         .help = "further baselines whose frame of each lead time the decoder (of direct: the head) sees",
         .choices = {"persistence", "seasonal", "anomaly", "climatology", "linear-trend", "optical-flow", "farneback",
                     "s-prog"}},
        {.name = "model.relative",
         .type = KeyType::boolean,
         .fallback = "false",
         .help = "show the network every frame as its difference from the last input frame, which is added back to the "
                 "forecast: the level of a field then needs no learning"},
        {.name = "model.head",
         .type = KeyType::text,
         .fallback = "\"conv2d\"",
         .help = "from hidden state to frame: a convolution of each one, or over time as well",
         .choices = {"conv2d", "conv3d"}},
        {.name = "model.time_padding",
         .type = KeyType::text,
         .fallback = "\"causal\"",
         .help = "of conv3d. causal: output t never sees frame t+1. same: as Keras' Conv3D, output t also sees later "
                 "states; a next-frame network is then taught with the frame that it is to forecast, which leaks, and "
                 "what it scores while training says little about its forecasts",
         .choices = {"causal", "same"}},
        {.name = "model.head_kernel",
         .type = KeyType::integer,
         .fallback = "3",
         .help = "kernel side of the head, and its time steps for conv3d",
         .min = 1,
         .max = 31},
        {.name = "model.head_bias",
         .type = KeyType::boolean,
         .fallback = "true",
         .help = "add a bias to each channel of the head"},
        {.name = "model.output_activation",
         .type = KeyType::text,
         .fallback = "\"linear\"",
         .help = "after the head; refused where it cannot give the normalised frames: sigmoid gives 0..1, tanh -1..1, "
                 "relu and softplus nothing below 0",
         .choices = {"linear", "sigmoid", "tanh", "relu", "softplus"}},
        {.name = "model.patch",
         .type = KeyType::integer,
         .fallback = "1",
         .help = "fold patch x patch pixels into channels before the first layer and back after the head",
         .min = 1,
         .max = 64},
    };
    for (Key& key : layer_keys()) keys.push_back(std::move(key));
    return keys;
}

}  // namespace nowcell

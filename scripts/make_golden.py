#!/usr/bin/env python3
"""Regenerates tests/golden/*.safetensors: what code that is not ours computed in float64, in two groups.

layers: the real Keras computes ConvLSTM, Bidirectional and the dense GRU; a plain PyTorch loop below computes what
Keras has not: layer normalisation, peepholes, and training with PyTorch's Adam. scores: scikit-image, pysteps and
properscoring compute what forecasts are scored with, see golden_scores.py. tests/golden/README.md tells how to read
the files.

The first run makes a virtual environment of each group with pip (1.6 GB and 0.4 GB); PyTorch is the one that
scripts/setup.sh --cuda unpacked. A rerun gives the same files, byte for byte.
"""

import argparse
import json
import os
import subprocess
import sys
import venv
import zlib
from pathlib import Path

import golden_scores

# TensorFlow: on JAX and NumPy, Keras casts float64 to float32 inside tanh, and its loops misread masks.
PINS = ["keras==3.15.1", "tensorflow-cpu==2.21.0", "numpy==2.4.6", "safetensors==0.8.0"]
TORCH = "2.15.0"  # what scripts/setup.sh unpacks
ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("NOWCELL_DEPS") or os.environ.get("XDG_CACHE_HOME", "~/.cache") + "/nowcell").expanduser()

# ---- The cases. x is the shape of the input; the other names are Keras' own arguments. -------------------------------

DEFAULTS = dict(cell="conv_lstm", filters=2, kernel_size=3, strides=1, padding="same", dilation_rate=1,
                data_format="channels_last", activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                unit_forget_bias=False, return_sequences=True, go_backwards=False, zero_output_for_mask=False,
                initial_state=False, x=(2, 3, 5, 4, 3))
CONVOLUTION = ("kernel_size", "strides", "padding", "dilation_rate", "data_format", "unit_forget_bias")
LAST = dict(return_sequences=False)
STATE = dict(initial_state=True)
# The first sample starts with masked frames, the second ends with one.
MASK = dict(mask=[[0, 0, 1, 1], [1, 0, 1, 0]], x=(2, 4, 5, 3, 3))

CONV_LSTM = {
    "1d_same": dict(x=(2, 3, 7, 3)),
    "1d_valid_even_strides": dict(x=(2, 3, 9, 3), padding="valid", kernel_size=2, strides=2),
    "1d_dilation_valid": dict(x=(2, 3, 9, 3), padding="valid", dilation_rate=2),
    "3d_same": dict(x=(1, 2, 4, 3, 5, 2)),
    "3d_even_strides_same": dict(x=(1, 2, 5, 4, 3, 2), kernel_size=(2, 3, 1), strides=(2, 1, 2)),
    "3d_valid_state": dict(x=(1, 2, 4, 3, 5, 2), kernel_size=(2, 1, 3), padding="valid", **STATE),
    "same": {},
    "valid": dict(padding="valid"),
    "kernel_1": dict(kernel_size=1),
    "kernel_2_same": dict(kernel_size=2),
    "kernel_2x4_same": dict(kernel_size=(2, 4)),
    "kernel_2x4_valid": dict(kernel_size=(2, 4), padding="valid"),
    "kernel_1x3_same": dict(kernel_size=(1, 3)),
    "kernel_1x3_valid": dict(kernel_size=(1, 3), padding="valid"),
    "strides_same": dict(strides=2),
    "strides_valid": dict(strides=2, padding="valid"),
    "strides_1x2_same": dict(strides=(1, 2)),
    "strides_3x2_even_same": dict(strides=(3, 2), kernel_size=(2, 4), x=(2, 2, 7, 6, 3)),
    "dilation_same": dict(dilation_rate=2),
    "dilation_valid": dict(dilation_rate=2, padding="valid", x=(2, 2, 7, 6, 3)),
    "dilation_1x2_even_same": dict(dilation_rate=(1, 2), kernel_size=(3, 2)),
    "relu_hard_sigmoid": dict(activation="relu", recurrent_activation="hard_sigmoid"),
    "linear_sigmoid": dict(activation="linear"),
    "sigmoid_tanh": dict(activation="sigmoid", recurrent_activation="tanh"),
    "tanh_relu": dict(recurrent_activation="relu"),
    "hard_sigmoid_linear": dict(activation="hard_sigmoid", recurrent_activation="linear"),
    "tanh_hard_sigmoid_keras2": dict(recurrent_activation="hard_sigmoid_keras2"),
    "no_bias": dict(use_bias=False),
    "unit_forget_bias": dict(unit_forget_bias=True),
    "initial_state": STATE,
    "last_only": LAST,
    "go_backwards": dict(go_backwards=True),
    "go_backwards_last_only": dict(go_backwards=True, **LAST),
    "channels_first": dict(data_format="channels_first", x=(2, 3, 3, 5, 4)),
    "combined": dict(kernel_size=(2, 3), strides=(2, 1), activation="relu", recurrent_activation="hard_sigmoid",
                     use_bias=False, go_backwards=True, **STATE),
    "mask": MASK,
    "mask_last_only": dict(**MASK, **LAST),
    "mask_zero": dict(**MASK, zero_output_for_mask=True),
    "mask_zero_last_only": dict(**MASK, **LAST, zero_output_for_mask=True),
    "mask_go_backwards": dict(**MASK, go_backwards=True),
    "mask_zero_go_backwards": dict(**MASK, go_backwards=True, zero_output_for_mask=True),
    "mask_initial_state": dict(**MASK, **STATE),
    "mask_combined": dict(**MASK, **STATE, kernel_size=(2, 3), strides=(2, 1), activation="relu", go_backwards=True,
                          recurrent_activation="hard_sigmoid", zero_output_for_mask=True),
}
BIDIRECTIONAL = {mode + kind: dict(merge_mode=mode, **last) for mode in ("concat", "sum", "ave", "mul")
                 for kind, last in (("", {}), ("_last_only", LAST))} | {
    "state": dict(merge_mode="concat", **STATE),
    "strides_even_same": dict(merge_mode="sum", strides=2, kernel_size=(2, 3)),
    "1d_valid": dict(merge_mode="concat", x=(2, 3, 7, 3), padding="valid"),
    "mask": dict(merge_mode="concat", **MASK),  # Bidirectional forces zero_output_for_mask = return_sequences
    "mask_last_only": dict(merge_mode="sum", **MASK, **LAST),
}
GRU = {
    "reset_after": dict(reset_after=True, **STATE),
    "reset_before": dict(reset_after=False, **STATE),
    "reset_after_no_bias": dict(reset_after=True, use_bias=False),
    "reset_before_no_bias": dict(reset_after=False, use_bias=False),
    "reset_after_hard_sigmoid_relu": dict(reset_after=True, activation="relu", recurrent_activation="hard_sigmoid"),
    "reset_after_go_backwards_last_only": dict(reset_after=True, go_backwards=True, **LAST),
}
KERAS_CASES = ({f"conv_lstm_{name}": case for name, case in CONV_LSTM.items()}
               | {f"bidirectional_{name}": case for name, case in BIDIRECTIONAL.items()}
               | {f"gru_{name}": dict(cell="gru", filters=3, x=(2, 4, 2)) | case for name, case in GRU.items()})
TORCH_CASES = {
    "norm_parts_frame": dict(norm="frame", norm_on="parts"),  # OpenSTL's
    "norm_parts_channels": dict(norm="channels", norm_on="parts"),
    "norm_sum_frame": dict(norm="frame", norm_on="sum"),
    "norm_sum_channels": dict(norm="channels", norm_on="sum"),
    "peephole_pixel": dict(peephole="pixel"),
    "peephole_channel": dict(peephole="channel"),
    "peephole_norm": dict(peephole="pixel", norm="channels", norm_on="parts"),
} | {f"plain_gru_{reset}_{update}": dict(cell="conv_gru", reset=reset, update=update)
     for reset in ("after", "before") for update in ("keep", "replace")}


def uniform(name):
    """A source of numbers that depend on the case's name only."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return lambda shape, scale=1.0: generator.uniform(-scale, scale, shape)


# ---- Keras ----------------------------------------------------------------------------------------------------------


def make_layer(options):
    """The Keras layer of a case."""
    def pick(*names):
        return {name: options[name] for name in names}

    cell = pick("activation", "recurrent_activation", "use_bias")
    if options["recurrent_activation"] == "hard_sigmoid_keras2":
        cell["recurrent_activation"] = lambda x: keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)
    loop = pick("return_sequences", "go_backwards", "zero_output_for_mask") | {"return_state": True}
    if options["cell"] == "gru":
        return keras.layers.RNN(keras.layers.GRUCell(options["filters"], **pick("reset_after"), **cell), **loop)
    conv_lstm = getattr(keras.layers, f"ConvLSTM{len(options['x']) - 3}D")
    layer = conv_lstm(**pick("filters", *CONVOLUTION), **cell, **loop)
    return keras.layers.Bidirectional(layer, options["merge_mode"]) if "merge_mode" in options else layer


def keras_case(name, options):
    """Tensors and options of one case: inputs, what the layer gives, and gradients of sum(output * probe)."""
    options = DEFAULTS | options
    layer = make_layer(options)
    layer.build(options["x"])
    sides = ["forward/", "backward/"] if "merge_mode" in options else [""]
    cell = getattr(layer, "forward_layer", layer).cell
    weights = [side + variable.name for side in sides for variable in cell.trainable_variables]
    states = [side + state for side in sides for state in (["h", "c"] if options["cell"] == "conv_lstm" else ["h"])]

    random = uniform(name)
    values = [random(variable.shape, 0.8) for variable in layer.trainable_weights]
    layer.set_weights(values[:-1] + layer.get_weights()[-1:] if options["unit_forget_bias"] else values)
    inputs = {"x": random(options["x"])}
    if options["initial_state"]:
        shapes = [state.shape for state in cell.get_initial_state(options["x"][0])] * len(sides)
        inputs |= {state + "0": random(shape) for state, shape in zip(states, shapes)}
    inputs = {key: tf.constant(value) for key, value in inputs.items()}
    mask = np.array(options["mask"], bool) if "mask" in options else None

    def run():
        x, *initial = inputs.values()
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output, *last = layer(x, initial_state=initial or None, mask=mask)
            probe = random(output.shape)
            loss = tf.reduce_sum(output * probe)
        gradients = tape.gradient(loss, inputs | dict(zip(weights, layer.trainable_weights)))
        return {"probe": probe, "output": output} | dict(zip(states, last)), gradients

    if options["data_format"] == "channels_first":  # which TensorFlow has on a CPU only when compiled
        run = tf.function(run, jit_compile=True)
    results, gradients = run()
    tensors = inputs | dict(zip(weights, layer.trainable_weights)) | results
    tensors |= {"grad/" + key: value for key, value in gradients.items()}
    if mask is not None:
        tensors["mask"] = mask.astype(np.uint8)
    dropped = {"x", "mask"}
    if options["cell"] == "gru":
        dropped.update(CONVOLUTION)
    else:
        options |= {key: list(getattr(cell, key)) for key in ("kernel_size", "strides", "dilation_rate")}
    options |= {"layout": "keras", "rank": max(len(options["x"]) - 3, 0), "made_by": f"Keras {keras.__version__}"}
    return tensors, {key: value for key, value in options.items() if key not in dropped}


def train_keras(data, lr, scale, steps):
    """The mean absolute error before each step of Keras' Adam on one batch; its gradient is times `scale`."""
    layer = make_layer(DEFAULTS | dict(filters=3))
    layer.build(data["x"].shape)
    layer.set_weights([data[key] for key in ("kernel", "recurrent_kernel", "bias")])
    adam, losses = keras.optimizers.Adam(lr), []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = keras.losses.MeanAbsoluteError()(data["target"], layer(data["x"])[0])
            scaled = loss * scale
        losses.append(float(loss))
        adam.apply(tape.gradient(scaled, layer.trainable_weights), layer.trainable_weights)
    return losses


# ---- Plain PyTorch --------------------------------------------------------------------------------------------------


def plain_conv_lstm(inputs):
    """ConvLSTM2D, odd kernel, same padding, in ATen's layout: all h (N,T,F,H,W), last h, last c. Gates i, f, g, o.

    Options are given by the tensors there are: bias (4F), h0, c0, peephole (3,F,...) for i, f, o; norm_input_*,
    norm_hidden_* of shape (4F) or (4F,H,W): both parts are normalised; without norm_hidden_*: their sum.
    """
    x, bias = inputs["x"], inputs.get("bias")
    zeros = x.new_zeros(x.shape[0], inputs["hidden"].shape[1], *x.shape[3:])
    h, c, outputs = inputs.get("h0", zeros), inputs.get("c0", zeros), []
    peep_i, peep_f, peep_o = inputs.get("peephole", torch.zeros(3))
    on_sum = "norm_input_scale" in inputs and "norm_hidden_scale" not in inputs

    def norm(gates, part):
        if f"norm_{part}_scale" not in inputs:
            return gates
        scale, shift = inputs[f"norm_{part}_scale"], inputs[f"norm_{part}_shift"]
        if scale.dim() == 3:
            return torch.layer_norm(gates, scale.shape, scale, shift, 1e-5)
        return torch.layer_norm(gates.movedim(1, -1), scale.shape, scale, shift, 1e-5).movedim(-1, 1)

    for t in range(x.shape[1]):
        of_x = torch.conv2d(x[:, t], inputs["input"], bias, padding="same")
        of_h = torch.conv2d(h, inputs["hidden"], padding="same")
        gates = norm(of_x + of_h, "input") if on_sum else norm(of_x, "input") + norm(of_h, "hidden")
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f + peep_f * c) * c + torch.sigmoid(i + peep_i * c) * torch.tanh(g)
        h = torch.sigmoid(o + peep_o * c) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs, 1), h, c


def plain_conv_gru(inputs, reset, update):
    """As plain_conv_lstm. Gates z, r, g."""
    h, outputs = inputs["h0"], []
    u_z, u_r, u_g = inputs["hidden"].chunk(3)
    v_z, v_r, v_g = inputs["hidden_bias"].chunk(3) if reset == "after" else (None, None, None)
    for t in range(inputs["x"].shape[1]):
        of_z, of_r, of_g = torch.conv2d(inputs["x"][:, t], inputs["input"], inputs["bias"], padding="same").chunk(3, 1)
        z = torch.sigmoid(of_z + torch.conv2d(h, u_z, v_z, padding="same"))
        r = torch.sigmoid(of_r + torch.conv2d(h, u_r, v_r, padding="same"))
        if reset == "after":
            g = torch.tanh(of_g + r * torch.conv2d(h, u_g, v_g, padding="same"))
        else:
            g = torch.tanh(of_g + torch.conv2d(r * h, u_g, padding="same"))
        share = z if update == "keep" else 1 - z
        h = share * h + (1 - share) * g
        outputs.append(h)
    return torch.stack(outputs, 1), h


def torch_version():
    return torch.__version__.split("+")[0]


def torch_case(name, options):
    """As keras_case, for what Keras has not."""
    n, t, c, height, width, f = 2, 3, 3, 5, 4, 2
    options = {"cell": "conv_lstm"} | options
    gates, states = (4, ("h", "c")) if options["cell"] == "conv_lstm" else (3, ("h",))
    shapes = {"x": (n, t, c, height, width), "input": (gates * f, c, 3, 3), "hidden": (gates * f, f, 3, 3)}
    if "norm" in options:
        shape = (4 * f, height, width) if options["norm"] == "frame" else (4 * f,)
        parts = ("input", "hidden") if options["norm_on"] == "parts" else ("input",)
        shapes |= {f"norm_{part}_{kind}": shape for part in parts for kind in ("scale", "shift")}
    if "peephole" in options:
        shapes["bias"] = (4 * f,)
        shapes["peephole"] = (3, f, height, width) if options["peephole"] == "pixel" else (3, f, 1, 1)
    if gates == 3:
        shapes |= {name: (3 * f,) for name in ("bias", "hidden_bias")[:2 if options["reset"] == "after" else 1]}
    shapes |= {state + "0": (n, f, height, width) for state in states}
    random = uniform(name)
    inputs = {key: torch.tensor(random(shape), requires_grad=True) for key, shape in shapes.items()}
    output, *last = (plain_conv_lstm(inputs) if gates == 4 else
                     plain_conv_gru(inputs, options["reset"], options["update"]))
    probe = torch.tensor(random(output.shape))
    (output * probe).sum().backward()
    tensors = inputs | {"probe": probe, "output": output} | dict(zip(states, last))
    tensors |= {"grad/" + key: value.grad for key, value in inputs.items()}
    options = dict(layout="aten", filters=2, kernel_size=[3, 3], **options)
    options["made_by"] = f"PyTorch {torch_version()}"
    return {key: value.detach().numpy() for key, value in tensors.items()}, options


def train_torch(data, lr, scale, steps):
    """As train_keras, with PyTorch's Adam."""
    inputs = {"x": torch.tensor(data["x"]).movedim(-1, 2), "bias": torch.tensor(data["bias"]),
              "input": torch.tensor(data["kernel"]).permute(3, 2, 0, 1).contiguous(),
              "hidden": torch.tensor(data["recurrent_kernel"]).permute(3, 2, 0, 1).contiguous()}
    target = torch.tensor(data["target"]).movedim(-1, 2)
    parameters = [inputs[key].requires_grad_() for key in ("input", "hidden", "bias")]
    adam, losses = torch.optim.Adam(parameters, lr), []
    for _ in range(steps):
        adam.zero_grad()
        loss = torch.nn.functional.l1_loss(plain_conv_lstm(inputs)[0], target)
        losses.append(loss.item())
        (loss * scale).backward()
        adam.step()
    return losses


def training_case():
    """Ten steps with each Adam. The small scale makes the place of epsilon matter."""
    random, options = uniform("training"), dict(lr=0.01, loss="mae", loss_scale=1e-4, steps=10)
    data = {"x": random((2, 4, 6, 5, 2)), "target": random((2, 4, 6, 5, 3)), "bias": random((12,), 0.3),
            "kernel": random((3, 3, 2, 12), 0.3), "recurrent_kernel": random((3, 3, 3, 12), 0.3)}
    arguments = options["lr"], options["loss_scale"], options["steps"]
    losses = {"losses/keras": train_keras(data, *arguments), "losses/torch": train_torch(data, *arguments)}
    options |= dict(cell="conv_lstm", layout="keras", filters=3, kernel_size=[3, 3], keras_epsilon=1e-7,
                    torch_epsilon=1e-8, made_by=f"Keras {keras.__version__}, PyTorch {torch_version()}")
    return data | {key: np.array(value) for key, value in losses.items()}, options


# ---- Files ----------------------------------------------------------------------------------------------------------


def write(folder, name, tensors, options):
    tensors = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    for key, value in tensors.items():
        assert value.dtype in (np.float64, np.uint8) and np.isfinite(value).all(), (name, key)
    path = folder / f"{name}.safetensors"
    # One key: the writer does not sort them.
    safetensors.numpy.save_file(tensors, path, {"case": json.dumps(options, sort_keys=True)})
    print(f"{path.stat().st_size / 1000:6.1f} kB  {path.name}")


def environment(folder, pins):
    """The Python of the virtual environment `folder`, which is made if there is none."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *pins], check=True)
    return python


def make_scores(arguments):
    """The group scores, in a process of its own."""
    python = environment(arguments.scores_venv, golden_scores.PINS)
    subprocess.run([python, golden_scores.__file__, "--out", arguments.out], check=True)


def enter_environment(folder):
    """Continues in the virtual environment `folder`."""
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    python = environment(folder, PINS)
    os.execv(python, [python, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "golden", help="folder of the files (%(default)s)")
    parser.add_argument("--group", choices=["layers", "scores"], help="make these only (both)")
    parser.add_argument("--venv", type=Path, default=CACHE / "golden", help="virtual environment (%(default)s)")
    parser.add_argument("--scores-venv", type=Path, default=CACHE / "golden_scores",
                        help="virtual environment of the group scores (%(default)s)")
    parser.add_argument("--torch", type=Path, default=CACHE / f"libtorch-{TORCH}",
                        help="folder from which Python imports torch (%(default)s)")
    arguments = parser.parse_args()
    if arguments.group == "scores":
        return make_scores(arguments)
    if not (arguments.torch / "torch").is_dir():
        parser.error(f"no torch in {arguments.torch}: run scripts/setup.sh --cuda, or name its folder with --torch")
    enter_environment(arguments.venv)
    if arguments.group is None:
        make_scores(arguments)

    # The user's Keras settings are left out of it; one thread, for sums in one order.
    os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": str(arguments.venv), "CUDA_VISIBLE_DEVICES": "-1",
                   "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    sys.path.append(str(arguments.torch))
    global keras, np, safetensors, tf, torch
    import keras
    import numpy as np
    import safetensors.numpy
    import tensorflow as tf
    import torch

    tf.config.threading.set_intra_op_parallelism_threads(1)
    torch.set_num_threads(1)
    keras.config.set_floatx("float64")
    torch.set_default_dtype(torch.float64)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, options in KERAS_CASES.items():
        write(arguments.out, name, *keras_case(name, options))
    for name, options in TORCH_CASES.items():
        write(arguments.out, name, *torch_case(name, options))
    write(arguments.out, "training", *training_case())


if __name__ == "__main__":
    main()

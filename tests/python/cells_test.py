#!/usr/bin/env python3
"""The Python layer, cells/python/nowcell_cells.py: Keras' numbers, gradients, PyTorch's checks of operators, errors.

Expected numbers: Keras 3.15.1's own tests, and its layer run on sine-filled weights (shared by tests/cells).
"""

import copy
import json
import os
import pickle
import platform
import struct
import sys
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "cells" / "python"))
try:
    import torch
except (ImportError, OSError) as error:
    print(f"skipped: Python {platform.python_version()} cannot import torch: {error}; scripts/setup.sh --cuda adds it")
    sys.exit(0)
import nowcell_cells  # noqa: E402
from nowcell_cells import ConvLSTM  # noqa: E402

torch.set_num_threads(1)
OPERATOR = torch.ops.nowcell.conv_lstm.default
FORWARD = torch.ops.nowcell.conv_lstm_forward.default
BACKWARD = torch.ops.nowcell.conv_lstm_backward.default
ENGINES = "direct", "winograd-safe", "winograd-fast"


def ramp(shape, divisor):
    return torch.arange(torch.Size(shape).numel(), dtype=torch.double).div(divisor).view(shape)


def wave(shape, a, b, scale):
    return (torch.arange(torch.Size(shape).numel(), dtype=torch.double) * a + b).sin().mul(scale).view(shape)


def flat_layer(filters, kernel, channels, bias, **options):
    """Constant weights, as Keras' tests have them."""
    layer = ConvLSTM(filters, kernel, input_channels=channels, **options).double()
    layer.set_keras_weights([torch.full_like(weight, value) for weight, value in
                             zip(map(torch.tensor, layer.get_keras_weights()), (0.01, 0.02, bias))])
    layer.bias.data[filters:2 * filters] = 1
    return layer


def wave_layer(kernel=(3, 3), channels=3, **options):
    """Sine-filled weights, which see gate order, orientation, channel order and the side of the padding."""
    options = dict(padding="same", return_sequences=True, rank=len(kernel)) | options
    layer = ConvLSTM(2, kernel, input_channels=channels, **options).double()
    weights = [wave((*kernel, channels, 8), 0.53, 0.2, 0.4), wave((*kernel, 2, 8), 0.29, 0.3, 0.4)]
    layer.set_keras_weights(weights if layer.bias is None else [*weights, wave((8,), 0.7, 0, 0.2)])
    return layer


def wave_input():
    return wave((2, 3, 5, 4, 3), 0.37, 0.1, 1)


def wave_state():
    return [wave((2, 5, 4, 2), 0.11, 0.4, 0.5), wave((2, 5, 4, 2), 0.17, 0.6, 0.8)]


def read_golden(path):
    """Options and tensors of a file that scripts/make_golden.py wrote."""
    data = bytearray(path.read_bytes())
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header, types = json.loads(data[8:start]), {"F64": torch.double, "U8": torch.uint8}
    options = json.loads(header.pop("__metadata__")["case"])
    return options, {name: torch.frombuffer(data, dtype=types[entry["dtype"]], offset=start + entry["data_offsets"][0],
                                            count=torch.Size(entry["shape"]).numel()).view(entry["shape"])
                     for name, entry in header.items()}


class Case(unittest.TestCase):
    def near(self, tensor, expected, tolerance=1e-6):
        torch.testing.assert_close(tensor.detach().double(), torch.as_tensor(expected, dtype=torch.double),
                                   rtol=0, atol=tolerance)

    def raises(self, kind, *words):
        return self.assertRaisesRegex(kind, "(?s)" + ".*".join(words))


class NumbersOfKeras(Case):
    def test_cell(self):
        layer = flat_layer(4, 3, 3, 0, padding="same", return_state=True)
        memory = ramp((2, 5, 5, 4), 10)
        _, h, c = layer(ramp((2, 1, 5, 5, 3), 10), initial_state=[memory, memory])
        self.near(h.sum(), 188.89502, 1e-4)
        self.near(c.sum(), 2170.444, 1e-3)

    def test_layer(self):
        layer = flat_layer(4, 3, 3, 0, padding="same")
        memory = ramp((2, 5, 5, 4), 100)
        self.near(layer(ramp((2, 3, 5, 5, 3), 100), initial_state=[memory, memory]).sum(), 119.812454, 1e-5)

    def test_every_rank(self):
        cases = (((2, 3, 4, 5), 10, [[0.40807986, 0.46421072], [0.80933154, 0.8233646]]),
                 ((2, 3, 4, 4, 5), 100, [[0.48694518, 0.50237733, 0.5461202, 0.5598283],
                                         [0.8661607, 0.86909103, 0.8774414, 0.8800861]]),
                 ((2, 3, 4, 4, 4, 5), 100, [[0.99149036, 0.99180907, 0.99258363, 0.9927925,
                                             0.99413764, 0.99420583, 0.9943788, 0.9944278], [0.9950547] * 8]))
        for shape, divisor, expected in cases:
            with self.subTest(rank=len(shape) - 3):
                out = flat_layer(2, 3, 5, 0.03, rank=len(shape) - 3)(ramp(shape, divisor))
                for channel in range(2):
                    self.near(out[..., channel].flatten(1), expected)

    def test_sines(self):
        mask = torch.tensor([[True, True, False], [True, False, True]])
        cases = {  # sum, sum of absolute values, first, last
            "A": ({}, {}, (-0.892863973, 9.815826234, -0.023289518, -0.012830748)),
            "B": (dict(padding="valid"), {}, (-0.2713244, 3.0505299, -0.0425225, 0.0288156)),
            "C": (dict(kernel=(2, 4)), {}, (-1.4847388, 9.4678857, -0.0181826, -0.0759137)),
            "D": (dict(strides=2), {}, (-0.2323477, 2.7943751, -0.0012381, -0.0128921)),
            "F": (dict(go_backwards=True), {}, (-0.7483663, 9.8162623, 0.0033475, -0.0340927)),
            "G": (dict(recurrent_activation="hard_sigmoid_keras2"), {},
                  (-0.6898087, 9.9964798, -0.0238028, -0.0119805)),
            "G3": (dict(recurrent_activation="hard_sigmoid"), {}, (-0.5415989, 10.1377839, -0.0241543, -0.0113268)),
            "I": (dict(use_bias=False), {}, (-1.2959085, 9.8280481, -0.0411194, 0.0093633)),
            "K": ({}, dict(initial_state=wave_state()), (1.7389421, 20.2627558, 0.1357640, 0.0536255)),
            "M": (dict(kernel=(3, 3, 3), channels=2), dict(x=wave((1, 2, 3, 4, 3, 2), 0.37, 0.1, 1)),
                  (0.0256412, 4.7741252, -0.0586736, -0.0636875)),
            "mask": ({}, dict(mask=mask), (-2.3920825, 11.9725990)),
            "zeros for the mask": (dict(zero_output_for_mask=True), dict(mask=mask), (-1.3837335, 8.5855099)),
        }
        for name, (options, call, expected) in cases.items():
            with self.subTest(name):
                out = wave_layer(**options)(**dict(x=wave_input()) | call)
                got = torch.stack([out.sum(), out.abs().sum(), out.flatten()[0], out.flatten()[-1]])
                self.near(got[:len(expected)], expected)

    def test_gradients(self):
        layer, x, (h, c) = wave_layer(), wave_input().requires_grad_(), wave_state()
        out = layer(x, initial_state=[h.requires_grad_(), c.requires_grad_()])
        loss = (out * wave(out.shape, 0.31, 0.2, 1)).sum()
        loss.backward()
        self.near(loss, -0.7802599119, 1e-9)
        for name, gradient, expected in (
                ("kernel", layer.input.grad.permute(2, 3, 1, 0), (-1.9453902463, -0.4073146428, 0.1634315288)),
                ("recurrent", layer.hidden.grad.permute(2, 3, 1, 0), (-1.2041173938, 0.0798615112, 0.1131931967)),
                ("bias", layer.bias.grad, (-1.3843633751, -0.0764622463, -0.3660058271)),
                ("x", x.grad, (0.4197836734, 0.0820560433, 0.2040677084)),
                ("h", h.grad, (-3.0739027649, 0.0604115854, -0.3565839033)),
                ("c", c.grad, (-0.8760682451, 0.0498331491, -0.4019566788))):
            with self.subTest(name):
                flat = gradient.flatten()
                self.near(torch.stack([flat.sum(), flat[0], flat[-1]]), expected, 1e-9)

    def test_golden_files(self):
        """Every option, its outputs and gradients; peepholes and norms by the names of saved parameters."""
        folder = ROOT / "tests" / "golden"
        paths = [path for pattern in ("conv_lstm_*", "peephole_*", "norm_*") for path in sorted(folder.glob(pattern))]
        self.assertGreater(len(paths), 40)
        for path in paths:
            for memory in "store", "recompute":
                with self.subTest(path.stem, memory=memory):
                    self.check_golden(*read_golden(path), memory)

    def check_golden(self, options, tensors, memory):
        of_keras = options["layout"] == "keras"
        for key in "cell", "layout", "made_by", "initial_state":
            options.pop(key, None)
        if not of_keras:
            options |= dict(data_format="channels_first", padding="same", return_sequences=True, frame=(5, 4),
                            use_bias="bias" in tensors)
        channels = tensors["x"].shape[2 if options["data_format"] == "channels_first" else -1]
        layer = ConvLSTM(input_channels=channels, return_state=True, memory=memory, **options).double()
        if of_keras:
            names = "kernel", "recurrent_kernel", "bias"
            layer.set_keras_weights([tensors[name] for name in names if name in tensors])
        else:
            layer.load_state_dict({name: tensors[name] for name in layer.state_dict()})
        inputs = {name: tensors[name].clone().requires_grad_() for name in ("x", "h0", "c0") if name in tensors}
        x, *state = inputs.values()
        output, h, c = layer(x, state or None, tensors["mask"].bool() if "mask" in tensors else None)
        for tensor, name in (output, "output"), (h, "h"), (c, "c"):
            self.near(tensor, tensors[name], 1e-12)
        (output * tensors["probe"]).sum().backward()
        order = *range(2, layer.rank + 2), 1, 0
        gradients = {name: tensor.grad for name, tensor in (inputs | dict(layer.named_parameters())).items()}
        gradients |= {"kernel": layer.input.grad.permute(order), "recurrent_kernel": layer.hidden.grad.permute(order)}
        expected = [name[5:] for name in tensors if name.startswith("grad/")]
        self.assertGreater(len(expected), 2)
        for name in expected:
            self.near(gradients[name], tensors["grad/" + name], 1e-12)

    def test_ten_steps_of_adam(self):
        options, tensors = read_golden(ROOT / "tests" / "golden" / "training.safetensors")
        layer = ConvLSTM(3, 3, padding="same", return_sequences=True, input_channels=2).double()
        layer.set_keras_weights([tensors[name] for name in ("kernel", "recurrent_kernel", "bias")])
        adam = torch.optim.Adam(layer.parameters(), options["lr"], eps=options["torch_epsilon"])
        for expected in tensors["losses/torch"]:
            adam.zero_grad()
            loss = torch.nn.functional.l1_loss(layer(tensors["x"]), tensors["target"])
            (loss * options["loss_scale"]).backward()
            adam.step()
            self.near(loss, expected, 1e-9)

    def test_channels_first_equals_last(self):
        last, first = wave_layer(return_state=True), wave_layer(return_state=True, data_format="channels_first")
        of_last = last(wave_input(), initial_state=wave_state())
        of_first = first(wave_input().movedim(-1, 2), initial_state=[state.movedim(-1, 1) for state in wave_state()])
        for one, other, axis in zip(of_last, of_first, (2, 1, 1)):
            self.near(one, other.movedim(axis, -1), 0)

    def test_even_kernel_pads_after(self):
        """tensorflow#50599: padding before instead would give 0, not 512."""
        layer = ConvLSTM(1, (1, 2), activation=None, recurrent_activation=None, return_sequences=True, input_channels=1)
        layer.set_keras_weights([torch.ones(1, 2, 1, 4), torch.ones(1, 2, 1, 4), torch.zeros(4)])
        x = torch.tensor([[0.0, 0, 2], [0, 0, 1]]).view(1, 2, 1, 3, 1)
        self.near(layer(x).flatten(), [0, 8, 512, 1053], 0)


class Layer(Case):
    def test_initial_weights(self):
        layer = ConvLSTM(40, 3, input_channels=1)
        kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_keras_weights())
        self.assertEqual(sum(parameter.numel() for parameter in layer.parameters()), 59200)
        self.assertTrue(0.99 * 0.06435 < kernel.abs().max() < 0.06435 + 1e-5)
        flat = recurrent_kernel.view(360, 160)
        self.near(flat.T @ flat, torch.eye(160), 1e-5)
        self.near(bias, [0.0] * 40 + [1.0] * 40 + [0.0] * 80, 0)
        self.near(ConvLSTM(2, 3, unit_forget_bias=False, input_channels=1).bias, [0.0] * 8, 0)

    def test_parameters_are_those_of_cpp(self):
        layer = ConvLSTM(2, 3, input_channels=1, peephole="pixel", norm="frame", frame=(6, 5), stateful=True)
        layer(torch.zeros(1, 1, 6, 5, 1))
        shapes = {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}
        norms = {f"norm_{part}_{kind}": (8, 4, 3) for part in ("input", "hidden") for kind in ("scale", "shift")}
        self.assertEqual(shapes, {"input": (8, 1, 3, 3), "hidden": (8, 2, 3, 3), "bias": (8,),
                                  "peephole": (3, 2, 4, 3)} | norms)
        others = ConvLSTM(2, 3, input_channels=1, use_bias=False, peephole="channel", norm="channels", norm_on="sum")
        self.assertEqual([(name, tuple(tensor.shape)) for name, tensor in others.state_dict().items()][2:], [
            ("peephole", (3, 2, 1, 1)), ("norm_input_scale", (8,)), ("norm_input_shift", (8,))])

    def test_weights_go_to_keras_and_back(self):
        one, other = (ConvLSTM(3, (2, 4), input_channels=2) for _ in range(2))
        weights = one.get_keras_weights()
        self.assertEqual([weight.shape for weight in weights], [(2, 4, 2, 12), (2, 4, 3, 12), (12,)])
        weights[2][:] += 1  # a copy
        self.assertEqual(one.bias[0], 0)
        other.set_keras_weights(one.get_keras_weights())
        for name, tensor in one.state_dict().items():
            self.assertTrue(torch.equal(tensor, other.state_dict()[name]), name)
        with self.raises(ValueError, "expected 3: kernel, recurrent_kernel, bias"):
            one.set_keras_weights(weights[:2])
        with self.raises(ValueError, r"recurrent_kernel is \(2, 4, 2, 12\), expected \(2, 4, 3, 12\)"):
            one.set_keras_weights([weights[0], weights[0], weights[2]])

    def test_return_state(self):
        whole, h, c = wave_layer(return_state=True)(wave_input())
        self.near(h, whole[:, -1], 0)
        self.near(torch.stack([h.sum(), h.abs().sum(), c.sum(), c.abs().sum()]),
                  [-0.2951811, 3.2459040, -1.0999331, 7.1959868])
        self.near(wave_layer(return_sequences=False)(wave_input()), h, 0)

    def test_stateful_equals_whole(self):
        layer, x = wave_layer(stateful=True), wave_input()
        whole = wave_layer()(x)
        for _ in range(2):
            parts = torch.cat([layer(x[:, :1]), layer(x[:, 1:])], 1)
            self.near(parts, whole, 1e-12)
            self.assertGreater((layer(x) - whole).abs().max(), 1e-3)
            layer.reset_state()
        for _ in range(2):  # a gradient ends where a call ends
            layer(x).sum().backward()
        with self.raises(ValueError, r"state h is \(2, 5, 4, 2\), expected \(1, 5, 4, 2\)", "reset_state"):
            layer(x[:1])
        layer.reset_state()
        with torch.inference_mode():
            layer(x)
        layer(x).sum().backward()  # and what inference left can be trained from
        layer.float()(x.float())  # the state moves with the layer
        given = layer(x.float(), initial_state=[state.float() for state in wave_state()])
        self.near(given.sum(), 1.7389421, 1e-5)

    def test_input_dropout(self):
        """All weights 1, f starts with nothing to forget: h_1 = o i g, h_2 = h_1 (1 + f), h_3 = h_1 (1 + f + f^2)."""
        layer = ConvLSTM(1, 1, activation=None, recurrent_activation=None, use_bias=False, dropout=0.4, seed=1,
                         return_sequences=True, input_channels=1)
        layer.set_keras_weights([torch.ones(1, 1, 1, 4), torch.zeros(1, 1, 1, 4)])
        x = torch.ones(1, 3, 100, 100, 1)
        first, second, third = layer(x).detach()[0, ..., 0]
        kept = first != 0
        self.near(first[kept], torch.full_like(first[kept], 0.6 ** -3), 1e-5)
        self.near(kept.double().mean(), 0.6 ** 3, 0.02)  # three masks, independent of each other
        forget = second[kept] / first[kept] - 1
        self.near((forget > 1).double().mean(), 0.6, 0.05)  # and the fourth
        self.near(forget[forget > 1], torch.full_like(forget[forget > 1], 1 / 0.6), 1e-5)
        self.near(third[kept] / first[kept], 1 + forget + forget ** 2, 1e-4)  # the same in every step
        self.near(layer.eval()(x)[0, 2], torch.full((100, 100, 1), 3.0), 0)

    def test_recurrent_dropout(self):
        layer = ConvLSTM(1, 1, activation=None, recurrent_activation=None, use_bias=False, recurrent_dropout=0.4,
                         seed=1, input_channels=1)
        layer.set_keras_weights([torch.zeros(1, 1, 1, 4), torch.ones(1, 1, 1, 4)])
        state = [torch.ones(1, 100, 100, 1), torch.zeros(1, 100, 100, 1)]
        h = layer(torch.ones(1, 1, 100, 100, 1), initial_state=state)
        self.near((h != 0).double().mean(), 0.6 ** 3, 0.02)
        self.near(h.max(), 0.6 ** -3, 1e-5)

    def test_zoneout(self):
        layer = wave_layer(zoneout=0.25, seed=1)
        x = wave((1, 2, 40, 40, 3), 0.37, 0.1, 1)
        first, second = layer(x)[0]
        plain = wave_layer()(x)[0, 0]
        kept = first != plain
        self.near(first[kept], torch.zeros(int(kept.sum())), 0)
        self.near(kept.double().mean(), 0.25, 0.03)
        self.near((second == first).double().mean(), 0.25, 0.03)
        self.near(layer.eval()(x)[0, 0], 0.75 * plain, 1e-12)
        cell = wave_layer(zoneout_cell=0.25, return_state=True).eval()
        self.near(cell(x[:, :1])[2], 0.75 * wave_layer(return_state=True)(x[:, :1])[2], 1e-12)

    def test_seed(self):
        def masks(seed):
            layer = wave_layer(dropout=0.5, recurrent_dropout=0.5, zoneout=0.1, seed=seed)
            return layer(wave_input()), layer(wave_input())

        one, again, other = masks(1), masks(1), masks(2)
        self.assertTrue(torch.equal(one[0], again[0]) and torch.equal(one[1], again[1]))
        self.assertFalse(torch.equal(one[0], one[1]) or torch.equal(one[0], other[0]))
        self.assertFalse(torch.equal(masks(None)[0], masks(None)[0]))

    def test_autocast(self):
        for memory in "store", "recompute":
            layer = wave_layer(dropout=0.3, recurrent_dropout=0.3, zoneout=0.2, zoneout_cell=0.2, memory=memory, seed=1)
            x, state = (wave_input().bfloat16(), [tensor.bfloat16() for tensor in wave_state()])
            outputs, gradients = [], []
            for half in True, False:
                layer._generator.manual_seed(1)
                layer.zero_grad()
                given = [tensor if half else tensor.double() for tensor in (x, *state)]
                with torch.autocast("cpu", torch.bfloat16, enabled=half):
                    outputs.append(layer(given[0], given[1:]))
                    outputs[-1].sum().backward()
                gradients.append(layer.hidden.grad)
            self.near(*outputs, 0)
            self.near(*gradients, 0)

    def test_recompute_keeps_less(self):
        def kept(memory):
            sizes = []
            with torch.autograd.graph.saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()), lambda _: None):
                wave_layer(memory=memory)(wave_input())
            return sum(sizes)

        gates = 2 * 3 * 8 * 5 * 4
        self.assertGreaterEqual(kept("store"), kept("recompute") + gates)

    def test_training_lowers_the_loss(self):
        torch.manual_seed(0)
        layer = ConvLSTM(4, 3, padding="same", return_sequences=True, input_channels=4, dropout=0.01)
        x = torch.rand(4, 6, 8, 8, 4)
        adam, losses = torch.optim.Adam(layer.parameters(), 0.01), []
        for _ in range(30):
            adam.zero_grad()
            losses.append(torch.nn.functional.l1_loss(layer(x)[:, 1:], 0.5 * x[:, :-1]))
            losses[-1].backward()
            adam.step()
        self.assertLess(losses[-1].item(), 0.7 * losses[0].item())


class InPyTorch(Case):
    def functional(self, **options):
        """A layer of random weights as a function of everything differentiable, and its arguments."""
        torch.manual_seed(0)
        layer = ConvLSTM(2, 3, padding="same", return_sequences=True, return_state=True, input_channels=1, **options)
        for parameter in layer.double().parameters():
            torch.nn.init.normal_(parameter)
        shapes = (1, 2, 3, 2, 1), (1, 3, 2, 2), (1, 3, 2, 2)
        tensors = [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes]

        def call(x, h, c, *parameters):
            if layer._generator is not None:
                layer._generator.manual_seed(1)
            named = dict(zip(dict(layer.named_parameters()), parameters))
            return tuple(torch.func.functional_call(layer, named, (x, [h, c], torch.tensor([[True, False]]))))

        return call, (*tensors, *layer.parameters())

    def test_gradients_by_differences(self):
        for options in ({}, dict(peephole="pixel", norm="frame", frame=(3, 2), memory="recompute"),
                        dict(peephole="channel", norm="channels", norm_on="sum", go_backwards=True),
                        dict(use_bias=False, activation="relu", recurrent_activation="hard_sigmoid"),
                        dict(dropout=0.3, recurrent_dropout=0.4, zoneout=0.2, zoneout_cell=0.3, seed=1)):
            with self.subTest(**options):
                call, inputs = self.functional(**options)
                self.assertTrue(torch.autograd.gradcheck(call, inputs, fast_mode=True))
                self.assertTrue(torch.autograd.gradgradcheck(call, inputs, fast_mode=True))
        self.assertTrue(torch.autograd.gradcheck(*self.functional()))

    def test_forward_mode(self):
        weights = [tensor.double() for tensor in self.arguments(False)[3:]]
        x, tangent = torch.randn(2, 2, 3, 1, 4, 5, dtype=torch.double)

        def hidden(x):
            return torch.ops.nowcell.conv_lstm(x, None, None, *weights)[0]

        step = 1e-6
        expected = (hidden(x + step * tangent) - hidden(x - step * tangent)) / (2 * step)
        _, got = torch.func.jvp(hidden, (x,), (tangent,))
        self.assertGreater(got.abs().max(), 0.01)
        self.assertLess((got - expected).abs().max(), 1e-8)

    def arguments(self, learn):
        shapes = (2, 3, 1, 4, 5), (2, 2, 4, 5), (2, 2, 4, 5), (8, 1, 3, 3), (8, 2, 3, 3), (8,)
        return [torch.randn(shape, requires_grad=learn) for shape in shapes]

    # Not test_aot_dispatch_dynamic: the C++ side asks for sizes as numbers, which symbolic shapes do not have.
    CHECKS = "test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_static"

    def test_operator(self):
        for learn in False, True:
            x, h, c, *weights = self.arguments(learn)
            torch.library.opcheck(OPERATOR, (x, h, c, *weights), test_utils=self.CHECKS)
            options = dict(mask=torch.ones(2, 3, dtype=torch.bool), go_backwards=True, memory="recompute")
            torch.library.opcheck(OPERATOR, (x, None, None, *weights), options, test_utils=self.CHECKS)

    def test_forward_operator(self):
        for saved in "none", "states", "gates", "checkpoints":
            tensors = [*self.arguments(False), *[None] * 9]
            rules = [1, 1], [1, 1], "same", "tanh", "sigmoid"
            torch.library.opcheck(FORWARD, (tensors, *rules, saved, "auto"), test_utils=self.CHECKS)

    def test_meta_device(self):
        layer = ConvLSTM(2, 3, strides=2, input_channels=1, dropout=0.1, zoneout=0.1, seed=1, return_state=True)
        output, h, c = layer.to("meta")(torch.empty(2, 3, 9, 8, 1, device="meta"))
        output.sum().backward()
        self.assertEqual([tensor.shape for tensor in (output, h, c)], [(2, 4, 3, 2)] * 3)
        self.assertEqual((output.device.type, layer.hidden.grad.device.type), ("meta", "meta"))

    def test_compile(self):
        for options in {}, dict(dropout=0.3, recurrent_dropout=0.2, zoneout=0.1), dict(stateful=True):
            with self.subTest(**options):
                torch._dynamo.reset()
                layer = wave_layer(**options)
                compiled = torch.compile(copy.deepcopy(layer), backend="aot_eager", fullgraph=True, dynamic=False)
                for samples in 2, 1:
                    results = []
                    for run in layer, compiled:
                        torch.manual_seed(1)
                        x = wave_input()[:samples].requires_grad_()
                        run(x).square().sum().backward()
                        results.append((run(x), x.grad))
                        run.reset_states()
                    for one, other in zip(*results):
                        self.near(one, other, 1e-12)

    def test_copies(self):
        layer, x = wave_layer(dropout=0.5, seed=1), wave_input()
        copies = copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))
        expected = layer(x)
        for other in copies:
            self.assertTrue(torch.equal(other(x), expected))


class Engines(Case):
    """The CPU's own kernels, which compute float32."""

    CHECKS = InPyTorch.CHECKS

    def call(self, layer, dtype):
        """Outputs, states and gradients on sines."""
        layer = copy.deepcopy(layer).to(dtype)
        x, *state = [tensor.to(dtype).requires_grad_() for tensor in (wave_input(), *wave_state())]
        results = layer(x, initial_state=state)
        sum((result * wave(result.shape, 0.31, 0.2, 1).to(dtype)).sum() for result in results).backward()
        return results, [tensor.grad for tensor in (x, *state, *layer.parameters())]

    def test_equal_double_precision(self):
        for options in ({}, dict(peephole="channel", go_backwards=True), dict(memory="recompute", use_bias=False),
                        dict(kernel=(5, 5), activation="relu", recurrent_activation="hard_sigmoid"),
                        dict(return_sequences=False), dict(strides=2)):
            state = wave_state() if "strides" not in options else None
            for algorithm in "auto", "reference", *ENGINES:
                with self.subTest(algorithm, **options):
                    if state is None:  # no engine has it: the reference computes it
                        layer = wave_layer(algorithm=algorithm, **options)
                        expected = layer(wave_input())
                        self.near(layer.float()(wave_input().float()), expected, 1e-5)
                        continue
                    layer = wave_layer(return_state=True, algorithm=algorithm, **options)
                    (outputs, gradients), (expected, slopes) = (self.call(layer, dtype)
                                                                for dtype in (torch.float, torch.double))
                    for one, other in zip(outputs, expected):
                        self.near(one, other, 1e-5)
                    for one, other in zip(gradients, slopes):
                        self.assertLess((one - other).norm(), 5e-5 * other.norm())

    def test_each_computes_by_itself(self):
        """Not the same bits: so it is not one engine under all names."""
        if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512") or os.environ.get("NOWCELL_ISA") == "plain":
            self.skipTest("no kernels for this processor")
        x = wave((2, 3, 16, 16, 3), 0.37, 0.1, 1).float()
        outputs = [wave_layer(algorithm=algorithm).float()(x) for algorithm in ("reference", *ENGINES)]
        for n, one in enumerate(outputs):
            for other in outputs[:n]:
                self.assertFalse(torch.equal(one, other))
                self.near(one, other, 1e-5)

    def test_layouts(self):
        """Channels last in, channels last out, without copies on the way."""
        for algorithm in ENGINES:
            for data_format in "channels_last", "channels_first":
                layer = wave_layer(algorithm=algorithm, data_format=data_format).float()
                x = wave_input().float()
                x = (x if data_format == "channels_last" else x.movedim(-1, 2).contiguous()).requires_grad_()
                out = layer(x)
                out.square().sum().backward()
                self.assertTrue(out.is_contiguous() and x.grad.is_contiguous(), (algorithm, data_format))

    def test_name(self):
        with self.raises(ValueError, "algorithm is 'fast'", "auto, direct, winograd-safe, winograd-fast, reference"):
            ConvLSTM(2, 3, input_channels=1, algorithm="fast")
        with self.raises(ValueError, "algorithm", "winograd-fast"):
            OPERATOR(torch.zeros(1, 1, 1, 4, 4), None, None, torch.zeros(8, 1, 3, 3), torch.zeros(8, 2, 3, 3),
                     algorithm="fast")

    def frames(self, channels_last, channels, learn):
        shapes = (2, 3, channels, 4, 5), (2, 2, 4, 5), (2, 2, 4, 5), (8, channels, 3, 3), (8, 2, 3, 3), (8,)
        tensors = [torch.randn(shape) for shape in shapes]
        if channels_last:
            tensors[0] = torch.randn(2, 3, 4, 5, channels).movedim(-1, 2)
        return [tensor.requires_grad_(learn) for tensor in tensors]

    def test_operator_checks(self):
        for algorithm in "auto", *ENGINES:
            for channels_last in False, True:
                for channels in 1, 3:
                    for memory in "store", "recompute":
                        with self.subTest(algorithm, channels_last=channels_last, channels=channels, memory=memory):
                            options = dict(algorithm=algorithm, memory=memory)
                            tensors = self.frames(channels_last, channels, True)
                            torch.library.opcheck(OPERATOR, tuple(tensors), options, test_utils=self.CHECKS)
                            options |= dict(mask=torch.ones(2, 3, dtype=torch.bool), go_backwards=True)
                            torch.library.opcheck(OPERATOR, (tensors[0], None, None, *tensors[3:]), options,
                                                  test_utils=self.CHECKS)

    def layouts_of(self, operator, *arguments):
        """Of real and of fake results."""
        mode = torch._subclasses.FakeTensorMode()

        def fake(value):
            if isinstance(value, torch.Tensor):
                return mode.from_tensor(value)
            return [fake(entry) for entry in value] if isinstance(value, list) else value

        with mode:
            fakes = operator(*map(fake, arguments))
        return [[(tensor.shape, tensor.stride(), tensor.dtype) for tensor in results]
                for results in (operator(*arguments), fakes)]

    def test_fake_layouts(self):
        rules = [1, 1], [1, 1], "same", "tanh", "sigmoid"
        for algorithm in "auto", "reference", *ENGINES:
            for channels_last in False, True:
                for channels in 1, 3:
                    tensors = [*self.frames(channels_last, channels, False), *[None] * 9]
                    for saved in "none", "states", "gates":
                        with self.subTest(algorithm, channels_last=channels_last, channels=channels, saved=saved):
                            real, fake = self.layouts_of(FORWARD, tensors, *rules, saved, algorithm)
                            self.assertEqual(real, fake)
                            if saved == "none":
                                continue
                            results = list(FORWARD(tensors, *rules, saved, algorithm))
                            gradients = [torch.randn(result.shape) for result in results[:3]]
                            for wanted in [True] * 6 + [False] * 5, [n in (3, 5) for n in range(11)], \
                                    [n == 0 for n in range(11)], [False] * 11:
                                real, fake = self.layouts_of(BACKWARD, tensors, results, gradients, *rules, algorithm,
                                                             wanted)
                                self.assertEqual(real, fake, wanted)

    def test_compile(self):
        for algorithm in "auto", *ENGINES:
            for data_format in "channels_last", "channels_first":
                with self.subTest(algorithm, data_format=data_format):
                    torch._dynamo.reset()
                    layer = wave_layer(algorithm=algorithm, data_format=data_format).float()
                    compiled = torch.compile(copy.deepcopy(layer), backend="aot_eager", fullgraph=True, dynamic=False)
                    results = []
                    for run in layer, compiled:
                        x = wave_input().float()
                        x = (x if data_format == "channels_last" else x.movedim(-1, 2).contiguous()).requires_grad_()
                        out = run(x)
                        out.square().sum().backward()
                        results.append((out, x.grad))
                    for one, other in zip(*results):
                        self.near(one, other, 1e-6)
                        self.assertEqual(one.stride(), other.stride())


class Errors(Case):
    def test_arguments(self):
        right = dict(filters=2, kernel_size=3, input_channels=1)
        for name, value, expected in (
                ("filters", float("nan"), "positive"), ("filters", 0, "positive"), ("filters", 2.0, "positive"),
                ("input_channels", -1, "positive"), ("kernel_size", (3, 3, 3), "2, one per axis"),
                ("kernel_size", (3, 0), "positive"), ("strides", 0, "positive"), ("dilation_rate", 1.5, "positive"),
                ("rank", 4, "1, 2 or 3"), ("padding", "causal", "valid, same"), ("data_format", "N", "channels_last"),
                ("activation", torch.tanh, "linear, tanh"), ("recurrent_activation", "softmax", "sigmoid"),
                ("dropout", 1.0, "below 1"), ("dropout", float("nan"), "below 1"),
                ("recurrent_dropout", -0.1, "at least 0"), ("zoneout", 2, "below 1"), ("zoneout_cell", "a", "below 1"),
                ("peephole", "full", "none, channel, pixel"), ("norm", "batch", "none, channels, frame"),
                ("norm_on", "all", "parts, sum"), ("memory", "", "store, recompute")):
            with self.subTest(name, value=value), self.raises(ValueError, f"^{name} is ", "expected", expected):
                ConvLSTM(**right | {name: value})
        with self.raises(ValueError, "strides is 2 and dilation_rate is 3"):
            ConvLSTM(**right, strides=2, dilation_rate=3)
        for option in dict(peephole="pixel"), dict(norm="frame"):
            with self.raises(ValueError, "frame, which peephole pixel and norm frame need, is None"):
                ConvLSTM(**right, **option)
            with self.raises(ValueError, r"frame is \(2, 8\), which gives states of \(0, 6\)", "padding same"):
                ConvLSTM(**right, **option, frame=(2, 8))
        for name, value in dict(kernel_regularizer="l2", unroll=True, name="layer", dtype="float32").items():
            with self.raises(TypeError, name):
                ConvLSTM(**right, **{name: value})
        for seed in 1.5, "1", True:
            with self.raises(TypeError, "seed is ", "expected an integer"):
                ConvLSTM(**right, seed=seed)
        with self.raises(TypeError, "positional"):  # Keras' tenth is an initializer
            ConvLSTM(2, 3, 1, "same", None, 1, "tanh", "sigmoid", True, "zeros", input_channels=1)

    def test_calls(self):
        layer, x, state = wave_layer(), wave_input(), wave_state()
        for kind, words, call in (
                (ValueError, (r"x is \(2, 3, 5, 4\)", r"\(N,T,H,W,3\) in channels_last"), dict(x=x[..., 0])),
                (ValueError, (r"x is \(2, 3, 3, 5, 4\)", r"\(N,T,H,W,3\)"), dict(x=x.movedim(-1, 2))),
                (ValueError, ("initial_state has 1 tensors", "expected 2"), dict(x=x, initial_state=state[:1])),
                (ValueError, (r"state c is \(2, 5, 4, 1\)", r"\(2, 5, 4, 2\)"),
                 dict(x=x, initial_state=[state[0], state[1][..., :1]])),
                (ValueError, (r"mask is \[2, 2\]", r"\(B,T\)"), dict(x=x, mask=torch.ones(2, 2, dtype=torch.bool))),
                (TypeError, ("mask is Float", "bool"), dict(x=x, mask=torch.ones(2, 3))),
                (TypeError, ("mask is of type list",), dict(x=x, mask=[[True] * 3] * 2)),
                (TypeError, ("x is None, expected a tensor",), dict(x=None)),
                (TypeError, ("x is of type ndarray, expected a tensor",), dict(x=x.numpy())),
                (TypeError, ("initial_state is of type Tensor", "list of h and c"),
                 dict(x=x, initial_state=torch.ones(2, 3, dtype=torch.bool))),  # a mask in its place
                (TypeError, ("state c is of type int",), dict(x=x, initial_state=[state[0], 0])),
                (TypeError, ("training",), dict(x=x, training=True)),
                (TypeError, ("x is Sparse", "dense"), dict(x=x.to_sparse())),
                (TypeError, ("input", "Double", "Float like x"), dict(x=x.float())),
                (TypeError, ("state h", "Float"), dict(x=x, initial_state=[state[0].float(), state[1]]))):
            with self.subTest(words), self.raises(kind, *words):
                layer(**call)
        with self.raises(ValueError, r"x is \(1, 1, 1, 4\)", r"\(N,T,2,W\) in channels_first"):
            ConvLSTM(2, 3, data_format="channels_first", rank=1, input_channels=2)(torch.zeros(1, 1, 1, 4))
        with self.raises(ValueError, "smaller than the kernel"):
            wave_layer(padding="valid")(x[:, :, :2])

    def test_backward_operator(self):
        tensors = [torch.randn(1, 2, 1, 4, 4), None, None, torch.randn(8, 1, 3, 3), torch.randn(8, 2, 3, 3), *[None] * 10]
        rules = [], [], "same", "tanh", "sigmoid"
        with self.assertRaisesRegex(ValueError, "0 results, 3 gradients and 11 wanted, expected 5"):
            torch.ops.nowcell.conv_lstm_backward(tensors, [], [None] * 3, *rules, "auto", [True] * 11)
        with self.assertRaisesRegex(ValueError, "2 tensors, expected 15"):
            torch.ops.nowcell.conv_lstm_forward(tensors[:2], *rules, "none", "auto")

    def test_no_library(self):
        with mock.patch.dict(os.environ, NOWCELL_CELLS="/nowhere/cells.so"):
            with self.raises(ImportError, "looked at: /nowhere/cells.so", "cmake --preset release", "NOWCELL_CELLS"):
                nowcell_cells._load_operators()
        with mock.patch.dict(os.environ, NOWCELL_CELLS=__file__):
            with self.raises(ImportError, "does not load into PyTorch", "Torch_DIR"):
                nowcell_cells._load_operators()


if __name__ == "__main__":
    unittest.main()

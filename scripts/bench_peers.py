#!/usr/bin/env python3
"""Times one ConvLSTM layer in other frameworks, installed from PyPI, beside Nowcell's operator.

One run compares all: same shapes, weights and number of threads, float32. Each framework lives in a process of its
own; in each round all are timed, one after the other, while the rest are stopped. ratio: time of PyTorch eager over
the engine's, lead: the engine's time over Nowcell's, both medians of the rounds' own ratios. Errors are against eager
in float64; a difference from eager of more than 1e-4 fails the run (exit status 1).

training: forward, mean squared error, gradients of x and of all weights, a step of Adam. GF/s counts multiplications
and additions of a direct convolution, three times for training. Compiling is timed on its own.

--setup makes a virtual environment with the frameworks (0.9 GB beside that of make_golden.py, else 2.5 GB) in the
cache folder and uses it; later runs find it there. PyTorch is the one that scripts/setup.sh --cuda unpacked.
"""

import argparse
import contextlib
import ctypes
import importlib.metadata
import json
import math
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import venv
import zlib
from pathlib import Path

import make_golden

PINS = [*make_golden.PINS, "jax==0.10.2", "jaxlib==0.10.2", "onnx==1.23.2", "onnxscript==0.7.2", "onnxruntime==1.32.0",
        "openvino==2026.4.1"]
ROOT, CACHE, TORCH = make_golden.ROOT, make_golden.CACHE, make_golden.TORCH
LIBRARY = ROOT / "build" / "release" / "lib" / "libnowcell_cells.so"

#             B,  T,   C,   F,  H,  W, K
CONFIGS = {
    "a":     (4, 15,  40,  40, 40, 40, 3),
    "b3":    (2, 10,  64,  64, 64, 64, 3),
    "b5":    (1,  8,  64,  64, 64, 64, 5),
    "c":     (4, 10, 128, 128, 16, 16, 5),
    "k1":    (4, 10,  64,  64, 64, 64, 1),
    "tiny":  (1, 20,  16,  16, 32, 32, 3),
}
DIRECTIONS = "inference", "training"
TOLERANCE = 1e-4  # of hidden states, from eager's
GRADIENT_TOLERANCE = 1e-3  # of a gradient, relative
TURN_S = 0.1  # the least that an engine is timed for in a round
SLOW = 8  # an engine so many times slower than eager is timed in the first round only
LEARNING_RATE = 1e-3
WEIGHTS = "input", "hidden", "bias"  # (4F,C,K,K), (4F,F,K,K), (4F), gates i, f, g, o


def make_data(config):
    """x (B,T,C,H,W), target (B,T,F,H,W) and weights."""
    import numpy as np
    b, t, c, f, h, w, k = CONFIGS[config]
    random = np.random.default_rng(zlib.crc32(config.encode()))

    def uniform(limit, *shape):
        return random.uniform(-limit, limit, shape).astype(np.float32)

    return {"x": random.standard_normal((b, t, c, h, w), np.float32), "target": uniform(1, b, t, f, h, w),
            "input": uniform(math.sqrt(6 / ((c + 4 * f) * k * k)), 4 * f, c, k, k),
            "hidden": uniform(math.sqrt(3 / (f * k * k)), 4 * f, f, k, k), "bias": uniform(0.5, 4 * f)}


# ---- Engines. open_*(threads) gives a version and prepare(data, training), which gives run() and read(). -------------
#
# run() does the whole work once; read(what the first run gave) gives output and gradients in PyTorch's layouts.


def open_torch(threads):
    import torch
    torch.set_num_threads(threads)
    return torch, f"PyTorch {torch.__version__.split('+')[0]}"


def torch_layer(data):
    """The plain cell of the public PyTorch modules: one convolution of x and h together in each step."""
    import torch

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.cat([torch.tensor(data[name]) for name in WEIGHTS[:2]], 1))
            self.bias = torch.nn.Parameter(torch.tensor(data["bias"]))
            self.filters, self.padding = len(data["bias"]) // 4, data["input"].shape[-1] // 2

        def forward(self, x):
            h = c = x.new_zeros(x.shape[0], self.filters, *x.shape[3:])
            outputs = []
            for t in range(x.shape[1]):
                both = torch.cat([x[:, t], h], 1)
                i, f, g, o = torch.conv2d(both, self.weight, self.bias, padding=self.padding).chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                outputs.append(h)
            return torch.stack(outputs, 1)

        def gradients(self, channels):
            return {"input": self.weight.grad[:, :channels], "hidden": self.weight.grad[:, channels:],
                    "bias": self.bias.grad}

    return Layer()


def prepare_torch(layer, data, training, gradients):
    import torch
    x, target = torch.tensor(data["x"], requires_grad=training), torch.tensor(data["target"])

    def infer():
        with torch.no_grad():
            return layer(x)

    if not training:
        return infer, lambda output: {"output": output.numpy()}
    adam = torch.optim.Adam(layer.parameters(), LEARNING_RATE, fused=True)

    def step():
        adam.zero_grad()
        x.grad = None
        output = layer(x)
        torch.nn.functional.mse_loss(output, target).backward()
        adam.step()
        return output

    def read(output):
        values = {"x": x.grad} | gradients()
        return {"output": output.detach().numpy()} | {"grad/" + key: value.numpy() for key, value in values.items()}

    return step, read


def open_eager(threads):
    _, version = open_torch(threads)

    def prepare(data, training):
        layer = torch_layer(data)
        return prepare_torch(layer, data, training, lambda: layer.gradients(data["x"].shape[2]))

    return version, prepare


def open_compile(threads):
    torch, version = open_torch(threads)
    import torch._inductor.config

    def prepare(data, training):
        torch._dynamo.reset()
        torch._inductor.config.freezing = not training  # weights are packed for the convolutions
        layer = torch_layer(data)
        # All steps as one graph: compiling one step takes half as long, but its training is slower.
        layer.forward = torch.compile(layer.forward, fullgraph=True, dynamic=False)
        return prepare_torch(layer, data, training, lambda: layer.gradients(data["x"].shape[2]))

    return version, prepare


def open_nowcell(threads):
    torch, version = open_torch(threads)
    sys.path.insert(0, str(ROOT / "cells" / "python"))
    from nowcell_cells import ConvLSTM

    def prepare(data, training):
        layer = ConvLSTM(len(data["bias"]) // 4, data["input"].shape[-1], padding="same", return_sequences=True,
                         data_format="channels_first", input_channels=data["x"].shape[2])
        parameters = dict(layer.named_parameters())
        with torch.no_grad():
            for name in WEIGHTS:
                parameters[name].copy_(torch.tensor(data[name]))
        return prepare_torch(layer, data, training, lambda: {name: parameters[name].grad for name in WEIGHTS})

    return f"in {version}", prepare


def keras_layer(keras, data, training):
    """Keras' layer with these weights, x and target as Keras wants them: channels last.

    Unrolled for training, because XLA's gradients of convolutions within a loop are several times slower.
    """
    x, target = (data[name].transpose(0, 1, 3, 4, 2).copy() for name in ("x", "target"))
    layer = keras.layers.ConvLSTM2D(target.shape[-1], data["input"].shape[-1], padding="same", return_sequences=True,
                                    unroll=training)
    layer.build(x.shape)
    layer.set_weights([data["input"].transpose(2, 3, 1, 0), data["hidden"].transpose(2, 3, 1, 0), data["bias"]])
    return layer, x, target


def read_keras(result):
    """result: output, then, where it was trained, gradients of x, kernel, recurrent kernel and bias."""
    import numpy as np
    arrays = [np.asarray(value) for value in result]
    frames, kernels = (0, 1, 4, 2, 3), (3, 2, 0, 1)
    named = zip(("output", "grad/x", "grad/input", "grad/hidden", "grad/bias"),
                (frames, frames, kernels, kernels, (0,)), arrays)
    return {name: array.transpose(order) for name, order, array in named}


def open_keras_tensorflow(threads):
    import keras
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def prepare(data, training):
        keras.backend.clear_session()
        layer, x, target = keras_layer(keras, data, training)
        x, target = tf.constant(x), tf.constant(target)
        weights, adam = layer.trainable_variables, keras.optimizers.Adam(LEARNING_RATE)
        adam.build(weights)

        @tf.function
        def infer(x):
            return layer(x, training=False)

        @tf.function
        def step(x, target):
            with tf.GradientTape() as tape:
                tape.watch(x)
                output = layer(x, training=True)
                loss = tf.reduce_mean(tf.square(output - target))
            of_x, *of_weights = tape.gradient(loss, [x, *weights])
            adam.apply(of_weights, weights)
            return output, of_x, *of_weights

        return ((lambda: step(x, target)) if training else (lambda: (infer(x),))), read_keras

    return f"Keras {keras.__version__}, TensorFlow {tf.__version__}", prepare


def open_keras_jax(threads):
    import jax
    import keras

    def prepare(data, training):
        jax.clear_caches()
        keras.backend.clear_session()
        layer, x, target = keras_layer(keras, data, training)
        x, target = jax.device_put(x), jax.device_put(target)
        adam = keras.optimizers.Adam(LEARNING_RATE)
        adam.build(layer.trainable_variables)
        weights = [variable.value for variable in layer.trainable_variables]
        others = [variable.value for variable in layer.non_trainable_variables]
        moments = [variable.value for variable in adam.variables]

        @jax.jit
        def infer(weights, x):
            return layer.stateless_call(weights, others, x, training=False)[0]

        def loss(weights, x, target):
            output, _ = layer.stateless_call(weights, others, x, training=True)
            return jax.numpy.mean(jax.numpy.square(output - target)), output

        def update(weights, moments, x, target):
            (_, output), gradients = jax.value_and_grad(loss, (0, 1), has_aux=True)(weights, x, target)
            of_weights, of_x = gradients
            weights, moments = adam.stateless_apply(moments, of_weights, weights)
            return weights, moments, (output, of_x, *of_weights)

        compiled_update = jax.jit(update, donate_argnums=(0, 1))

        def step():
            nonlocal weights, moments
            weights, moments, result = jax.block_until_ready(compiled_update(weights, moments, x, target))
            return result

        return (step if training else (lambda: (jax.block_until_ready(infer(weights, x)),))), read_keras

    return f"Keras {keras.__version__}, JAX {jax.__version__}", prepare


@contextlib.contextmanager
def exported(data):
    """Path of an ONNX file of the plain cell, all steps written out."""
    import torch
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.onnx"
        torch.onnx.export(torch_layer(data).eval(), (torch.tensor(data["x"]),), path, dynamo=True, verbose=False)
        yield str(path)


def open_onnxruntime(threads):
    import onnxruntime
    open_torch(threads)

    def prepare(data, training):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        with exported(data) as path:
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: data["x"]}
        return (lambda: session.run(None, feed)), lambda result: {"output": result[0]}

    return f"ONNX Runtime {onnxruntime.__version__}", prepare


def open_openvino(threads):
    import openvino
    open_torch(threads)
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}

    def prepare(data, training):
        with exported(data) as path:
            request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()
        return (lambda: request.infer([data["x"]], share_inputs=True, share_outputs=True),
                lambda result: {"output": result[0].copy()})

    return f"OpenVINO {importlib.metadata.version('openvino')}", prepare


# Name on the command line: name in reports, opener, whether it can train.
ENGINES = {
    "eager": ("pytorch eager", open_eager, True),
    "nowcell": ("nowcell", open_nowcell, True),
    "compile": ("torch.compile", open_compile, True),
    "keras-tensorflow": ("keras tensorflow", open_keras_tensorflow, True),
    "keras-jax": ("keras jax", open_keras_jax, True),
    "onnxruntime": ("onnxruntime", open_onnxruntime, False),
    "openvino": ("openvino", open_openvino, False),
}
PEERS = [name for name in ENGINES if name not in ("eager", "nowcell")]


def float64_reference(data):
    """Output and gradients of the plain cell in float64."""
    layer = torch_layer(data).double()
    double = {key: data[key].astype("float64") for key in ("x", "target")}
    run, read = prepare_torch(layer, double, True, lambda: layer.gradients(data["x"].shape[2]))
    return read(run())


# ---- A worker: one engine in one process. Requests and replies are lines of JSON. ------------------------------------


def work(name, threads):
    """Answers requests until the pipe closes. Libraries that print do so into the log, which is stderr."""
    import numpy as np
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: also a stopped worker ends with its parent
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    prepare, run = None, None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "open":
                version, prepare = ENGINES[name][1](threads)
                reply = {"version": version}
            elif request["do"] == "reference":
                np.savez(request["to"], **float64_reference(np.load(request["data"])))
                reply = {}
            elif request["do"] == "prepare":
                run = None
                data = dict(np.load(request["data"]))
                start = time.perf_counter()
                run, read = prepare(data, request["training"])
                first = run()
                first_s = time.perf_counter() - start
                np.savez(request["to"], **read(first))
                for _ in range(2):  # some frameworks look twice before they compile
                    start = time.perf_counter()
                    run()
                    call_s = time.perf_counter() - start
                    if call_s > 10:
                        break
                reply = {"compile_s": max(first_s - call_s, 0.0), "call_s": call_s}
            else:
                times = []
                for _ in range(request["calls"]):
                    start = time.perf_counter()
                    run()
                    times.append(time.perf_counter() - start)
                reply = {"call_s": statistics.median(times)}
        except Exception as error:
            traceback.print_exc()
            text = " ".join(str(error).split())
            reply = {"error": f"{type(error).__name__}: {text[:300]}"}
        replies.write(json.dumps(reply) + "\n")


class Worker:
    """The parent's end. request() raises RuntimeError with the reason when the engine cannot answer."""

    def __init__(self, name, threads, arguments, folder):
        self.limit_s, self.log = arguments.limit_s, open(folder / f"{name}.{threads}.log", "w+")
        cpus = sorted(os.sched_getaffinity(0))[:threads]
        count = str(threads)
        environment = os.environ | {
            "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count,
            "TF_NUM_INTRAOP_THREADS": count, "TF_NUM_INTEROP_THREADS": "1", "NPROC": count,
            "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}",
            "KERAS_BACKEND": name.removeprefix("keras-"), "KERAS_HOME": str(folder), "CUDA_VISIBLE_DEVICES": "-1",
            "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3", "NOWCELL_CELLS": str(arguments.library),
            "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"), "OPENVINO_TELEMETRY": "0"}
        command = [sys.executable, __file__, "--torch", arguments.torch, "--library", arguments.library,
                   "--threads", count, "--worker", name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env=environment,
                                        preexec_fn=lambda: os.sched_setaffinity(0, cpus))

    def request(self, do, **details):
        """Wakes the worker for as long as this request takes: what it spins on afterwards takes no time from others."""
        try:
            self.process.send_signal(signal.SIGCONT)
            self.process.stdin.write(json.dumps({"do": do} | details) + "\n")
            self.process.stdin.flush()
            if not select.select([self.process.stdout], [], [], self.limit_s)[0]:
                self.close()
                raise RuntimeError(f"took more than {self.limit_s} s")
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.close()
            self.log.seek(0)
            last = ([text.strip() for text in self.log if text.strip()] or ["it printed nothing"])[-1]
            raise RuntimeError(f"its process ended with status {self.process.returncode}: {last[:300]}")
        self.process.send_signal(signal.SIGSTOP)
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply

    def alive(self):
        return self.process.poll() is None

    def close(self):
        self.process.kill()
        self.process.wait()


# ---- The comparison -------------------------------------------------------------------------------------------------


def narrate(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.workers, self.versions, self.unusable = {}, {}, {}
        self.rows, self.behind, self.compiling, self.left_out, self.wrong = [], [], [], [], []

    def worker(self, name, threads):
        """The engine's process, started where there is none, or none any more."""
        worker = self.workers.get((name, threads))
        if worker is None or not worker.alive():
            worker = self.workers[name, threads] = Worker(name, threads, self.arguments, self.folder)
            self.versions[ENGINES[name][0]] = worker.request("open")["version"]
        return worker

    def close(self):
        for worker in self.workers.values():
            worker.close()

    def leave_out(self, name, reason, **where):
        engine = ENGINES[name][0]
        narrate(f"    {engine}: left out: {reason}")
        self.left_out.append({"engine": engine, **where, "reason": reason})

    def open(self, threads):
        """Names of the engines that start."""
        names = []
        for name in self.arguments.engines:
            try:
                self.worker(name, threads)
                names.append(name)
            except RuntimeError as error:
                self.leave_out(name, str(error), threads=threads)
        return names

    def compare(self, config, threads, names):
        import numpy as np
        data, reference = self.folder / "data.npz", self.folder / "reference.npz"
        np.savez(data, **make_data(config))
        self.worker("eager", threads).request("reference", data=str(data), to=str(reference))
        for direction in self.arguments.direction:
            self.direction(config, direction, threads, names, str(data), np.load(reference))

    def direction(self, config, direction, threads, names, data, reference):
        training, where = direction == "training", dict(config=config, direction=direction, threads=threads)
        ready, first, errors, of_eager = {}, {}, {}, None
        for name in names:
            if training and not ENGINES[name][2]:
                continue
            narrate(f"{config} {direction}, {threads} thread{'s'[:threads > 1]}: {ENGINES[name][0]}")
            results = self.folder / "results.npz"
            try:
                worker = self.worker(name, threads)
                reply = worker.request("prepare", data=data, training=training, to=str(results))
                errors[name], output = self.check(results, reference, of_eager)
            except RuntimeError as error:
                self.leave_out(name, str(error), **where)
                if name == "eager":  # what all others are measured by
                    return
                continue
            if name == "eager":
                of_eager = output
            self.compiling.append({**where, "engine": ENGINES[name][0], "compile_s": reply["compile_s"]})
            ready[name], first[name] = worker, reply["call_s"]
        times = {name: [] for name in ready}
        for turn in range(self.arguments.rounds):
            narrate(f"    round {turn + 1} of {self.arguments.rounds}")
            order = list(times)
            for name in order[turn % len(order):] + order[:turn % len(order)]:  # none always follows the same one
                if turn > 0 and first[name] > SLOW * first["eager"]:
                    continue
                try:
                    calls = math.ceil(TURN_S / first[name])
                    times[name].append(ready[name].request("time", calls=calls)["call_s"])
                except RuntimeError as error:
                    self.leave_out(name, str(error), **where)
                    del times[name]
            if "eager" not in times:
                return
        self.report(where, times, errors)

    @staticmethod
    def check(results, reference, of_eager):
        """Largest error of a hidden state, relative error of gradients, difference from eager; and the output."""
        import numpy as np
        with np.load(results) as got:
            output, gradients = got["output"], {key: got[key] for key in got if key.startswith("grad/")}
        expected = reference["output"]
        if output.shape != expected.shape:
            raise RuntimeError(f"output is {output.shape}, expected {expected.shape}")
        if gradients and len(gradients) != 1 + len(WEIGHTS):
            raise RuntimeError(f"gradients of {', '.join(gradients)}, expected x, {', '.join(WEIGHTS)}")
        relative = [np.linalg.norm(value - reference[key]) / np.linalg.norm(reference[key])
                    for key, value in gradients.items()]
        difference = 0.0 if of_eager is None else float(abs(output - of_eager).max())
        return (float(abs(output - expected).max()), float(max(relative)) if relative else None, difference), output

    def report(self, where, times, errors):
        b, t, c, f, h, w, k = CONFIGS[where["config"]]
        work = 2e-9 * b * t * h * w * (c + f) * 4 * f * k * k * (3 if where["direction"] == "training" else 1)

        def ratio(above, below):
            return statistics.median(one / other for one, other in zip(times[above], times[below]))

        for name in times:
            engine, (error, gradient_error, difference) = ENGINES[name][0], errors[name]
            self.rows.append({**where, "engine": engine, "ratio": ratio("eager", name),
                              "gflops": work / statistics.median(times[name]), "max_abs_error": error,
                              "grad_rel_error": gradient_error})
            narrate(f"    {engine}: {self.rows[-1]['ratio']:.2f}")
            if name != "nowcell" and "nowcell" in times:
                self.behind.append({**where, "engine": engine, "lead": ratio(name, "nowcell")})
            # Written so that it catches NaN as well.
            if not difference <= TOLERANCE or not (gradient_error or 0.0) <= GRADIENT_TOLERANCE:
                self.wrong.append(f"{where['config']} {where['direction']}: {engine} is {difference:.1e} from eager, "
                                  f"gradients {gradient_error or 0.0:.1e}")

    def report_object(self):
        cpu, isa = processor()
        return {"schema": "nowcell.bench_cells/1", "cpu": cpu, "isa": isa, "peak_gflops": None, "rows": self.rows,
                "behind_nowcell": self.behind, "compiling": self.compiling, "versions": self.versions,
                "left_out": self.left_out}

    def table(self, file):
        def find(rows, row, key):
            same = ("config", "direction", "threads", "engine")
            return next((other[key] for other in rows if all(other[name] == row[name] for name in same)), None)

        def number(value, format):
            return "-" if value is None else f"{value:{format}}"

        print(f"{'config':7}{'direction':11}{'threads':>7}  {'engine':18}{'ratio':>6}{'GF/s':>7}{'error':>9}"
              f"{'gradient':>10}{'lead':>7}{'compile s':>11}", file=file)
        last = None
        for row in self.rows:
            group = row["config"], row["direction"], row["threads"]
            if last not in (None, group):
                print(file=file)
            last = group
            print(f"{row['config']:7}{row['direction']:11}{row['threads']:>7}  {row['engine']:18}{row['ratio']:6.2f}"
                  f"{row['gflops']:7.0f}{row['max_abs_error']:9.0e}{number(row['grad_rel_error'], '.0e'):>10}"
                  f"{number(find(self.behind, row, 'lead'), '.2f'):>7}"
                  f"{number(find(self.compiling, row, 'compile_s'), '.1f'):>11}", file=file)
        print("\nratio: time of PyTorch eager / time of this engine; lead: time of this engine / time of nowcell",
              file=file)
        for engine, version in self.versions.items():
            print(f"{engine}: {version}", file=file)
        for entry in self.left_out:
            where = " ".join(str(entry[key]) for key in ("config", "direction") if key in entry)
            print(f"{entry['engine']}: left out{' of ' + where if where else ''}: {entry['reason']}", file=file)


def processor():
    """Its name, and the best instruction set that Nowcell has kernels for."""
    fields = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set(fields.get("flags", "").split())
    sets = {"avx512": {"avx512f", "avx512dq", "avx512bw", "avx512vl"}, "avx2": {"avx2", "fma"}, "plain": set()}
    allowed = list(sets)[list(sets).index(os.environ.get("NOWCELL_ISA", "avx512")):]
    return fields.get("model name", "unknown"), next(name for name in allowed if sets[name] <= flags)


# ---- Environment and command line -----------------------------------------------------------------------------------


def enter_environment(folder, setup):
    """Continues in the virtual environment `folder`; with setup it is made. Without one: in the Python at hand."""
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    python = folder / "bin" / "python"
    if setup:
        if not python.exists():
            venv.create(folder, with_pip=True)
        # What make_golden.py has installed is seen from here, after our own.
        packages = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        if (CACHE / "golden" / packages).is_dir():
            (folder / packages / "golden.pth").write_text(f"{CACHE / 'golden' / packages}\n")
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PINS], check=True,
                       stdout=sys.stderr)
    elif not python.exists():
        narrate(f"no environment in {folder}, so what this Python has is timed; --setup makes one")
        return
    os.execv(python, [python, *sys.argv])


def names_of(choices):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in choices:
                raise argparse.ArgumentTypeError(f"got {name!r}, expected some of {','.join(choices)}")
        return list(dict.fromkeys(names))
    return parse


def counts(text):
    values = [int(entry) for entry in text.split(",")]
    cpus = len(os.sched_getaffinity(0))
    if not all(1 <= value <= cpus for value in values):
        raise argparse.ArgumentTypeError(f"got {text}, expected numbers from 1 to {cpus}, the processors there are")
    return values


def at_least_one(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"got {value}, expected at least 1")
    return value


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=names_of(CONFIGS), default=list(CONFIGS), metavar="NAME,...",
                        help=f"of {','.join(CONFIGS)} (all)")
    parser.add_argument("--direction", type=names_of(DIRECTIONS), default=list(DIRECTIONS), metavar="NAME,...",
                        help=f"of {','.join(DIRECTIONS)} (both)")
    parser.add_argument("--threads", type=counts, default=[1], metavar="N,...", help="numbers of threads (1)")
    parser.add_argument("--rounds", type=at_least_one, default=7, metavar="N", help="timings of each (%(default)s)")
    parser.add_argument("--peers", type=names_of(PEERS), default=PEERS, metavar="NAME,...",
                        help=f"of {','.join(PEERS)} (all); eager and nowcell are always timed")
    parser.add_argument("--json", metavar="FILE", help="report; - is stdout, the table goes to stderr then")
    parser.add_argument("--library", type=Path, default=LIBRARY, metavar="PATH", help="libnowcell_cells.so")
    parser.add_argument("--setup", action="store_true", help="make the environment, or complete it, before")
    parser.add_argument("--venv", type=Path, default=CACHE / "peers", help="virtual environment (%(default)s)")
    parser.add_argument("--torch", type=Path, default=CACHE / f"libtorch-{TORCH}",
                        help="folder from which Python imports torch (%(default)s)")
    parser.add_argument("--limit-s", type=float, default=900, metavar="S",
                        help="longest time to compile or run one engine (%(default)s)")
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not (arguments.torch / "torch").is_dir():
        parser.error(f"no torch in {arguments.torch}: run scripts/setup.sh --cuda, or name its folder with --torch")
    if not arguments.library.is_file():
        parser.error(f"no {arguments.library}: run cmake --preset release && cmake --build --preset release, or name "
                     "the library with --library")
    arguments.library = arguments.library.resolve()
    arguments.engines = ["eager", "nowcell", *arguments.peers]
    return arguments


def main():
    arguments = parse_arguments()
    sys.path.append(str(arguments.torch))
    if arguments.worker:
        return work(arguments.worker, arguments.threads[0])
    enter_environment(arguments.venv, arguments.setup)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it cleans up
    with tempfile.TemporaryDirectory(prefix="bench_peers_") as folder:
        bench = Bench(arguments, Path(folder))
        try:
            for threads in arguments.threads:
                names = bench.open(threads)
                if "eager" not in names:
                    sys.exit("bench_peers.py: PyTorch does not start, so there is nothing to compare with")
                for config in arguments.config:
                    bench.compare(config, threads, names)
                bench.close()
        finally:
            bench.close()
        bench.table(sys.stderr if arguments.json == "-" else sys.stdout)
        if arguments.json:
            text = json.dumps(bench.report_object(), indent=1, allow_nan=False) + "\n"
            if arguments.json == "-":
                sys.stdout.write(text)
            else:
                Path(arguments.json).write_text(text)
    for text in bench.wrong:
        narrate(f"wrong: {text}")
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""ConvLSTM for PyTorch with Keras' arguments, computed by Nowcell's C++ operators.

    from nowcell_cells import ConvLSTM
    layer = ConvLSTM(64, 3, padding="same", return_sequences=True, input_channels=1)
    hidden = layer(x)  # (N,T,H,W,1) -> (N,T,H,W,64)
"""

import numbers
import os
import warnings
from pathlib import Path

import torch
from torch import nn


def _load_operators():
    name, here, chosen = "libnowcell_cells.so", Path(__file__).resolve().parent, os.environ.get("NOWCELL_CELLS")
    # Installed, it lies beside this file; in a checkout, where the release build puts it.
    places = [Path(chosen)] if chosen else [here / name, here.parents[1] / "build/release/lib" / name]
    library = next((place for place in places if place.is_file()), None)
    if library is None:
        raise ImportError(f"nowcell_cells: {name} not found, looked at: {', '.join(map(str, places))}. Build it (cmake "
                          "--preset release && cmake --build --preset release), or set NOWCELL_CELLS to its path")
    try:
        torch.ops.load_library(library)
    except OSError as error:
        raise ImportError(f"nowcell_cells: {library} does not load into PyTorch {torch.__version__}: {error}. Build it "
                          "against this PyTorch: -DTorch_DIR=<folder of torch>/share/cmake/Torch") from error
    # The kernels for GPUs, where they were built and this PyTorch can use one; else PyTorch's operators compute there.
    kernels = library.resolve().with_name("libnowcell_cells_cuda.so")
    if torch.version.cuda and kernels.is_file():
        try:
            torch.ops.load_library(kernels)
        except OSError as error:
            warnings.warn(f"nowcell_cells: PyTorch's operators compute on GPUs, as {kernels} does not load: {error}")


_load_operators()
_ACTIVATIONS = "linear", "tanh", "sigmoid", "relu", "hard_sigmoid", "hard_sigmoid_keras2"
_PARAMETERS = ("input", "hidden", "bias", "peephole", "norm_input_scale", "norm_input_shift", "norm_hidden_scale",
               "norm_hidden_shift")


def _choice(name, value, choices):  # None: the first
    choice = choices[0] if value is None else str(value).lower()
    if choice not in choices:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(choices)}")
    return choice


def _per_axis(name, value, rank):
    values = value if isinstance(value, (tuple, list)) else (value,) * rank
    fits = [isinstance(entry, numbers.Integral) and not isinstance(entry, bool) and entry > 0 for entry in values]
    if fits != [True] * rank:
        per_axis = f", or {rank}, one per axis" if rank > 1 else ""
        raise ValueError(f"{name} is {value!r}, expected a positive integer{per_axis}")
    return tuple(map(int, values))


def _positive(name, value):
    return _per_axis(name, value, 1)[0]


def _rate(name, value):
    if not isinstance(value, numbers.Real) or not 0 <= value < 1:
        raise ValueError(f"{name} is {value!r}, expected a number of at least 0, below 1")
    return float(value)


def _tensor(name, value, optional=True):
    if not isinstance(value, torch.Tensor) and not (optional and value is None):
        got = "None" if value is None else f"of type {type(value).__name__}"
        raise TypeError(f"{name} is {got}, expected a tensor")


def _seed(value):
    if value is not None and (isinstance(value, bool) or not isinstance(value, numbers.Integral)):
        raise TypeError(f"seed is {value!r}, expected an integer or None")
    return value if value is None else int(value)


class ConvLSTM(nn.Module):
    """A layer over a sequence: Keras' ConvLSTM1D, 2D or 3D by `rank`. The arguments of Keras 3 mean what they do there.

    Not there, and a TypeError: initializers, regularizers, constraints, unroll, name, dtype, trainable; of a call
    training (it is train() and eval() here). Dropout acts in training mode; `seed`, an integer, repeats its masks.
    hard_sigmoid is Keras 3's x/6 + 0.5, hard_sigmoid_keras2 is 0.2x + 0.5. Parameters have the names and shapes of the
    C++ layer (cells/conv_lstm.h): saved weights move both ways. torch.compile needs dynamic=False; torch.func has jvp
    and jacfwd, but not grad, vjp and jacrev.

    input_channels: C. peephole: none, channel (any frame size) or pixel. norm, of the gates: none, channels (of each
    pixel) or frame; norm_on: the input and the recurrent parts, or their sum. frame: size of the frames, for pixel and
    frame. zoneout, zoneout_cell: chance that h, c keep their old values. memory: store, recompute in half of it,
    checkpoint in less.
    algorithm: on a CPU, see cells/README.md.
    """

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1,
                 activation="tanh", recurrent_activation="sigmoid", use_bias=True, *,  # initializers follow in Keras
                 unit_forget_bias=True, dropout=0.0, recurrent_dropout=0.0, seed=None, return_sequences=False,
                 return_state=False, go_backwards=False, stateful=False, zero_output_for_mask=False, input_channels,
                 rank=2, peephole="none", norm="none", norm_on="parts", frame=None, zoneout=0.0, zoneout_cell=0.0,
                 memory="store", algorithm="auto"):
        super().__init__()
        if _positive("rank", rank) > 3:
            raise ValueError(f"rank is {rank}, expected 1, 2 or 3")
        self.rank, self.filters = rank, _positive("filters", filters)
        self.input_channels = _positive("input_channels", input_channels)
        self.kernel_size = _per_axis("kernel_size", kernel_size, rank)
        self.strides = _per_axis("strides", strides, rank)
        self.dilation_rate = _per_axis("dilation_rate", dilation_rate, rank)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(f"strides is {strides} and dilation_rate is {dilation_rate}, expected 1 for one of them")
        self.padding = _choice("padding", padding, ("valid", "same"))
        self.data_format = _choice("data_format", data_format, ("channels_last", "channels_first"))
        self.activation = _choice("activation", activation, _ACTIVATIONS)
        self.recurrent_activation = _choice("recurrent_activation", recurrent_activation, _ACTIVATIONS)
        self.dropout, self.recurrent_dropout = _rate("dropout", dropout), _rate("recurrent_dropout", recurrent_dropout)
        self.zoneout, self.zoneout_cell = _rate("zoneout", zoneout), _rate("zoneout_cell", zoneout_cell)
        self.memory = _choice("memory", memory, ("store", "recompute", "checkpoint"))
        self.algorithm = _choice("algorithm", algorithm,
                                 ("auto", "direct", "winograd-safe", "winograd-fast", "reference", "cudnn",
                                  "cudnn-separate", "implicit-gemm"))
        self.unit_forget_bias, self.stateful = unit_forget_bias, stateful
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.zero_output_for_mask = go_backwards, zero_output_for_mask
        # On the CPU wherever the layer is: one seed, the same masks on every device.
        seed = _seed(seed)
        self._generator = None if seed is None else torch.Generator().manual_seed(seed)
        for name in "_h", "_c":  # what a stateful layer remembers; moves with the layer, is not saved
            self.register_buffer(name, None, persistent=False)
        self._add_parameters(use_bias, _choice("peephole", peephole, ("none", "channel", "pixel")),
                             _choice("norm", norm, ("none", "channels", "frame")),
                             _choice("norm_on", norm_on, ("parts", "sum")), frame)
        self.reset_parameters()

    def _add_parameters(self, use_bias, peephole, norm, norm_on, frame):
        gates, size = 4 * self.filters, ()
        if peephole == "pixel" or norm == "frame":
            size = self.output_size(_per_axis("frame, which peephole pixel and norm frame need,", frame, self.rank))
            if 0 in size:
                raise ValueError(f"frame is {frame!r}, which gives states of {size}, expected a larger one or padding "
                                 "same")
        pixels = {"none": None, "channel": (1,) * self.rank, "pixel": size}[peephole]
        scale = {"none": None, "channels": (gates,), "frame": (gates, *size)}[norm]
        hidden_scale = scale if norm_on == "parts" else None
        shapes = ((gates, self.input_channels, *self.kernel_size), (gates, self.filters, *self.kernel_size),
                  (gates,) if use_bias else None, pixels and (3, self.filters, *pixels),
                  scale, scale, hidden_scale, hidden_scale)
        for name, shape in zip(_PARAMETERS, shapes):
            self.register_parameter(name, shape and nn.Parameter(torch.empty(shape)))

    @torch.no_grad()
    def reset_parameters(self):
        """Keras' initial weights: Glorot-uniform over all gates; orthogonal; zero bias but for f."""
        for name, parameter in self.named_parameters():
            parameter.fill_(name.endswith("_scale"))
        nn.init.xavier_uniform_(self.input)
        recurrent_kernel = self._keras_views()["recurrent_kernel"]
        matrix = self.hidden.new_empty(self.hidden[0].numel(), len(self.hidden))
        recurrent_kernel.copy_(nn.init.orthogonal_(matrix).view(recurrent_kernel.shape))
        if self.bias is not None and self.unit_forget_bias:
            self.bias[self.filters:2 * self.filters] = 1

    def output_size(self, size):
        """Size of the hidden state for frames of that size."""
        reach = [1 if self.padding == "same" else (k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate)]
        return tuple(max((n - r) // s + 1, 0) for n, r, s in zip(size, reach, self.strides))

    def forward(self, x, initial_state=None, mask=None):
        """x: (N,T,size...,C). initial_state: [h, c], (N,size'...,F) each. mask: (N,T) bool, false: the step is skipped.

        Returns the last output (N,size'...,F), with return_sequences all (N,T,size'...,F), with return_state a list of
        that, h and c. channels_first: (N,T,C,size...), (N,F,size'...). Raises ValueError on shapes that do not fit,
        TypeError on types and dtypes.
        """
        _tensor("x", x, optional=False)
        _tensor("mask", mask)
        last = self.data_format == "channels_last"
        axes, channels = list("DHW"[3 - self.rank:]), [str(self.input_channels)]
        if x.dim() != self.rank + 3 or x.shape[-1 if last else 2] != self.input_channels:
            expected = ",".join(["N", "T"] + (axes + channels if last else channels + axes))
            raise ValueError(f"x is {tuple(x.shape)}, expected ({expected}) in {self.data_format}")
        # The operator wants channels before the axes of the frame.
        first_axis, last_axis = (-1 - self.rank, -1) if last else (0, 0)
        x = x.movedim(last_axis, first_axis)
        size = self.output_size(x.shape[3:])
        state = self._state(initial_state, (len(x), *size, self.filters) if last else (len(x), self.filters, *size))
        output, h, c = torch.ops.nowcell.conv_lstm(
            x, *(old if old is None else old.movedim(last_axis, first_axis) for old in state),
            *(getattr(self, name) for name in _PARAMETERS), *self._noise(x, size), mask, stride=self.strides,
            dilation=self.dilation_rate, padding=self.padding, activation=self.activation,
            recurrent_activation=self.recurrent_activation, go_backwards=self.go_backwards,
            zero_output_for_mask=self.zero_output_for_mask, memory=self.memory, algorithm=self.algorithm)
        if not self.return_sequences:
            output = output[:, -1]
        output, h, c = (tensor.movedim(first_axis, last_axis) for tensor in (output, h, c))
        if self.stateful:  # remembered as numbers: a gradient ends where a call ends
            self._h, self._c = h.detach().clone(), c.detach().clone()
        return [output, h, c] if self.return_state else output

    def reset_state(self):
        """Forgets what a stateful layer has seen."""
        self._h = self._c = None

    reset_states = reset_state  # Keras has both

    def _state(self, initial_state, shape):
        if initial_state is None:
            # Autograd does not take what inference mode has left, but copies of it.
            state = [old if old is None else old.clone() for old in (self._h, self._c)]
        elif isinstance(initial_state, (list, tuple)):
            state = initial_state
        else:
            raise TypeError(f"initial_state is of type {type(initial_state).__name__}, expected a list of h and c")
        if len(state) != 2:
            raise ValueError(f"initial_state has {len(state)} tensors, expected 2: h and c")
        for name, old in zip("hc", state):
            _tensor(f"state {name}", old)
            if old is not None and old.shape != shape:
                hint = "; reset_state() forgets the last call" if initial_state is None else ""
                raise ValueError(f"state {name} is {tuple(old.shape)}, expected {shape} for this x{hint}")
        return state

    def _noise(self, x, size):
        # Dropout: a mask per gate, the same for all steps. Zoneout: a draw per step; in evaluation its mean.
        def draw(chance, *shape):
            device = x.device if self._generator is None else "cpu"
            values = torch.empty(len(x), *shape, dtype=self.input.dtype, device=device)
            return values.bernoulli_(chance, generator=self._generator).to(x.device)

        def dropout(rate, *shape):
            return draw(1 - rate, 4, *shape) / (1 - rate) if self.training and rate > 0 else None

        def zoneout(rate):
            if rate == 0:
                return None
            if self.training:
                return draw(rate, x.shape[1], self.filters, *size)
            return x.new_full((1,) * x.dim(), rate, dtype=self.input.dtype)

        return (dropout(self.dropout, *x.shape[2:]), dropout(self.recurrent_dropout, self.filters, *size),
                zoneout(self.zoneout), zoneout(self.zoneout_cell))

    def _keras_views(self):  # in Keras' shapes: (kernel..., channels, 4F)
        order = *range(2, self.rank + 2), 1, 0
        views = {"kernel": self.input.permute(order), "recurrent_kernel": self.hidden.permute(order)}
        return views if self.bias is None else views | {"bias": self.bias}

    @torch.no_grad()
    def set_keras_weights(self, weights):
        """weights: kernel, recurrent_kernel, bias, as get_weights() of a Keras layer gives them; arrays or tensors."""
        views, weights = self._keras_views(), [torch.as_tensor(weight) for weight in weights]
        if len(weights) != len(views):
            raise ValueError(f"weights are {len(weights)} arrays, expected {len(views)}: {', '.join(views)}")
        for (name, view), weight in zip(views.items(), weights):
            if weight.shape != view.shape:
                raise ValueError(f"{name} is {tuple(weight.shape)}, expected {tuple(view.shape)}")
        for view, weight in zip(views.values(), weights):
            view.copy_(weight)

    def get_keras_weights(self):
        """kernel, recurrent_kernel, bias as NumPy arrays, for set_weights() of a Keras layer."""
        copies = (view.clone(memory_format=torch.contiguous_format) for view in self._keras_views().values())
        return [copy.numpy(force=True) for copy in copies]

    def extra_repr(self):
        return f"{self.input_channels}, {self.filters}, kernel_size={self.kernel_size}, padding={self.padding}"

"""How fast this machine's processors compute the matrix products of a network, each precision as OpenVINO's engines have it.

The products are read from the network: their shapes, and how many operations a sample takes. Each distinct shape is then computed in a
chain without any other operator, on as many streams as there are cores. Their rate is an upper bound of an engine's.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from code.backends.openvino import inference_precision, openvino_core

SECONDS = 0.3
"""How long each shape is measured in a precision, in three turns of which the fastest counts."""
TURNS = 3
LINKS = 4
"""Products in a chain; an even number, so that it ends in the shape it began with."""
MOST_SHAPES = 4
"""Shapes measured: those with the most operations."""
MOST_ROWS = 4096
MOST_CONVOLUTION = 2e9
"""Operations of one convolution in a chain: larger volumes are cut, which changes their rate little."""
GENERAL = (1024, 1024)
"""Inner and outer size of the product that stands for a machine where no network is named."""
GENERAL_ROWS = 768
LEVELS, WEIGHT_LEVELS = 256, 255
RANGE = 3.0
KINDS = {
    "FullyConnected": "products",
    "FullyConnectedCompressed": "products",
    "FullyConnectedQuantized": "products",
    "FullyConnectedQuantizedLegacy": "products",
    "MatMul": "products",
    "Convolution": "products",
    "Deconvolution": "products",
    "ScaledDotProductAttention": "attention",
    "ScaledDotProductAttentionWithKVCache": "attention",
    "MHA": "attention",
    "Softmax": "attention",
    "Subgraph": "others",
    "Reorder": "layout",
    "Transpose": "layout",
    "Reshape": "layout",
    "Concatenation": "layout",
    "Split": "layout",
    "StridedSlice": "layout",
}
"""Type of an executed layer → what its time counts as (SHARES of code/machine/measurements.py); others where it is not listed.

A layer's type is not its operator's: ConvolutionBackpropData is executed as Deconvolution, Concat as Concatenation.
"""


@dataclass(frozen=True)
class Shape:
    """One kind of product.

    Args:
        inner, outer: sizes of the weights; input and output channels of a convolution.
        kernel: of a convolution; () for a matrix product.
        extent: output extents of a convolution; () for a matrix product.
    """

    inner: int
    outer: int
    kernel: tuple[int, ...] = ()
    extent: tuple[int, ...] = ()

    def words(self) -> str:
        """'1024 × 4096', '32 → 64, 3×3×3'."""
        if not self.kernel:
            return f"{self.inner} × {self.outer}"
        return f"{self.inner} → {self.outer}, {'×'.join(map(str, self.kernel))}"


@dataclass(frozen=True)
class Network:
    """The products of one network.

    Args:
        flops_per_unit: operations of a sample for each unit of its length; a unit is a token, or a window of a volume.
        flops_per_square: the same for each square of the length (attention).
        shapes: kind of product → its share of the operations that have weights.
    """

    flops_per_unit: float
    flops_per_square: float
    shapes: Mapping[Shape, float]

    def flops(self, lengths: Sequence[float]) -> float:
        """Operations of samples with these lengths."""
        return math.fsum(self.flops_per_unit * one + self.flops_per_square * one * one for one in lengths)


def read_network(model: Path, lengths: tuple[int, int] = (64, 128)) -> Network:
    """The products of an ONNX model.

    Args:
        lengths: two lengths to count operations at, for models with tokens.
    """
    core = openvino_core()
    network = core.read_model(str(model))
    if not _has_tokens(network):
        shapes = _counted(network, 1)
        return Network(math.fsum(shapes.values()), 0.0, _shares(shapes))
    short, long = lengths
    counts = [_counted(core.read_model(str(model)), length) for length in lengths]
    at = [math.fsum(count.values()) for count in counts]
    square = max(0.0, (at[1] / long - at[0] / short) / (long - short))
    return Network(at[0] / short - square * short, square, _shares(counts[0]))


def general() -> Network:
    """A square product that stands for networks in general."""
    return Network(2.0 * GENERAL[0] * GENERAL[1], 0.0, {Shape(*GENERAL): 1.0})


def rate(network: Network, precision: str, rows: int, cores: int) -> float:
    """Operations per second of a network's products in a precision on all `cores`, in units of 10^9.

    Args:
        rows: of the matrix products: tokens of a batch.
    """
    seconds = math.fsum(
        share / _rate(shape, precision, max(1, min(rows, MOST_ROWS)), cores) for shape, share in network.shapes.items()
    )
    return 1e-9 / seconds


def profile(graph: Path, precision: str, batch: int, length: int) -> dict[str, float]:
    """The shares of an engine's time by kind of operator, 0 to 1 together 1: one thread, one batch.

    Args:
        graph: that the engine is built of.
        batch: samples, of `length` tokens where the network has tokens.
    """
    core = openvino_core()
    properties = {"INFERENCE_PRECISION_HINT": inference_precision(precision), "PERF_COUNT": "YES", "INFERENCE_NUM_THREADS": "1"}
    network = core.read_model(str(graph))
    compiled = core.compile_model(network, "CPU", {**properties, "NUM_STREAMS": "1"})
    request, kinds = compiled.create_infer_request(), _kinds(network, compiled)
    tokens = _has_tokens(network)
    inputs = {port.get_any_name(): _input(port, batch if tokens else 1, length) for port in network.inputs}
    spent: dict[str, float] = defaultdict(float)
    for turn in range(TURNS):
        request.infer(inputs)
        for node in request.get_profiling_info() if turn else ():
            spent[kinds.get(node.node_name, "others")] += node.real_time.total_seconds()
    whole = math.fsum(spent.values())
    return {kind: seconds / whole for kind, seconds in spent.items()} if whole > 0 else {}


def _kinds(network: Any, compiled: Any) -> dict[str, str]:
    """Executed layer, by name → what its time counts as. One into which a softmax was fused is attention, whatever else it computes."""
    softmax = {node.get_friendly_name() for node in network.get_ops() if node.get_type_name() == "Softmax"}
    found = {}
    for node in compiled.get_runtime_model().get_ops():
        attends = softmax.intersection(_word(node, "originalLayersNames").split(","))
        found[node.get_friendly_name()] = "attention" if attends else KINDS.get(_word(node, "layerType"), "others")
    return found


def _word(node: Any, name: str) -> str:
    """What an executed layer says of itself; '' where it says nothing."""
    info = node.get_rt_info()
    value = info[name] if name in info else ""  # noqa: SIM401 - it is not a dict
    return str(value.astype(str) if hasattr(value, "astype") else value)


def _input(port: Any, batch: int, length: int) -> Any:
    shape = [
        int(size.get_length()) if size.is_static else (batch, length)[min(at, 1)] for at, size in enumerate(port.partial_shape)
    ]
    kind = port.element_type.to_dtype()
    return np.ones(shape, dtype=kind) if np.issubdtype(kind, np.integer) else np.zeros(shape, dtype=kind)


def _has_tokens(network: Any) -> bool:
    return all(port.element_type.is_integral() for port in network.inputs)


def _counted(network: Any, length: int) -> dict[Shape | None, float]:
    """Operations of one sample by kind of product; None for products without weights."""
    given = {
        port: [
            int(size.get_length()) if size.is_static else (1, length)[min(at, 1)] for at, size in enumerate(port.partial_shape)
        ]
        for port in network.inputs
    }
    network.reshape(given)
    found: dict[Shape | None, float] = defaultdict(float)
    for node in network.get_ops():
        if node.get_type_name() == "MatMul":
            shape, operations = _matrix(node)
        elif node.get_type_name() in ("Convolution", "ConvolutionBackpropData"):
            shape, operations = _convolution(node)
        else:
            continue
        found[shape] += operations
    return found


def _matrix(node: Any) -> tuple[Shape | None, float]:
    first, out = list(node.input(0).get_shape()), list(node.output(0).get_shape())
    inner = first[-2] if node.get_attributes().get("transpose_a") else first[-1]
    operations = 2.0 * math.prod(out) * inner
    weights = node.input_value(1).get_node()
    while weights.get_type_name() in ("Convert", "FakeQuantize", "Transpose"):
        weights = weights.input_value(0).get_node()
    return (Shape(int(inner), int(out[-1])) if weights.get_type_name() == "Constant" else None), operations


def _convolution(node: Any) -> tuple[Shape, float]:
    weights, out = list(node.input(1).get_shape()), list(node.output(0).get_shape())
    first = list(node.input(0).get_shape())
    transposed = node.get_type_name() == "ConvolutionBackpropData"
    extent = first[2:] if transposed else out[2:]
    operations = 2.0 * math.prod(weights) * math.prod(extent)
    return Shape(int(first[1]), int(out[1]), tuple(map(int, weights[2:])), tuple(map(int, extent))), operations


def _shares(counted: Mapping[Shape | None, float]) -> dict[Shape, float]:
    """The most frequent shapes with weights, with their shares of the operations of all of them."""
    known = sorted(((value, shape) for shape, value in counted.items() if shape is not None), key=lambda one: -one[0])[
        :MOST_SHAPES
    ]
    whole = math.fsum(value for value, _ in known)
    return {shape: value / whole for value, shape in known}


def _rate(shape: Shape, precision: str, rows: int, cores: int) -> float:
    """Operations per second of one kind of product on all cores."""
    import openvino

    network, one, operations = _chain(shape, precision, rows)
    properties = {"INFERENCE_PRECISION_HINT": inference_precision(precision), "NUM_STREAMS": str(cores)}
    compiled = openvino_core().compile_model(network, "CPU", {**properties, "INFERENCE_NUM_THREADS": str(cores)})
    queue = openvino.AsyncInferQueue(compiled, cores)
    for _ in range(cores):
        queue.start_async({0: one}, share_inputs=True)
    queue.wait_all()
    best = 0.0
    for _ in range(TURNS):
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < SECONDS / TURNS or done < cores:
            queue.start_async({0: one}, share_inputs=True)
            done += 1
        queue.wait_all()
        best = max(best, done * operations / (time.perf_counter() - begin))
    return best


def _chain(shape: Shape, precision: str, rows: int) -> tuple[Any, Any, float]:
    """A model of LINKS products of a shape, there and back; an input, and its operations."""
    import openvino
    from openvino import opset13

    random = np.random.default_rng(1)
    extent = _cut(shape)
    given = [1, shape.inner, *extent] if shape.kernel else [rows, shape.inner]
    parameter = value = opset13.parameter(given, np.float32)
    for link in range(LINKS):
        inner, outer = (shape.inner, shape.outer) if link % 2 == 0 else (shape.outer, shape.inner)
        sizes = [outer, inner, *shape.kernel] if shape.kernel else [inner, outer]
        array = random.standard_normal(sizes).astype(np.float32) / np.float32(math.sqrt(inner * math.prod(shape.kernel)))
        weights = opset13.constant(array)
        if precision == "int8":
            value = _quantised(value, RANGE, LEVELS)
            weights = _quantised(weights, float(np.abs(array).max()), WEIGHT_LEVELS)
        if shape.kernel:
            none = [0] * len(shape.kernel)
            value = opset13.convolution(value, weights, [1] * len(none), none, none, [1] * len(none), "same_upper")
        else:
            value = opset13.matmul(value, weights, False, False)
    if precision == "int8":
        value = _quantised(value, RANGE, LEVELS)
    products = 2.0 * shape.inner * shape.outer * math.prod(shape.kernel) * (math.prod(extent) if shape.kernel else rows)
    return openvino.Model([value], [parameter], "products"), random.standard_normal(given).astype(np.float32), LINKS * products


def _cut(shape: Shape) -> tuple[int, ...]:
    """The extents of a convolution, halved in turn until it has at most MOST_CONVOLUTION operations."""
    extent = list(shape.extent)
    while extent and 2.0 * shape.inner * shape.outer * math.prod(shape.kernel) * math.prod(extent) > MOST_CONVOLUTION:
        longest = extent.index(max(extent))
        if extent[longest] < 8:
            break
        extent[longest] = (extent[longest] + 1) // 2
    return tuple(extent)


def _quantised(value: Any, most: float, levels: int) -> Any:
    from openvino import opset13

    ends = [opset13.constant(np.float32(end)) for end in (-most, most, -most, most)]
    return opset13.fake_quantize(value, *ends, levels)

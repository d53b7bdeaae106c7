"""Converts an fp32 graph to fp16 or bf16 wherever accuracy allows.

Strongly typed networks compute in the graph's types, so this conversion determines the precision of an engine. Inputs and
outputs keep their types. Layer normalisation and the layer that produces the logits stay in fp32: they sum many terms or dominate the
score, and cost little. So does softmax, except in attention: casts around it keep TensorRT from fusing the attention, and the fused
kernel sums in fp32 whatever the types say. Q/DQ nodes are kept; their scales take the type of their consumers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from code.common.errors import RunError
from code.precision.fold import fold_scale
from code.precision.opset import at_least_opset
from code.precision.pattern import FUSED, Pattern, attentions
from code.precision.view import View, named
from code.precision.weights import QUANTISING, SMALLEST_SCALE, lift_scales

REST = "fp16"
"""The precision of the unquantised parts of a quantised graph."""

KEEP_OPS = frozenset(
    {
        "LayerNormalization",
        "InstanceNormalization",
        "GroupNormalization",
        "Softmax",
        "LogSoftmax",
        "ReduceMean",
        "ReduceSum",
        "Pow",
        "Sqrt",
        "Range",
        "Resize",
        "RandomNormal",
        "RandomUniform",
        "RandomNormalLike",
        "RandomUniformLike",
    }
)
"""Operators that stay in fp32. Exporters before opset 17 express layer normalisation with Pow, Sqrt and ReduceMean."""

PATTERN: Pattern = FUSED
"""The pattern of every graph's attention and residual additions; all backends get the same file."""

LEAST_OPSET = {"fp16": 7, "bf16": 13, "quantised": 19}
"""Minimum opset: most operators support bf16 since 13, and Q/DQ nodes scales other than fp32 since 19."""

LARGEST = {"fp16": 32768.0, "bf16": 3.0e38}
"""Constants beyond it (such as the fp32 minimum that masks attention) are clamped to it, so that sums stay finite."""

_PASSING = frozenset({"Split", "Squeeze", "Unsqueeze", "Slice", "Reshape", "Transpose", "Add", "Identity", "Flatten", "Cast"})


@dataclass
class Conversion:
    """A converted graph.

    Args:
        model: the ModelProto.
        low: number of nodes that compute in the lower type.
        high: names of the nodes that compute in fp32, by operator.
    """

    model: Any
    low: int = 0
    high: dict[str, list[str]] = field(default_factory=dict)


def is_quantised(model: Any) -> bool:
    """Whether the graph contains Q/DQ nodes."""
    return any(node.op_type in QUANTISING for node in model.graph.node)


def in_pattern(model: Any, low: str, pattern: Pattern = PATTERN) -> Conversion:
    """A model in `low` precision, its attention in a pattern; the scales of a model that is quantised already stay."""
    whole = fold_scale(model) if pattern.scale_folded and not is_quantised(model) else model
    return convert(whole, low, softmax_casts=pattern.softmax_casts)


def convert(model: Any, low: str, keep: Iterable[str] = (), softmax_casts: bool = False) -> Conversion:
    """The graph in `low` precision ('fp16' or 'bf16').

    Args:
        model: an onnx ModelProto; it is not changed.
        keep: names of further nodes that stay in fp32.
        softmax_casts: whether attention's softmax stays in fp32 as well, between casts.

    Raises:
        RunError: the type of a tensor cannot be inferred.
    """
    quantised = is_quantised(model)
    out = at_least_opset(named(model), LEAST_OPSET["quantised"] if quantised else LEAST_OPSET[low])
    if quantised and low == "fp16":
        lift_scales(out.graph)
    softmaxes = () if softmax_casts else (attention.softmax for attention in attentions(View(out.graph)))
    return _Converter(out, low, frozenset(keep), frozenset(softmaxes)).run()


class _Converter:
    def __init__(self, model: Any, low: str, keep: frozenset[str], lowered: frozenset[str]) -> None:
        from onnx import TensorProto

        self.model = model
        self.graph = model.graph
        self.suffix = low
        self.largest = LARGEST[low]
        self.float = int(TensorProto.FLOAT)
        self.low = int(TensorProto.FLOAT16 if low == "fp16" else TensorProto.BFLOAT16)
        self.narrow_scales = low == "fp16"
        _constants_to_initializers(self.graph)
        self.types = _element_types(model)
        self.initializers = {i.name: i for i in self.graph.initializer}
        self.consumers: dict[str, list[Any]] = {}
        for node in self.graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        self.lowered = lowered - keep
        self.scales = {node.name: node.input[1] for node in self.graph.node if node.op_type == "DequantizeLinear"}
        self.producer = {name: node for node in self.graph.node for name in node.output}
        self.keep = keep | _logit_nodes(self.graph, self.types, self.float)
        self.native: dict[str, int] = {i.name: self.float for i in self.graph.input if self.types.get(i.name) == self.float}
        self.casts: dict[tuple[str, int], str] = {}
        self.nodes: list[Any] = []
        self.used: set[str] = set()
        self.result = Conversion(model)

    def run(self) -> Conversion:
        import onnx

        outputs = {o.name for o in self.graph.output if self.types.get(o.name) == self.float}
        for node in list(self.graph.node):
            self._node(node, outputs)
        self.used.update(name for name in outputs if name in self.initializers)
        self._replace_nodes()
        try:
            onnx.checker.check_model(self.model)
        except onnx.checker.ValidationError as error:
            raise RunError(
                f"the {self.suffix} graph is not valid",
                str(error).strip().splitlines()[0],
                "run with --precision=fp32, and report this graph",
            ) from error
        return self.result

    def _replace_nodes(self) -> None:
        """Put the new nodes into the graph, and leave only the initializers that they use."""
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        kept = [i for i in self.graph.initializer if i.name in self.used or self.types.get(i.name) != self.float]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)
        del self.graph.value_info[:]
        names = {i.name for i in kept}
        for extra in [i for i in self.graph.input if i.name in self.initializers and i.name not in names]:
            self.graph.input.remove(extra)

    def _node(self, node: Any, outputs: set[str]) -> None:
        floats = [n for n in [*node.input, *node.output] if n and self.types.get(n) == self.float]
        if not floats:
            self.nodes.append(node)
            return
        low = self._is_low(node)
        wanted = self.low if low else self.float
        for index, name in enumerate(node.input):
            if name and self.types.get(name) == self.float:
                node.input[index] = self._as(name, wanted)
        if low:
            self._retype_attributes(node)
        self.nodes.append(node)
        self._outputs(node, outputs if low else set(), wanted)
        if low:
            self.result.low += 1
        else:
            self.result.high.setdefault(node.op_type, []).append(node.name)

    def _outputs(self, node: Any, widened: set[str], wanted: int) -> None:
        """Note the type of a node's outputs; those of `widened`, results of the graph, are cast to fp32."""
        from onnx import helper

        for index, name in enumerate(node.output):
            if not name or self.types.get(name) != self.float:
                continue
            self.native[name] = wanted
            if name in widened:
                inner = f"{name}__{self.suffix}"
                node.output[index] = inner
                self.nodes.append(helper.make_node("Cast", [inner], [name], name=f"{name}__to_fp32", to=self.float))
                self.native[name] = self.float
                self.casts[(name, self.low)] = inner

    def _is_low(self, node: Any) -> bool:
        if not self._takes_low(node) or any(a.g.node or a.graphs for a in node.attribute):
            return False
        if node.op_type == "QuantizeLinear":
            return self.native.get(node.input[0], self.low) == self.low and self._scale_fits(node)
        if node.op_type == "DequantizeLinear":
            return self._scale_fits(node) and any(self._takes_low(c) for c in self.consumers.get(node.output[0], []))
        return True

    def _takes_low(self, node: Any) -> bool:
        return node.name in self.lowered or (node.op_type not in KEEP_OPS and node.name not in self.keep)

    def _scale_fits(self, node: Any) -> bool:
        """Whether the scale, a constant, is a normal number of the lower type."""
        from onnx import numpy_helper

        if not self.narrow_scales:
            return True
        scale = self.initializers.get(self.scales.get(node.name, node.input[1]))
        return scale is not None and float(abs(numpy_helper.to_array(scale)).min()) >= SMALLEST_SCALE

    def _as(self, name: str, wanted: int) -> str:
        """The name of tensor `name` converted to type `wanted`; adds a Cast if necessary."""
        from onnx import helper

        if name in self.initializers:
            return self._initializer_as(name, wanted)
        if self.native.get(name, self.float) == wanted:
            return name
        key = (name, wanted)
        if key not in self.casts:
            target = f"{name}__as_{self.suffix if wanted == self.low else 'fp32'}"
            made = self.producer.get(name)
            if made is not None and made.op_type == "DequantizeLinear" and (wanted == self.float or self._scale_fits(made)):
                self.nodes.append(self._dequantised_as(made, target, wanted))
            else:
                self.nodes.append(helper.make_node("Cast", [name], [target], name=target, to=wanted))
            self.casts[key] = target
        return self.casts[key]

    def _dequantised_as(self, node: Any, target: str, wanted: int) -> Any:
        """The same dequantisation once more with an output of type `wanted`: no Cast may stand between it and a product."""
        twin = type(node)()
        twin.CopyFrom(node)
        twin.name, twin.output[0] = f"{target}/DequantizeLinear", target
        twin.input[1] = self._initializer_as(self.scales[node.name], wanted)
        return twin

    def _initializer_as(self, name: str, wanted: int) -> str:
        if wanted == self.float:
            self.used.add(name)
            return name
        target = f"{name}__{self.suffix}"
        if target not in self.used:
            self.graph.initializer.append(self._narrowed(self.initializers[name], target))
            self.used.add(target)
        return target

    def _narrowed(self, tensor: Any, name: str) -> Any:
        import numpy as np
        from onnx import helper, numpy_helper

        array = numpy_helper.to_array(tensor).astype(np.float32)
        finite = np.where(np.isfinite(array), np.clip(array, -self.largest, self.largest), array)
        dtype = helper.tensor_dtype_to_np_dtype(self.low)
        return numpy_helper.from_array(finite.astype(dtype), name)

    def _retype_attributes(self, node: Any) -> None:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == self.float:
                attribute.i = self.low
            if node.op_type == "ConstantOfShape" and attribute.name == "value" and attribute.t.data_type == self.float:
                attribute.t.CopyFrom(self._narrowed(attribute.t, attribute.t.name))


def _constants_to_initializers(graph: Any) -> None:
    """Replace Constant nodes by initializers of the same name, and name unnamed nodes."""
    kept = []
    for number, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
        tensors = [a.t for a in node.attribute if a.name == "value"]
        if node.op_type == "Constant" and tensors:
            tensor = graph.initializer.add()
            tensor.CopyFrom(tensors[0])
            tensor.name = node.output[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def _element_types(model: Any) -> Mapping[str, int]:
    """Tensor name → element type, for every tensor of the main graph."""
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model, check_type=False, strict_mode=False)
    except Exception as error:
        raise RunError("the graph's types cannot be inferred", str(error).splitlines()[0], "export the model again") from error
    graph = inferred.graph
    types = {i.name: int(i.data_type) for i in graph.initializer}
    for info in (*graph.input, *graph.output, *graph.value_info):
        types[info.name] = int(info.type.tensor_type.elem_type)
    for node in graph.node:
        for name in node.output:
            if name and not types.get(name):
                raise RunError(
                    f"the type of tensor {name!r} cannot be inferred",
                    f"it is produced by {node.name or node.op_type} ({node.op_type}, domain {node.domain or 'ai.onnx'!r})",
                    "run with --precision=fp32, or export the model with standard operators only",
                )
    return types


def _logit_nodes(graph: Any, types: Mapping[str, int], float_type: int) -> frozenset[str]:
    """The nodes from the graph's float outputs back to and including the last matrix product or convolution."""
    producer = {name: node for node in graph.node for name in node.output}
    found: set[str] = set()
    waiting = [o.name for o in graph.output if types.get(o.name) == float_type]
    while waiting:
        node = producer.get(waiting.pop())
        if node is None or node.name in found:
            continue
        if node.op_type in ("MatMul", "Gemm", "Conv"):
            found.add(node.name)
        elif node.op_type in _PASSING:
            found.add(node.name)
            waiting.extend(n for n in node.input if types.get(n) == float_type)
    return frozenset(found - {""})

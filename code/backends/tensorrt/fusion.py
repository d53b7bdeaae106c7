"""Which attentions of a network TensorRT fused into one kernel, by the built engine's inspector.

Unfused, attention writes its scores to memory and reads them back three times, which costs BERT about half of its rate. The inspector
names the ONNX nodes behind each layer of an engine of detailed verbosity; kernels of fused attention are called '_gemm_mha_v2',
'fmha_v2' and the like.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from code.common.errors import RunError

if TYPE_CHECKING:
    import tensorrt as trt

KERNEL = re.compile(r"f?mha(?![a-z])", re.IGNORECASE)
"""What the name of a fused attention's kernel contains."""

SOURCES = re.compile(r"\[ONNX Layer: ([^\]]*)\]")
"""The nodes that a layer was made of, in the inspector's metadata."""

SHOWN = 8
"""Attentions that an error lists."""


@dataclass(frozen=True)
class NetworkAttention:
    """An attention of a network before fusion: names of its layers, and the type of its first product."""

    first: str
    softmax: str
    second: str
    dtype: str

    @property
    def can_fuse(self) -> bool:
        """Whether there are kernels for it: none compute in fp32."""
        return self.dtype != "float32"


@dataclass(frozen=True)
class Fusion:
    """What an engine's inspector shows.

    Args:
        layers: its layers, as the inspector gives them; with 'layer_names_only' a layer is its name alone.
        attentions: those of the network for which there are fused kernels.
        unfused: names of those that no layer of the engine computes whole; None where the inspector does not tell.
    """

    layers: Sequence[Mapping[str, Any]]
    attentions: int
    unfused: tuple[str, ...] | None

    def record(self) -> dict[str, Any]:
        """For the sidecar."""
        types = Counter(str(layer.get("LayerType") or "unnamed") for layer in self.layers)
        fused = None if self.unfused is None else self.attentions - len(self.unfused)
        attention = {"count": self.attentions, "fused": fused, "unfused": list(self.unfused or ())}
        return {"count": len(self.layers), "types": dict(types), "attention": attention}

    def require(self, label: str) -> None:
        """RunError that lists the attentions which are not fused."""
        if not self.unfused:
            return
        more = f" and {len(self.unfused) - SHOWN} more" if len(self.unfused) > SHOWN else ""
        raise RunError(
            f"{label} fused {self.attentions - len(self.unfused)} of the network's {self.attentions} attentions",
            "not one kernel: " + ", ".join(self.unfused[:SHOWN]) + more,
            "check head size, length and precision against documentation/tensorrt.md; --allow_unfused=true builds it as it is, to try",
        )


def inspect(engine: trt.ICudaEngine, module: Any, attentions: Sequence[NetworkAttention]) -> Fusion:
    """Ask an engine's inspector for its layers, and look for the attentions in them."""
    text = engine.create_engine_inspector().get_engine_information(module.LayerInformationFormat.JSON)
    return fusion_of(text, attentions)


def fusion_of(text: str, attentions: Sequence[NetworkAttention]) -> Fusion:
    """The fusion that an inspector's JSON shows."""
    try:
        content = json.loads(text)
    except ValueError:
        content = {}
    found = content.get("Layers") if isinstance(content, dict) else None
    layers = [layer if isinstance(layer, dict) else {"Name": str(layer)} for layer in found or []]
    possible = [attention for attention in attentions if attention.can_fuse]
    return Fusion(layers, len(possible), _unfused(layers, possible))


def _unfused(layers: Sequence[Mapping[str, Any]], attentions: Sequence[NetworkAttention]) -> tuple[str, ...] | None:
    if not attentions:
        return ()
    sources = [frozenset(SOURCES.findall(str(layer.get("Metadata", "")))) for layer in layers]
    if any(sources):
        return tuple(a.softmax for a in attentions if not any({a.first, a.softmax, a.second} <= names for names in sources))
    kernels = sum(bool(KERNEL.search(f"{layer.get('Name', '')} {layer.get('TacticName', '')}")) for layer in layers)
    told = kernels or any("LayerType" in layer for layer in layers)
    return tuple(a.softmax for a in attentions[kernels:]) if told else None


def attentions_of(network: trt.INetworkDefinition, module: Any, type_name: Any) -> list[NetworkAttention]:
    """The attentions of a network: each softmax between two products of activations.

    Args:
        type_name: a function that names the type of a tensor, such as 'float16'.
    """
    return _Search(network, module, type_name).run()


class _Search:
    def __init__(self, network: trt.INetworkDefinition, module: Any, type_name: Any) -> None:
        kinds = module.LayerType
        self.type_name = type_name
        self.product, self.softmax, self.constant = kinds.MATRIX_MULTIPLY, kinds.SOFTMAX, kinds.CONSTANT
        self.joining = {kinds.ELEMENTWISE, kinds.SELECT}
        words = ("CAST", "SHUFFLE", "SCALE", "IDENTITY", "QUANTIZE", "DEQUANTIZE")
        self.passing = self.joining | {getattr(kinds, word) for word in words}
        self.layers = [network.get_layer(index) for index in range(network.num_layers)]
        self.made: dict[str, Any] = {}
        self.read: dict[str, list[Any]] = {}
        for layer in self.layers:
            for tensor in _tensors(layer, layer.num_outputs, layer.get_output):
                self.made[tensor.name] = layer
            for tensor in _tensors(layer, layer.num_inputs, layer.get_input):
                self.read.setdefault(tensor.name, []).append(layer)

    def run(self) -> list[NetworkAttention]:
        found = []
        for layer in self.layers:
            if layer.type != self.softmax:
                continue
            first, second = self._before(layer), self._behind(layer)
            if first is not None and second is not None:
                found.append(NetworkAttention(first.name, layer.name, second.name, self.type_name(first.get_output(0))))
        return found

    def _before(self, softmax: Any) -> Any | None:
        waiting, seen = [softmax], set()
        while waiting:
            layer = waiting.pop(0)
            for tensor in _tensors(layer, layer.num_inputs, layer.get_input):
                source = self.made.get(tensor.name)
                if source is None or source.name in seen:
                    continue
                seen.add(source.name)
                if self._is_product(source):
                    return source
                if source.type in self.passing:
                    waiting.append(source)
        return None

    def _behind(self, softmax: Any) -> Any | None:
        waiting = [softmax]
        while waiting:
            layer = waiting.pop(0)
            for tensor in _tensors(layer, layer.num_outputs, layer.get_output):
                for reader in self.read.get(tensor.name, []):
                    if self._is_product(reader):
                        return reader
                    if reader.type in self.passing:
                        waiting.append(reader)
        return None

    def _is_product(self, layer: Any) -> bool:
        return layer.type == self.product and not any(
            self._is_constant(tensor) for tensor in _tensors(layer, layer.num_inputs, layer.get_input)
        )

    def _is_constant(self, tensor: Any) -> bool:
        """Whether constants alone make a tensor. A bias may be either input of its addition."""
        waiting = [tensor]
        while waiting:
            layer = self.made.get(waiting.pop().name)
            if layer is None or layer.type not in self.passing | {self.constant}:
                return False
            # Further inputs of those that do not join data are scales and shapes.
            count = layer.num_inputs if layer.type in self.joining else min(layer.num_inputs, 1)
            waiting += _tensors(layer, count, layer.get_input)
        return True


def _tensors(layer: Any, count: int, get: Any) -> list[Any]:
    return [tensor for tensor in (get(index) for index in range(count)) if tensor is not None]

"""The layers inside an engine, as its runtime tells them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.backends.base import Backend, EngineSpec
from code.common import jsonfile
from code.common.errors import HarnessError, RunError, UsageError
from code.precision import side_by_side

SIDECAR = "engine.json"


@dataclass(frozen=True)
class LayerInside:
    """One layer of an engine.

    Args:
        kind: its type in the runtime's words.
        precision: what it computes in; '' where the runtime does not tell.
        detail: the kernel, or the nodes that were fused into it.
    """

    name: str
    kind: str
    precision: str
    detail: str


@dataclass(frozen=True)
class Inside:
    """An engine's layers in their order, and lines about the whole."""

    notes: tuple[str, ...]
    layers: tuple[LayerInside, ...]


def inspect(backend: Backend, folder: Path) -> Inside:
    """The engine in a folder. UsageError for a backend whose engines cannot be inspected."""
    look = LOOKS.get(backend.name)
    if look is None:
        raise UsageError(
            f"engines of {backend.name} cannot be inspected",
            f"inspect_engine knows those of {', '.join(LOOKS)}",
            "select one with --backend=…",
        )
    return look(backend, folder)


def _openvino(backend: Backend, folder: Path) -> Inside:
    """The compiled model as OpenVINO runs it, with fused nodes and kernels."""
    engine = backend.load(folder, EngineSpec(streams=1, threads=1, precision=_precision(folder)))
    layers = []
    for node in engine.runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        told = {key: str(info[key].astype(str) if hasattr(info[key], "astype") else info[key]) for key in info}
        layers.append(
            LayerInside(
                node.get_friendly_name(),
                told.get("layerType", node.get_type_name()),
                told.get("runtimePrecision", ""),
                told.get("primitiveType", ""),
            )
        )
    return Inside((f"inputs: {', '.join(engine.inputs)}", f"outputs: {', '.join(engine.outputs)}"), tuple(layers))


def _precision(folder: Path) -> str:
    try:
        content = jsonfile.read(folder / SIDECAR)
        return str(content["settings"]["precision"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{folder.name} has no readable {SIDECAR}", str(error), "build the engine again with --force_build"
        ) from error


def _onnx(_backend: Backend, folder: Path) -> Inside:
    """The graph that ONNX Runtime runs, read through Polygraphy."""
    side_by_side.require()
    from polygraphy.backend.onnx.loader import OnnxFromPath
    from polygraphy.backend.onnx.util import get_input_metadata, get_output_metadata

    with side_by_side.explained(f"{folder.name} cannot be read"):
        model = OnnxFromPath(str(folder / "engine.onnx"))()
        told = (f"inputs: {get_input_metadata(model.graph)}", f"outputs: {get_output_metadata(model.graph)}")
        notes = tuple(" ".join(one.split()) for one in told)
    layers = [LayerInside(n.name or n.output[0], n.op_type, "", ", ".join(n.output)) for n in model.graph.node]
    return Inside(notes, tuple(layers))


def _tensorrt(backend: Backend, folder: Path) -> Inside:
    """The plan as TensorRT's engine inspector tells it; without a GPU, the network before fusion, as it was recorded at the build."""
    from code.backends.tensorrt.runner import read_details, require_same_gpu, require_whole

    details = read_details(folder)
    notes = tuple(_tensorrt_notes(details))
    try:
        plan = require_whole(folder, details)
        require_same_gpu(folder, details)
    except HarnessError as error:
        recorded = json.loads((folder / str(details["layers"]["file"])).read_text(encoding="utf-8"))
        layers = tuple(_recorded(one) for one in recorded)
        return Inside((*notes, f"before fusion, because {error.what}"), layers)
    return Inside(notes, tuple(_inspected(backend, plan)))


def _tensorrt_notes(details: Mapping[str, Any]) -> list[str]:
    tensors = [f"{one['name']} {one['dtype']} {one['shape']}" for one in (*details["inputs"], *details["outputs"])]
    return [f"compute capability {details['compute_capability']} ({details['gpu']})", f"tensors: {', '.join(tensors)}"]


def _recorded(one: Mapping[str, Any]) -> LayerInside:
    types = dict.fromkeys(str(kind) for kind in one["outputs"].values())
    return LayerInside(str(one["name"]), str(one["type"]), ", ".join(types), ", ".join(one["outputs"]))


def _inspected(backend: Backend, plan: Path) -> list[LayerInside]:
    """Not executed here: it needs an NVIDIA GPU. A plan with little profiling verbosity names its layers only."""
    side_by_side.use_flavour(backend)
    from polygraphy.backend.common import BytesFromPath
    from polygraphy.backend.trt import EngineFromBytes

    with side_by_side.explained(f"{plan.parent.name} cannot be inspected"):
        engine = EngineFromBytes(BytesFromPath(str(plan)))()
        inspector = engine.create_engine_inspector()
        told = json.loads(inspector.get_engine_information(side_by_side.trt_module().LayerInformationFormat.JSON))
    return [_told(one) for one in told["Layers"]]


def _told(one: Any) -> LayerInside:
    if isinstance(one, str):
        return LayerInside(one, "layer", "", "")
    kinds = dict.fromkeys(str(made.get("Format/Datatype", "")) for made in one.get("Outputs", []))
    detail = str(one.get("TacticName") or one.get("Metadata") or "")
    return LayerInside(str(one.get("Name", "")), str(one.get("LayerType", "")), ", ".join(kinds), detail)


LOOKS: Mapping[str, Callable[[Backend, Path], Inside]] = {
    "openvino": _openvino,
    "onnxruntime": _onnx,
    "tensorrt": _tensorrt,
    "tensorrt_rtx": _tensorrt,
}
"""Backend → what looks into its engines."""

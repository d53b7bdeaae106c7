"""Engine folders for the steps: built by TensorRT 8.6 to 11 on the GPU, or text plans of tests/cuda_stand_in."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from code.backends.tensorrt.builder import _network_flags, _type
from code.backends.tensorrt.sdk import TENSORRT, Messages, logger, sdk
from code.common.errors import MissingError
from code.common.files import write_json
from tests.gpu.bench import BERT_INPUTS, BERT_OUTPUTS, LONGEST, ROI, Bench, NeedsError

LAYERS = 6
"""Of BERT-Large's 24: the layers repeat, and the time is limited."""
BATCH = 64
LEVEL = 2
"""builder_optimization_level: what BERT-Large was built with before (documentation/tensorrt.md)."""

EXPLICIT_BATCH = 1
"""TensorRT 8's flag for networks whose batch is a dimension."""

Ranges = Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]


def tensorrt() -> Any:
    """The module. NeedsError without it."""
    try:
        return sdk(TENSORRT)
    except MissingError as error:
        raise NeedsError(f"the Python package tensorrt with its libraries: {error.why}") from error


def is_typed(module: Any) -> bool:
    """Whether networks are strongly typed: from TensorRT 10 on, as the project builds them."""
    return int(str(module.__version__).split(".")[0]) >= 10


def bert_ranges(batch: int = BATCH) -> Ranges:
    """The profile of BERT's inputs: least, best and largest shape."""
    return dict.fromkeys(BERT_INPUTS, ((1, 1), (batch, LONGEST), (batch, LONGEST)))


def bert(bench: Bench) -> Path:
    """An engine of BERT-Large's width in fp16; built once."""
    if bench.stand_in:
        return _stand_in_plan(
            bench, "bert", "tokens", dict.fromkeys(BERT_INPUTS, ("int64", (-1, -1))), BERT_OUTPUTS, bert_ranges()
        )
    module = tensorrt()
    rest = "fp16" if is_typed(module) else "fp32"
    return built(bench, "bert", lambda: bert_graph("softmax", "", rest), bert_ranges(), "fp16")[0]


def unet(bench: Bench) -> Path:
    """An engine of the tiny 3D-UNet for windows of ROI; built once."""
    from code.benchmarks.unet3d import tiny

    ranges = {"input": ((1, 1, *ROI), (8, 1, *ROI), (8, 1, *ROI))}
    if bench.stand_in:
        return _stand_in_plan(bench, "unet", "voxels", {"input": ("float32", (-1, 1, *ROI))}, ("output",), ranges)

    def graph() -> Any:
        import onnx

        return onnx.load(str(Path(tiny.MODEL) / "model.onnx"))

    return built(bench, "unet", graph, ranges, "fp32")[0]


def bert_graph(pattern: str, quantised: str, rest: str) -> Any:
    """BERT-Large's width in a pattern of code/precision/pattern.py; `quantised` to 'int8' or '', everything else in `rest`."""
    from code.precision.pattern import STEPS
    from scripts.make_bert_large_shape import make, written

    return written(make(LAYERS, 1024, 16, 4096, 30522, 512), STEPS[pattern], quantised or None, rest)


def built(bench: Bench, name: str, graph: Callable[[], Any], ranges: Ranges, precision: str) -> tuple[Path, dict[str, Any]]:
    """The folder of an engine, and what its building showed; an engine that is there is not built again.

    Weakly typed networks (TensorRT 8.6) get `precision` as flags, and graphs in operators that its parser has.
    """
    folder = bench.work / "engines" / name
    if (folder / "engine.json").is_file():
        return folder, {}
    module = tensorrt()
    messages = Messages()
    listener = logger(module, messages)
    builder = module.Builder(listener)
    typed = is_typed(module)
    network = builder.create_network(_network_flags(module) if typed else EXPLICIT_BATCH)
    parser = module.OnnxParser(network, listener)
    model = graph()
    if not typed:
        from tests.gpu.older import for_tensorrt_8

        model = for_tensorrt_8(model)
    if not parser.parse(model.SerializeToString()):
        raise RuntimeError(f"{name}: {parser.get_error(0).desc() if parser.num_errors else messages.last()}")
    config = builder.create_builder_config()
    config.builder_optimization_level = LEVEL
    config.profiling_verbosity = module.ProfilingVerbosity.DETAILED
    if not typed:
        for flag in {"fp16": ("FP16",), "int8": ("FP16", "INT8")}.get(precision, ()):
            config.set_flag(getattr(module.BuilderFlag, flag))
    profile = builder.create_optimization_profile()
    for i in range(network.num_inputs):
        profile.set_shape(network.get_input(i).name, *ranges[network.get_input(i).name])
    config.add_optimization_profile(profile)
    cache_file = bench.work / "timing.cache"
    cache = config.create_timing_cache(cache_file.read_bytes() if cache_file.is_file() else b"")
    config.set_timing_cache(cache, False)
    begin = time.monotonic()
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise RuntimeError(f"{name}: {messages.last()}")
    cache_file.write_bytes(bytes(config.get_timing_cache().serialize()))
    data = bytes(plan)
    _write(folder, data, _capability())
    return folder, {
        "build_s": round(time.monotonic() - begin, 1),
        "plan_bytes": len(data),
        **fused(module, listener, data, network),
    }


def fused(module: Any, listener: Any, plan: bytes, network: Any) -> dict[str, Any]:
    """What the engine inspector shows: layers by type, fused attentions, and the kernels that are called as attention's."""
    from code.backends.tensorrt.fusion import KERNEL, attentions_of, fusion_of

    engine = module.Runtime(listener).deserialize_cuda_engine(plan)
    text = engine.create_engine_inspector().get_engine_information(module.LayerInformationFormat.JSON)
    found = fusion_of(text, attentions_of(network, module, _type)).record()
    layers = [layer for layer in json.loads(text).get("Layers", []) if isinstance(layer, dict)]
    kernels = Counter(
        str(layer.get("TacticName")) for layer in layers if KERNEL.search(f"{layer.get('Name')} {layer.get('TacticName')}")
    )
    return {"layers": found, "attention_kernels": dict(kernels)}


def _capability() -> str:
    from code.machine.detect import detect

    found = detect().gpus
    compute = found[0].kind.compute_sm if found else None
    return f"{compute // 10}.{compute % 10}" if isinstance(compute, int) else "0.0"


def _write(folder: Path, plan: bytes, capability: str) -> None:
    """A folder as the harness reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engine.plan").write_bytes(plan)
    details = {
        "engine": "engine.plan",
        "sha256": hashlib.sha256(plan).hexdigest(),
        "compute_capability": capability,
        "gpu": "this",
    }
    write_json(folder / "engine.json", {"details": details})


def _stand_in_plan(
    bench: Bench,
    name: str,
    function: str,
    inputs: Mapping[str, tuple[str, tuple[int, ...]]],
    outputs: tuple[str, ...],
    ranges: Ranges,
) -> Path:
    """A plan of tests/cuda_stand_in (its README)."""

    def text(dims: tuple[int, ...]) -> str:
        return " ".join(map(str, dims))

    first = next(iter(inputs.values()))[1]
    open_shape = first if function == "tokens" else (-1, 3, *ROI)
    lines = ["cuda-stand-in plan 1", f"name {name}", f"function {function}", "capability 9.0"]
    lines += [f"tensor {n} input {kind} {text(dims)}" for n, (kind, dims) in inputs.items()]
    lines += [f"tensor {n} output float32 {text(open_shape)}" for n in outputs]
    lines += ["profile", *(f"shape {n} {' / '.join(text(dims) for dims in ranges[n])}" for n in inputs), "end"]
    folder = bench.work / "engines" / name
    _write(folder, ("\n".join(lines) + "\n").encode(), "9.0")
    return folder

"""ONNX graph → serialised engine, through TensorRT's own parser and builder."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.backends.tensorrt.fusion import Fusion, attentions_of, fusion_of, inspect
from code.backends.tensorrt.options import BuildOptions
from code.backends.tensorrt.profiles import Profile, profiles_of, shapes
from code.backends.tensorrt.progress import monitor
from code.backends.tensorrt.sdk import Flavour, Messages, explained, logger, sdk, sizes
from code.backends.tensorrt.sdk import version as version_of
from code.backends.tensorrt.target import Target, here, require_buildable, target_of
from code.backends.tensorrt.timing import TimingCache
from code.common import console
from code.common.errors import RunError, UsageError
from code.common.files import write_json

if TYPE_CHECKING:
    import tensorrt as trt

PLAN = "engine.plan"
LAYERS = "layers.json"
CHECK_STEP = "run `make check_engines` with the same RUN_ARGS to list every problem of the graph"
ENGINE_LAYERS = "engine_layers.json"


@dataclass
class Parsed:
    """A parsed graph. `builder`, `logger` and `parser` are kept only to outlive the network."""

    module: Any
    messages: Messages
    logger: trt.ILogger
    builder: trt.Builder
    network: trt.INetworkDefinition
    parser: trt.OnnxParser
    problems: list[str]


def parse(flavour: Flavour, model: Path) -> Parsed:
    """Parse `model` into a strongly typed network; the parser's errors are in `problems`."""
    module = sdk(flavour)
    messages = Messages()
    listener = logger(module, messages)
    with explained(f"{flavour.label} cannot read {model}", messages, CHECK_STEP):
        builder: trt.Builder = module.Builder(listener)
        network = builder.create_network(_network_flags(module))
        parser: trt.OnnxParser = module.OnnxParser(network, listener)
        done = parser.parse_from_file(str(model))
        problems = [_problem(parser.get_error(i)) for i in range(parser.num_errors)]
    if not done and not problems:
        problems = [messages.last()]
    if done:
        problems = [] if network.num_outputs else ["it has no outputs: the ONNX model is incomplete"]
    return Parsed(module, messages, listener, builder, network, parser, problems)


def build(flavour: Flavour, model: Path, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write engine.plan, layers.json and engine_layers.json into `folder`; the answer goes into the sidecar.

    Raises:
        UsageError: the graph or the profile cannot be built as it is, or the GPU cannot be targeted.
        MissingError: a plugin library or the GPU is missing.
        RunError: the build failed, with TensorRT's message; or attention is not fused and `allow_unfused` is not set.
    """
    target = target_of(values)
    require_buildable(target, flavour, sdk(flavour))
    options = BuildOptions.of(values, flavour.crosses)
    registry_step(sdk(flavour), options.plugins)
    parsed = parse(flavour, model)
    if parsed.problems:
        more = f" (and {len(parsed.problems) - 1} more)" if len(parsed.problems) > 1 else ""
        raise UsageError(f"{flavour.label} cannot build {model}", parsed.problems[0] + more, CHECK_STEP)
    profiles = profiles_of(values)
    config = _config(parsed, flavour, options, target, profiles)
    cache = None if flavour.crosses else TimingCache.of(flavour.module, version_of(flavour), target)
    if cache is not None:
        cache.attach(config, parsed.messages)
    with console.Progress(f"building for {target.gpu}", 100, "%") as bar, _interruptible() as stopped:
        watch = monitor(parsed.module, bar, stopped)
        config.progress_monitor = watch
        with explained(f"{flavour.label} cannot build {model}", parsed.messages, CHECK_STEP):
            plan = parsed.builder.build_serialized_network(parsed.network, config)
    if stopped():
        raise KeyboardInterrupt
    if plan is None:
        raise RunError(f"{flavour.label} cannot build {model}", parsed.messages.last(), CHECK_STEP)
    data = memoryview(plan)
    with (folder / PLAN).open("wb") as out:
        out.write(data)
    if cache is not None:
        cache.keep(config)
    layers = _layers(parsed.network)
    write_json(folder / LAYERS, layers)
    fusion = _fusion(parsed, flavour, plan)
    write_json(folder / ENGINE_LAYERS, list(fusion.layers))
    if not options.allow_unfused:
        fusion.require(flavour.label)
    return {
        "engine": PLAN,
        "sha256": hashlib.sha256(data).hexdigest(),
        "compute_capability": target.capability,
        "gpu": target.gpu,
        "hardware_compatibility": options.hardware_compatibility,
        "inputs": [_tensor(parsed.network.get_input(i)) for i in range(parsed.network.num_inputs)],
        "outputs": [_tensor(parsed.network.get_output(i)) for i in range(parsed.network.num_outputs)],
        "profiles": _profile_shapes(parsed.network, profiles),
        "layers": {"count": len(layers), "file": LAYERS, "types": dict(Counter(layer["type"] for layer in layers))},
        "fused_layers": {"file": ENGINE_LAYERS, **fusion.record()},
        "memory_bytes": {
            "weights": parsed.messages.number_after("Total Weights Memory: "),
            "activations": parsed.messages.number_after("Total Activation Memory: "),
        },
        "warnings": sorted({text for severity, text in parsed.messages.all if severity == "WARNING"}),
    }


def _network_flags(module: Any) -> int:
    """Strongly typed; since version 11 every network is, and the flag no longer exists."""
    flag = getattr(module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _problem(complaint: trt.ParserError) -> str:
    """A parser error as one line: operator, node and message."""
    node, operator = complaint.node_name(), complaint.node_operator()
    message = " ".join(complaint.desc().split())
    return f"{operator} {node!r}: {message}" if operator else message


def _config(
    parsed: Parsed, flavour: Flavour, options: BuildOptions, target: Target, profiles: Sequence[Profile]
) -> trt.IBuilderConfig:
    module = parsed.module
    config = parsed.builder.create_builder_config()
    if flavour.crosses:
        crossing: Any = config
        crossing.num_compute_capabilities = 1
        capability = getattr(module.ComputeCapability, f"SM{target.compute}")
        if not crossing.set_compute_capability(capability, 0):
            raise RunError(
                f"{flavour.label} refuses to build for {target.gpu}", parsed.messages.last(), "see documentation/tensorrt.md"
            )
    elif options.hardware_compatibility:
        level = options.hardware_compatibility.upper()
        config.hardware_compatibility_level = getattr(module.HardwareCompatibilityLevel, level)
    if options.workspace_size:
        config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, options.workspace_size)
    if options.builder_optimization_level is not None:
        config.builder_optimization_level = options.builder_optimization_level
    if options.version_compatible:
        config.set_flag(module.BuilderFlag.VERSION_COMPATIBLE)
    config.profiling_verbosity = getattr(module.ProfilingVerbosity, options.profiling_verbosity.upper())
    config.clear_flag(module.BuilderFlag.SPARSE_WEIGHTS)
    for profile in profiles:
        wanted = parsed.builder.create_optimization_profile()
        for index in range(parsed.network.num_inputs):
            tensor = parsed.network.get_input(index)
            least, optimal, most = shapes(profile, tensor.name, sizes(tensor.shape))
            wanted.set_shape(tensor.name, module.Dims(least), module.Dims(optimal), module.Dims(most))
        if config.add_optimization_profile(wanted) < 0:
            raise UsageError(
                f"the graph does not accept the profile {profile.words()}",
                parsed.messages.last(),
                "change gpu_batch_size, bert_opt_seqlen or length_buckets",
            )
    return config


def _profile_shapes(network: trt.INetworkDefinition, profiles: Sequence[Profile]) -> list[dict[str, Any]]:
    """Per profile and input: minimum, optimum and maximum shape."""
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    return [
        {t.name: dict(zip(("min", "opt", "max"), shapes(p, t.name, sizes(t.shape)), strict=True)) for t in inputs}
        for p in profiles
    ]


def _tensor(tensor: trt.ITensor) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": _type(tensor), "shape": list(sizes(tensor.shape))}


def _type(tensor: trt.ITensor) -> str:
    """'float32', 'float16', 'bfloat16', 'int64', …"""
    name = str(tensor.dtype.name).lower()
    return {"float": "float32", "half": "float16", "bf16": "bfloat16"}.get(name, name)


def _layers(network: trt.INetworkDefinition) -> list[dict[str, Any]]:
    """The network's layers before fusion: name, type, and the outputs with their types."""
    out = []
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        outputs = [layer.get_output(i) for i in range(layer.num_outputs)]
        made = {t.name: _type(t) for t in outputs if t is not None}
        out.append({"name": layer.name, "type": layer.type.name.lower(), "outputs": made})
    return out


def _fusion(parsed: Parsed, flavour: Flavour, plan: Any) -> Fusion:
    """What the built engine's inspector shows; nothing where the engine cannot be loaded, which needs a GPU."""
    attentions = attentions_of(parsed.network, parsed.module, _type)
    messages = Messages()
    engine = None
    if not flavour.crosses or here() is not None:
        with explained(f"{flavour.label} cannot load the engine that it built", messages, CHECK_STEP):
            engine = parsed.module.Runtime(parsed.logger).deserialize_cuda_engine(plan)
    fusion = fusion_of("", attentions) if engine is None else inspect(engine, parsed.module, attentions)
    if fusion.attentions and fusion.unfused is None and not flavour.crosses:
        console.warn(
            f"whether {flavour.label} fused the network's {fusion.attentions} attentions is not known: its inspector shows no layers; "
            "--profiling_verbosity=detailed shows them"
        )
    return fusion


def registry_step(module: Any, plugins: Sequence[Path]) -> None:
    """Load the given plugin libraries, and no others."""
    for file in plugins:
        try:
            handle = module.get_plugin_registry().load_library(str(file.resolve()))
        except Exception as error:
            raise RunError(
                f"cannot load the plugin library {file}", str(error), "build it against the installed version"
            ) from error
        if handle is None:
            raise RunError(
                f"cannot load the plugin library {file}",
                "the plugin registry rejects it",
                "build it against the installed version",
            )


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Defer Ctrl-C during a build, because raising inside TensorRT's callbacks would end the process. Yields whether it came."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGINT, before)

"""Two engines of one network on the same samples, through Polygraphy's runners and Comparator.

ONNX Runtime and TensorRT have Polygraphy's own runners; `EngineRunner` makes one of any other backend's engine. What the engines answered
is saved as Polygraphy's JSON: `polygraphy inspect data` shows it, and `polygraphy run --load-outputs` compares other engines with it.
"""

from __future__ import annotations

import importlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from code.backends.base import Arrays, Backend, EngineSpec, missing_sdk
from code.backends.onnxruntime import as_written
from code.common.errors import HarnessError, RunError, last_words
from code.precision.layers import AS_FLOAT, Difference, summed

INPUTS, OUTPUTS, LAYERS = "inputs.json", "outputs.json", "layers.json"
RTX_VARIABLE = "POLYGRAPHY_USE_TENSORRT_RTX"
Feeds = Sequence[dict[str, NDArray[Any]]]
"""Inputs of each call, by the engine's input names."""


@dataclass(frozen=True)
class Side:
    """One of the two engines.

    Args:
        name: unlike the other side's: 'openvino int8'.
        backend: what it runs on.
        precision: of its graph.
        graph: the ONNX file that it was built of.
        engine: the folder of the engine.
        threads: threads of the runtime; 0: it decides.
        as_written: run the graph itself on ONNX Runtime, node by node as it is written, instead of the engine.
    """

    name: str
    backend: Backend
    precision: str
    graph: Path
    engine: Path
    threads: int = 0
    as_written: bool = False


def require() -> Any:
    """Polygraphy, with its log kept to errors. MissingError where it is not installed."""
    try:
        import polygraphy
        from polygraphy.logger import G_LOGGER
    except ImportError as error:
        raise missing_sdk("polygraphy", "debug_accuracy", error) from error
    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    return polygraphy


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Polygraphy's exceptions, and those of the runtimes inside it, as errors with their last line."""
    try:
        yield
    except (HarnessError, KeyboardInterrupt):
        raise
    except Exception as error:
        step = "run the workload itself with `make run` to see whether the engine works"
        raise RunError(what, last_words(error), step) from error


def run(sides: Sequence[Side], feeds: Feeds, saved: Path) -> tuple[dict[str, Difference], Any]:
    """Run both sides; returns each output's difference from the second side, and Polygraphy's RunResults, which are also in `saved`.

    Raises:
        MissingError: Polygraphy, or what an engine needs, is not installed.
        RunError: an engine cannot run the samples.
    """
    require()
    from polygraphy.comparator import Comparator

    with explained(f"{sides[0].name} and {sides[1].name} cannot be compared"):
        results = Comparator.run([runner(side) for side in sides], data_loader=[OrderedDict(feed) for feed in feeds])
        results.save(str(saved))
        compared = Comparator.compare_accuracy(results, compare_func=_differences)
        return summed(next(iter(compared[0].values()))), results


def save_inputs(feeds: Feeds, path: Path) -> None:
    """The inputs as Polygraphy's JSON, for its `--load-inputs`."""
    require()
    from polygraphy.json import save_json

    save_json([OrderedDict(feed) for feed in feeds], str(path), description="inputs")


def _differences(ours: Any, reference: Any) -> OrderedDict[str, Difference]:
    """The compare_func: every output of both, by its name in the graph."""
    theirs = {_plain(name): array for name, array in reference.items()}
    mine = {_plain(name): array for name, array in ours.items()}
    return OrderedDict((name, Difference.of(array, theirs[name])) for name, array in mine.items() if name in theirs)


def _plain(name: str) -> str:
    return name.removesuffix(AS_FLOAT)


def runner(side: Side) -> Any:
    """The Polygraphy runner of a side's engine."""
    make = _of_graph if side.as_written else RUNNERS.get(side.backend.name, _of_engine)
    return make(side)


def _of_graph(side: Side) -> Any:
    """ONNX Runtime without fusion: marking a tensor as an output changes nothing there."""
    from polygraphy.backend.onnx.loader import OnnxFromPath
    from polygraphy.backend.onnx.util import get_input_metadata

    metadata = get_input_metadata(OnnxFromPath(str(side.graph))().graph)
    return engine_runner_class()(side.name, lambda: as_written(side.graph, side.threads), metadata)


def departure(engines: Any, written: Any, place: int) -> dict[str, Difference]:
    """How far the outputs of one side's engine are from those of its graph as it is written.

    Args:
        engines, written: RunResults of both runs, with the sides in one order.
        place: of the side.
    """
    runs = zip(engines[place][1], written[place][1], strict=True)
    return summed({name: Difference.of(one[name], other[name]) for name in one if name in other} for one, other in runs)


def _of_engine(side: Side) -> Any:
    from polygraphy.backend.onnx.loader import OnnxFromPath
    from polygraphy.backend.onnx.util import get_input_metadata

    metadata = get_input_metadata(OnnxFromPath(str(side.graph))().graph)
    spec = EngineSpec(streams=1, threads=side.threads, precision=side.precision)
    return engine_runner_class()(side.name, lambda: side.backend.load(side.engine, spec), metadata)


def _of_onnx_runtime(side: Side) -> Any:
    from polygraphy.backend.onnxrt import OnnxrtRunner, SessionFromOnnx

    return OnnxrtRunner(SessionFromOnnx(str(side.engine / "engine.onnx"), providers=["CPUExecutionProvider"]), name=side.name)


def _of_tensorrt(side: Side) -> Any:
    """Not executed here: it needs an NVIDIA GPU."""
    use_flavour(side.backend)
    from polygraphy.backend.common import BytesFromPath
    from polygraphy.backend.trt import EngineFromBytes, TrtRunner

    from code.backends.tensorrt.runner import read_details, require_same_gpu, require_whole

    details = read_details(side.engine)
    plan = require_whole(side.engine, details)
    require_same_gpu(side.engine, details)
    return TrtRunner(EngineFromBytes(BytesFromPath(str(plan))), name=side.name)


def use_flavour(runtime: Backend) -> None:
    """Let Polygraphy's TensorRT backend use TensorRT-RTX for that backend. It reads the variable when it is imported."""
    require()
    if runtime.name == "tensorrt_rtx":
        os.environ[RTX_VARIABLE] = "1"


def trt_module() -> Any:
    """The module that Polygraphy's TensorRT backend uses, `tensorrt` or `tensorrt_rtx`."""
    return importlib.import_module("tensorrt_rtx" if os.environ.get(RTX_VARIABLE) == "1" else "tensorrt")


RUNNERS: Mapping[str, Callable[[Side], Any]] = {
    "onnxruntime": _of_onnx_runtime,
    "tensorrt": _of_tensorrt,
    "tensorrt_rtx": _of_tensorrt,
}
"""Backend → what makes its runner; any other backend's engine gets an EngineRunner."""


def engine_runner_class() -> type[Any]:
    """EngineRunner, a Polygraphy runner of an engine of this harness: OpenVINO's, above all. MissingError without Polygraphy."""
    require()
    from polygraphy.backend.base import BaseRunner

    class EngineRunner(BaseRunner):  # type: ignore[misc]
        """Runs one stream of an engine.

        Args:
            name: as results call it.
            load: opens the engine.
            metadata: Polygraphy's TensorMetadata of the inputs.
        """

        def __init__(self, name: str, load: Callable[[], Any], metadata: Any) -> None:
            super().__init__(name=name, prefix="mlperf-engine-runner")
            self._load, self._metadata = load, metadata

        def activate_impl(self) -> None:
            self.stream = self._load().stream()

        def deactivate_impl(self) -> None:
            del self.stream

        def get_input_metadata_impl(self) -> Any:
            return self._metadata

        def infer_impl(self, feed_dict: Arrays) -> Arrays:
            start = time.perf_counter()
            outputs = self.stream.infer(feed_dict)
            self.inference_time = time.perf_counter() - start
            return OrderedDict(outputs)

    return EngineRunner

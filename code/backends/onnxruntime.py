"""ONNX Runtime on processors: the fp32 reference for other backends."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code.backends.base import Arrays, Backend, EngineSpec, missing_sdk, package_version
from code.common.errors import RunError, UsageError
from code.fields.consumer import Consumer

READS = Consumer("ONNX Runtime", ("precision",), engine=True, backends=("onnxruntime",))


class OrtStream:
    """One session as a lane; sessions are thread-safe, so lanes share it."""

    def __init__(self, session: Any, outputs: Sequence[str]) -> None:
        self._session = session
        self._outputs = outputs

    def infer(self, inputs: Arrays) -> Arrays:
        """Run one batch."""
        return dict(zip(self._outputs, self._session.run(None, dict(inputs)), strict=True))


class OrtEngine:
    """A session."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs: Sequence[str] = [i.name for i in session.get_inputs()]
        self.outputs: Sequence[str] = [o.name for o in session.get_outputs()]

    def stream(self) -> OrtStream:
        """A new lane."""
        return OrtStream(self._session, self.outputs)


class OnnxRuntime(Backend):
    """The ONNX Runtime backend."""

    name = "onnxruntime"
    label = "ONNXRuntime"
    runtime_key = "onnxruntime_version"
    device = "CPU"
    harness_languages = ("python",)
    makes_precision = False
    reads = (READS,)

    def version(self) -> str:
        """The installed package's version."""
        return package_version("onnxruntime")

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The precision, which must be that of the graph."""
        precision = READS.of(values)["precision"]
        if precision not in ("fp32", "int8"):
            raise UsageError(
                f"the ONNX Runtime backend is the fp32 reference and does not support {precision}",
                "it runs the graph unchanged",
                "run with --precision=fp32, or with --backend=openvino",
            )
        return {"precision": precision}

    def device_identity(self) -> str:
        """Any processor: the model itself is the engine."""
        return "CPU"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> None:
        """Check that the model loads and copy it to the store."""
        precision = str(READS.of(values)["precision"])
        _loaded(model, 1, precision, "check that the file is a complete ONNX model, or select another with --model_path")
        shutil.copyfile(model, folder / "engine.onnx")

    def load(self, folder: Path, spec: EngineSpec) -> OrtEngine:
        """A session whose threads are divided among the streams."""
        threads = max(1, spec.threads // max(1, spec.streams)) if spec.threads else 0
        step = "rebuild it: make generate_engines RUN_ARGS='… --force_build'"
        return OrtEngine(_loaded(folder / "engine.onnx", threads, spec.precision, step))


def _session(model: Path, threads: int, as_it_is: bool, refused: tuple[str, str], keep_qdq: bool) -> Any:
    """A session on processors.

    Args:
        threads: of one call; 0 leaves it to ONNX Runtime.
        as_it_is: without any optimisation of the graph.
        refused: what the RunError of a graph that it cannot run says, and what to do then.
        keep_qdq: leave Q/DQ nodes where they are.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise missing_sdk("onnxruntime", "", error) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if as_it_is:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if keep_qdq:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        what, next_step = refused
        raise RunError(what, str(error).splitlines()[0], next_step) from error


def _loaded(model: Path, threads: int, precision: str, next_step: str) -> Any:
    # ONNX Runtime moves Q/DQ behind Transpose, which it does not implement for fp8.
    return _session(model, threads, False, (f"ONNX Runtime cannot load {model}", next_step), precision == "fp8")


def as_written(model: Path, threads: int = 0) -> OrtEngine:
    """A graph of any precision, computed node by node: nothing is fused, and Q/DQ nodes stay where they are.

    RunError for a graph with operators or types that ONNX Runtime does not compute on processors, such as bf16 products.
    """
    refused = (f"ONNX Runtime cannot run {model.name} as it is written", "compare the outputs alone, without --layers")
    return OrtEngine(_session(model, threads, True, refused, keep_qdq=True))


BACKEND = OnnxRuntime()

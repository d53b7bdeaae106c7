"""OpenVINO on processors.

An engine is the compiled model as a blob (`engine.blob`), which loads in a fraction of the compilation time and no longer needs the
model file. The precision of the computation is always set from the field `precision`: by default OpenVINO computes in bf16 on
processors that support it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from code.backends.base import Arrays, Backend, EngineSpec, missing_sdk, package_version
from code.common import console
from code.common.errors import RunError, UsageError, last_words
from code.fields.consumer import Consumer
from code.machine.detect import detect

INFERENCE_PRECISION = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}
"""Field value → INFERENCE_PRECISION_HINT; an int8 graph carries its own Q/DQ nodes and computes the rest in f32."""

READS = Consumer("OpenVINO", ("precision",), engine=True, backends=("openvino",))

CAPABILITIES = "OPTIMIZATION_CAPABILITIES"


def openvino_core() -> Any:
    """OpenVINO's core, safe to use from several threads. MissingError where the package is not installed."""
    try:
        import openvino
    except ImportError as error:
        raise missing_sdk("openvino", "", error) from error
    # OpenVINO deadlocks when two threads create their first tensor from an array at once: one holds the lock of a table in
    # the bindings, the other the GIL. Create one here, before any thread starts.
    openvino.Tensor(np.zeros((1, 1), dtype=np.int64), shared_memory=True).get_element_type().to_dtype()
    return openvino.Core()


@cache
def _capabilities() -> frozenset[str]:
    """Precisions that the processor supports natively, as OpenVINO names them: 'FP32', 'BF16', 'FP16', …"""
    return frozenset(openvino_core().get_property("CPU", CAPABILITIES))


def inference_precision(precision: str) -> str:
    """The INFERENCE_PRECISION_HINT for a field value.

    Without fp16 instructions, an fp16 graph computes in f32 with its weights rounded to fp16. Given f16 on such a processor, OpenVINO
    would use bf16 where available, which is another precision.
    """
    if precision == "fp16" and "FP16" not in _capabilities():
        return INFERENCE_PRECISION["fp32"]
    return INFERENCE_PRECISION[precision]


@cache
def _say_fp32() -> None:
    """The runtime, created once per process."""
    console.warn(
        "this processor has no fp16 instructions: the fp16 graph (weights rounded to fp16) runs in fp32; "
        "the accuracy is that of the rounded weights, the speed that of fp32"
    )


class OpenVinoStream:
    """A stream: one infer request."""

    def __init__(self, request: Any, outputs: Sequence[str]) -> None:
        self._request = request
        self._outputs = outputs

    def infer(self, inputs: Arrays) -> Arrays:
        """Run one batch; the outputs are views that the next call on this stream overwrites."""
        result = self._request.infer(dict(inputs), share_inputs=True, share_outputs=True)
        return {name: result[i] for i, name in enumerate(self._outputs)}


class OpenVinoEngine:
    """A compiled model."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self.inputs: Sequence[str] = [port.get_any_name() for port in compiled.inputs]
        self.outputs: Sequence[str] = [port.get_any_name() for port in compiled.outputs]

    def runtime_model(self) -> Any:
        """The openvino.Model that is computed: fused nodes with their kernels and precisions."""
        return self._compiled.get_runtime_model()

    def stream(self) -> OpenVinoStream:
        """A new stream with its own infer request."""
        return OpenVinoStream(self._compiled.create_infer_request(), self.outputs)


class OpenVino(Backend):
    """The OpenVINO backend."""

    name = "openvino"
    label = "OpenVINO"
    runtime_key = "openvino_version"
    device = "CPU"
    makes_precision = False
    reads = (READS,)

    def version(self) -> str:
        """The installed package's version."""
        return package_version("openvino")

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The precision; everything else is set at load time."""
        precision = READS.of(values)["precision"]
        if precision not in INFERENCE_PRECISION:
            raise UsageError(
                f"OpenVINO on a processor does not support {precision}",
                "it computes in " + ", ".join(INFERENCE_PRECISION),
                "choose one with --precision=…",
            )
        if precision == "bf16" and not detect().isa & {"avx512_bf16", "amx_bf16"}:
            raise UsageError(
                "this processor has no bf16 instructions",
                "OpenVINO would compute in fp32 instead, but the result would be labelled bf16",
                "run with --precision=fp32",
            )
        hint = inference_precision(precision)
        if hint != INFERENCE_PRECISION[precision]:
            _say_fp32()
        return {"precision": precision, "inference_precision_hint": hint}

    def device_identity(self) -> str:
        """The processor's instruction sets, which a compiled blob depends on."""
        return "CPU " + " ".join(sorted(detect().isa))

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> None:
        """Compile `model` for any batch and length, and write the blob."""
        core = openvino_core()
        try:
            compiled = core.compile_model(core.read_model(str(model)), "CPU", self._properties(READS.of(values)["precision"]))
            blob = compiled.export_model()
        except RuntimeError as error:
            raise RunError(
                f"OpenVINO cannot compile {model}",
                last_words(error),
                "check that the file is a complete ONNX model: run `make download_model` again, or select another with --model_path",
            ) from error
        (folder / "engine.blob").write_bytes(blob.getvalue() if hasattr(blob, "getvalue") else bytes(blob))

    def load(self, folder: Path, spec: EngineSpec) -> OpenVinoEngine:
        """Import the blob for a number of streams and threads.

        OpenVINO prefers the calling thread's NUMA node and keeps the computation on it, whatever cores the thread is bound to.
        """
        core = openvino_core()
        properties = {
            **self._properties(spec.precision),
            "NUM_STREAMS": str(spec.streams),
            "INFERENCE_NUM_THREADS": str(spec.threads),
            "PERFORMANCE_HINT": "THROUGHPUT" if spec.streams > 1 else "LATENCY",
            "ENABLE_CPU_PINNING": "NO",
        }
        try:
            blob = (folder / "engine.blob").read_bytes()
            return OpenVinoEngine(core.import_model(blob, "CPU", properties))
        except (OSError, RuntimeError) as error:
            raise RunError(
                f"OpenVINO cannot load the engine {folder.name}",
                last_words(error),
                "rebuild it: make generate_engines RUN_ARGS='… --force_build'",
            ) from error

    @staticmethod
    def _properties(precision: str) -> dict[str, str]:
        return {"INFERENCE_PRECISION_HINT": inference_precision(precision)}


BACKEND = OpenVino()

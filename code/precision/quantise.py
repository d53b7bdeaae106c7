"""Quantises an fp32 graph to an int8 Q/DQ graph with NNCF's ONNX back end (post-training quantisation).

The preset is symmetric: TensorRT requires zero points of zero. Weights have a scale per output channel, activations one per tensor.
Products of two activations (in attention) are never quantised: TensorRT fuses attention in fp16 without storing its scores, which
Q/DQ nodes in between would prevent, and there are no weights to shrink.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.backends.base import missing_sdk
from code.common import console
from code.common.errors import RunError, last_words
from code.precision.samples import Samples

NO_TELEMETRY = "NNCF_CI"
"""Environment variable that disables NNCF's telemetry."""


def quantise(model: Any, samples: Samples, ignored: Sequence[str], label: str) -> Any:
    """The quantised ModelProto.

    Args:
        model: fp32 ModelProto.
        ignored: names of nodes that stay in fp32.

    Raises:
        MissingError: NNCF is not installed.
        RunError: NNCF cannot quantise the graph.
    """
    nncf = _nncf()

    def feed(batch: NDArray[np.int64]) -> Mapping[str, NDArray[Any]]:
        bar.advance(len(batch))
        return samples.source.inputs(batch)

    products = activation_products(model)
    names = [*products, *ignored]
    scope = nncf.IgnoredScope(names=names) if names else None
    with console.Progress(label, None, "samples read") as bar, _quiet():
        try:
            return nncf.quantize(
                model,
                nncf.Dataset(samples.calibration, feed),
                preset=nncf.QuantizationPreset.PERFORMANCE,
                model_type=nncf.ModelType.TRANSFORMER if products else None,
                subset_size=len(samples.calibration),
                ignored_scope=scope,
            )
        except Exception as error:
            raise RunError(
                "NNCF cannot quantise the graph",
                last_words(error),
                "run with --precision=fp16, or pass a quantised model with --model_path",
            ) from error


def activation_products(model: Any) -> list[str]:
    """Names of the matrix products without a constant operand."""
    constant = {i.name for i in model.graph.initializer}
    for node in model.graph.node:
        if all(name in constant for name in node.input if name):
            constant |= set(node.output)
    products = [node for node in model.graph.node if node.op_type == "MatMul" and not constant & set(node.input)]
    return [node.name for node in products if node.name]


def _nncf() -> Any:
    os.environ.setdefault(NO_TELEMETRY, "1")
    try:
        import nncf
    except ImportError as error:
        raise missing_sdk("nncf", "calibration", error) from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress NNCF's progress bars on standard output; the console shows its own."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield

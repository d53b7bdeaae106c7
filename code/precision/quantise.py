"""Quantises an fp32 graph to an int8 Q/DQ graph: layers with weights with NNCF, attention and residual additions by pattern.

The preset is symmetric: TensorRT requires zero points of zero. Weights have a scale per output channel, activations one per tensor.
NNCF skips products of two activations and residual additions; their Q/DQ pairs are inserted where TensorRT fuses them
(code/precision/pattern.py).
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from code.backends.base import missing_sdk
from code.common import console
from code.common.errors import RunError, last_words
from code.precision.fold import fold_smoothing
from code.precision.pairs import insert, places, ranges
from code.precision.pattern import FUSED, Pattern, is_product
from code.precision.samples import Samples
from code.precision.view import View
from code.precision.weights import Weights, exact_weights, rounded_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NO_TELEMETRY = "NNCF_CI"
"""Environment variable that disables NNCF's telemetry."""


@dataclass(frozen=True)
class Quantised:
    """An int8 graph whose scales are as calibration found them, and the fp32 values of its weights."""

    model: Any
    weights: Weights

    def rounded(self, precision: str = "int8") -> Any:
        """The ModelProto in 'int8' or 'fp8', its weights rounded once from fp32 by scales that fp16 holds."""
        return rounded_weights(self.model, self.weights, precision)


def quantise(
    model: Any,
    samples: Samples,
    ignored: Sequence[str],
    label: str,
    pattern: Pattern = FUSED,
    precision: str = "int8",
    shares: Mapping[str, float] | None = None,
) -> Quantised:
    """Quantise a model to int8.

    Args:
        model: fp32 ModelProto whose nodes have names, its scale folded where the pattern says so (`fold.fold_scale`).
        ignored: names of nodes that stay in fp32.
        precision: what the graph will be rounded to; it decides which heads can be quantised.
        shares: softmax node → the range of its Q/DQ pair, where that is not 1.

    Raises:
        MissingError: NNCF is not installed.
        RunError: NNCF cannot quantise the graph.
    """
    made = _by_nncf(model, samples, ignored, label)
    weights = exact_weights(model, made)
    if pattern.attention_pairs:
        fold_smoothing(made.graph, weights)
    wanted = places(made, pattern, precision, ignored, shares)
    with console.Progress(f"{label}: attention", samples.count, "samples read") as bar:

        def batches() -> Iterator[Mapping[str, NDArray[Any]]]:
            for batch in samples.calibration:
                bar.advance(len(batch))
                yield samples.source.inputs(batch)

        most = ranges(made, wanted, batches())
    insert(made, wanted, most)
    return Quantised(made, weights)


def _by_nncf(model: Any, samples: Samples, ignored: Sequence[str], label: str) -> Any:
    nncf = require()

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
    view = View(model.graph)
    return [node.name for node in model.graph.node if node.name and is_product(view, node)]


def require() -> Any:
    """NNCF, which sends no telemetry. MissingError where it is not installed."""
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

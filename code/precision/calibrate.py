"""Calibrates a graph so that it keeps the required share of the fp32 score.

First, everything in the preset is quantised. If that misses the target, the costliest layers are left unquantised: one, two,
four, … of them, until the target is met or the list ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from code.benchmarks.benchmark import BenchmarkDefinition
from code.common import console
from code.common.errors import RunError
from code.precision import quantise, score, sensitivity
from code.precision.centre import CENTRED, centre, is_centred
from code.precision.convert import REST, convert
from code.precision.fold import fold_scale
from code.precision.pattern import FUSED, Pattern
from code.precision.report import Report, Trial
from code.precision.samples import Samples
from code.precision.split import SPLIT, is_split, split
from code.precision.view import named

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_HIGH = 0.5
"""Maximum share of layers kept in higher precision; beyond it, another precision is the better choice."""

REWRITTEN_WITH = 64
"""How many of the calibration samples constants and ranges per channel are taken from."""

T = TypeVar("T")


def calibrate(
    definition: BenchmarkDefinition,
    values: Mapping[str, Any],
    file: Path,
    model: Any,
    precision: str,
    samples: Samples,
    share: float,
    out: Path,
    pattern: Pattern = FUSED,
) -> Report:
    """Write the quantised graph, its attention and residual additions in `pattern`, to `out`.

    Raises:
        MissingError: NNCF is not installed.
        RunError: the model's fp32 score is zero, or the target cannot be met.
    """
    quantise.require()  # before minutes of scoring
    scoring = len(samples.scoring) > 0
    metric, reference = _reference(definition, values, file, samples) if scoring else ("", None)
    report = Report(definition.name, precision, metric, file.name, samples.origin, reference, share, len(samples.scoring))
    whole = fold_scale(model) if pattern.scale_folded else named(model)
    shares: Mapping[str, float] = {}
    if pattern.attention_pairs:
        whole, found = _rewritten(whole, samples, f"{definition.name} {precision} calibration: ranges", centre)
        if precision == "int8":
            shares = found
            whole, report.split = _rewritten(whole, samples, f"{definition.name} {precision} calibration: channels", split)
    kept: list[str] = []
    ranking: list[str] | None = None
    while True:
        label = f"{definition.name} {precision} calibration"
        quantised = quantise.quantise(whole, samples, kept, label, pattern, precision, shares)
        if ranking is None:
            measured = sensitivity.MEASURED_LAYERS if scoring else 0
            report.tensors, report.layers = sensitivity.measure(whole, quantised.rounded(), quantised.weights, samples, measured)
            ranking = [row.name for row in report.layers]
        _write(quantised.rounded(precision), pattern, out, report, whole)
        trial = _trial(definition, values, out, precision, samples, kept, reference)
        report.trials.append(trial)
        console.say(report.verdict())
        if trial.share is None or trial.share >= share:
            return report
        wanted = max(1, 2 * len(kept))
        if wanted > MOST_HIGH * len(ranking):
            raise _missed(report, definition, precision)
        kept = ranking[:wanted]


def _rewritten(model: Any, samples: Samples, label: str, rewrite: Callable[..., tuple[Any, T]]) -> tuple[Any, T]:
    """A model as `centre` or `split` rewrites it, and what that returns with it."""
    chosen = np.concatenate(samples.calibration)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(REWRITTEN_WITH, len(chosen))).astype(int)]
    with console.Progress(label, len(chosen), "samples read") as bar:

        def batches() -> Iterator[Mapping[str, NDArray[Any]]]:
            for index in chosen:
                bar.advance(1)
                yield samples.source.inputs(np.asarray([index], dtype=np.int64))

        return rewrite(model, batches(), [int(samples.source.lengths[index]) for index in chosen])


def _reference(definition: BenchmarkDefinition, values: Mapping[str, Any], file: Path, samples: Samples) -> tuple[str, float]:
    scores = score.reference_score(definition, values, file, samples)
    metric, reference = next(iter(scores.items()))
    if reference <= 0:
        raise RunError(
            f"{file} scores {metric} {reference} in fp32",
            "the score of a quantised graph cannot be compared with zero",
            "use a trained model, or add --calib_score_samples=0 to quantise without a score",
        )
    return metric, reference


def _write(quantised: Any, pattern: Pattern, out: Path, report: Report, rewritten: Any) -> None:
    import onnx

    made = convert(quantised, REST, softmax_casts=pattern.softmax_casts)
    report.float_nodes = {operator: len(names) for operator, names in sorted(made.high.items())}
    props = {key: "1" for key, done in ((CENTRED, is_centred(rewritten)), (SPLIT, is_split(rewritten))) if done}
    if props:
        onnx.helper.set_model_props(made.model, props)
    onnx.save(made.model, str(out))


def _trial(
    definition: BenchmarkDefinition,
    values: Mapping[str, Any],
    graph: Path,
    precision: str,
    samples: Samples,
    kept: Sequence[str],
    reference: float | None,
) -> Trial:
    if reference is None:
        return Trial(list(kept), None, None)
    scores = score.score(definition, values, graph, precision, samples, f"{definition.name} {precision} score")
    value = next(iter(scores.values()))
    return Trial(list(kept), value, value / reference)


def _missed(report: Report, definition: BenchmarkDefinition, precision: str) -> RunError:
    best = max(report.trials, key=lambda t: t.share or 0.0)
    return RunError(
        f"{definition.name} in {precision} does not reach {100 * report.target:g} % of its fp32 score",
        f"the best of {len(report.trials)} graphs reaches {100 * (best.share or 0):.2f} % with {len(best.kept)} layers in {REST}; "
        f"the layers with the largest loss are {', '.join(row.name for row in report.layers[:3])}",
        f"run with --precision={REST}, or calibrate with more samples (--calib_max_batches)",
    )

"""What a GPT-J accuracy log scores, and the least that passes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.benchmarks.gptj import facts, inputs
from code.benchmarks.gptj.checkpoint import open_checkpoint
from code.benchmarks.gptj.generation import asked
from code.benchmarks.text.printed import as_printed
from code.common.constants import AccuracyTarget
from code.common.errors import UsageError
from code.common.files import write_json
from code.fields.consumer import Consumer
from code.results.accuracy import AccuracyResult

if TYPE_CHECKING:
    from code.benchmarks.text.bound import RougeBound, Texts
    from code.benchmarks.text.sentences import Splitter

LENGTH_SHARE = 0.9
"""GEN_LEN must reach this share of the reference's, whatever the accuracy target."""
SCORED = ("ROUGE1", "ROUGE2", "ROUGEL")

READS = Consumer("gptj", ("accuracy_reference",), benchmarks=(facts.NAME,))


def check(log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
    """ROUGE and GEN_LEN against their targets; accuracy.txt holds them as the reference's evaluation prints them."""
    scores = _scores(log_dir, values, complete=True)
    write_json(log_dir / "accuracy.json", scores)
    (log_dir / "accuracy.txt").write_text(as_printed(scores), encoding="utf-8")
    return [AccuracyResult(name, scores[name], threshold) for name, threshold in _targets(values, target).items()]


def partial(log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
    """The scores of the samples that an audit run logged, and the text that accuracy.txt would have."""
    scores = _scores(log_dir, values, complete=False)
    return {name: scores[name] for name in facts.METRICS}, as_printed(scores)


def bound(values: Mapping[str, Any], target: AccuracyTarget, count: int) -> RougeBound:
    """What a run over `count` samples can still score."""
    from code.benchmarks.gptj import accuracy
    from code.benchmarks.text.bound import RougeBound

    sources, entries = inputs.sources(values), _entries(values)

    def texts(log_dir: Path) -> Texts:
        made = inputs.preprocessed(values)
        return accuracy.texts(log_dir, made, sources.data, sources.vocabulary, entries_of_model=entries, complete=False)

    return RougeBound(texts, _splitter(values), count, _targets(values, target), {})


def _scores(log_dir: Path, values: Mapping[str, Any], complete: bool) -> dict[str, float]:
    from code.benchmarks.gptj import accuracy

    sources = inputs.sources(values)
    return accuracy.check(
        log_dir,
        inputs.preprocessed(values),
        sources.data,
        sources.vocabulary,
        _splitter(values),
        entries_of_model=_entries(values),
        complete=complete,
    )


def _splitter(values: Mapping[str, Any]) -> Splitter:
    from code.benchmarks.text import sentences

    return sentences.splitter(facts.NAME, inputs.is_reference(values))[0]


def _entries(values: Mapping[str, Any]) -> int:
    """Size of the model's output layer; 0 where there is no model."""
    model = inputs.sources(values).model
    return int(open_checkpoint(model).config["vocab_size"]) if model.is_dir() else 0


def _targets(values: Mapping[str, Any], target: AccuracyTarget) -> dict[str, float]:
    """Metric → the least that passes."""
    read = READS.of(values)
    if inputs.is_reference(values):
        return dict(facts.TARGETS[target.name])
    if inputs.is_tiny(values):
        from code.benchmarks.gptj import tiny

        record = json.loads(tiny.RECORD.read_text(encoding="utf-8"))
        beams = asked(values)["num_beams"] or facts.NUM_BEAMS
        scores = record["scores"].get(f"beams_{beams}", record["scores"][f"beams_{facts.NUM_BEAMS}"])
        return {**{n: scores[n] * target.value for n in SCORED}, "GEN_LEN": scores["GEN_LEN"] * LENGTH_SHARE}
    if read["accuracy_reference"] is None:
        raise UsageError(
            "there is no reference ROUGE for this model and data",
            "the targets are a share of the fp32 score, and the model or the data are not the benchmark's",
            "add --accuracy_reference=ROUGE1 with the fp32 score",
        )
    return {"ROUGE1": float(read["accuracy_reference"]) * target.value}

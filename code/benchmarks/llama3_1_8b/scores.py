"""What an accuracy log of Llama 3.1 8B scores, and the bounds that it must keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.benchmarks.llama3_1_8b import facts, inputs
from code.benchmarks.llama3_1_8b.checkpoint import open_checkpoint
from code.benchmarks.text.printed import as_printed
from code.common import jsonfile
from code.common.constants import AccuracyTarget
from code.common.errors import UsageError
from code.common.files import write_json
from code.fields.consumer import Consumer
from code.results.accuracy import AccuracyResult
from code.rules.benchmark_facts import BenchmarkFacts, Target

if TYPE_CHECKING:
    from code.benchmarks.text.bound import RougeBound, Texts
    from code.benchmarks.text.sentences import Splitter

READS = Consumer("llama3.1-8b", ("accuracy_reference",), benchmarks=(facts.NAME, facts.EDGE_NAME))


def check(of: BenchmarkFacts, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
    """ROUGE and GEN_LEN against their bounds; accuracy.txt holds them as the reference's evaluation prints them."""
    scores = _scores(of, log_dir, values, complete=True)
    write_json(log_dir / "accuracy.json", scores)
    (log_dir / "accuracy.txt").write_text(as_printed(scores), encoding="utf-8")
    return list(_judged(scores, _target(of, values, target)))


def _judged(scores: Mapping[str, float], target: Target) -> Iterator[AccuracyResult]:
    for name, least in target.least.items():
        yield AccuracyResult(name, scores[name], least)
    for name, most in target.most.items():
        yield AccuracyResult(name, scores[name], most, higher_is_better=False)


def partial(of: BenchmarkFacts, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
    """The scores of the samples that an audit run logged, and the text that accuracy.txt would have."""
    scores = _scores(of, log_dir, values, complete=False)
    return {name: scores[name] for name in facts.REFERENCE}, as_printed(scores)


def bound(of: BenchmarkFacts, values: Mapping[str, Any], target: AccuracyTarget, count: int) -> RougeBound:
    """What a run over `count` samples can still score."""
    from code.benchmarks.llama3_1_8b import accuracy
    from code.benchmarks.text.bound import RougeBound

    sources, entries = inputs.sources(of, values), _entries(of, values)

    def texts(log_dir: Path) -> Texts:
        made = inputs.preprocessed(of, values)
        return accuracy.texts(of.name, log_dir, made, sources.data, sources.vocabulary, entries_of_model=entries, complete=False)

    named = _target(of, values, target)
    return RougeBound(texts, _splitter(of, values), count, named.least, named.most)


def _scores(of: BenchmarkFacts, log_dir: Path, values: Mapping[str, Any], complete: bool) -> dict[str, float]:
    from code.benchmarks.llama3_1_8b import accuracy

    sources = inputs.sources(of, values)
    return accuracy.check(
        of.name,
        log_dir,
        inputs.preprocessed(of, values),
        sources.data,
        sources.vocabulary,
        _splitter(of, values),
        entries_of_model=_entries(of, values),
        complete=complete,
    )


def _splitter(of: BenchmarkFacts, values: Mapping[str, Any]) -> Splitter:
    from code.benchmarks.text import sentences

    return sentences.splitter(of.name, inputs.is_reference(values))[0]


def _entries(of: BenchmarkFacts, values: Mapping[str, Any]) -> int:
    """Size of the model's output layer; 0 where there is no model."""
    model = inputs.sources(of, values).model
    return int(open_checkpoint(model).config["vocab_size"]) if model.is_dir() else 0


def _target(of: BenchmarkFacts, values: Mapping[str, Any], target: AccuracyTarget) -> Target:
    """The bounds: the round's, or for the tiny model the same shares of its recorded scores."""
    read = READS.of(values)
    named = of.targets[target.name]
    if inputs.is_reference(values):
        return named
    if inputs.is_tiny(values):
        from code.benchmarks.llama3_1_8b import tiny

        recorded = jsonfile.read(tiny.RECORD)["scores"]
        scores = {name: float(recorded[name]) for name in facts.REFERENCE}
        scores[facts.LENGTH] *= of.samples / recorded["GEN_NUM"]  # a sum over the samples that were recorded
        return facts.target(named.full_name, scores, target.value)
    if read["accuracy_reference"] is None:
        raise UsageError(
            "there is no reference ROUGE for this model and data",
            "the targets are a share of the bf16 score, and the model or the data are not the benchmark's",
            "add --accuracy_reference=ROUGE1 with the score of the unquantised model",
        )
    return Target(named.full_name, {"ROUGE1": float(read["accuracy_reference"]) * target.value})

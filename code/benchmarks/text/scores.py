"""What an accuracy log of generated texts scores, and the bounds that it must keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.benchmarks.text import inputs
from code.benchmarks.text.parts import TextParts
from code.benchmarks.text.printed import as_printed
from code.common.constants import AccuracyTarget
from code.common.errors import UsageError
from code.common.files import write_json
from code.fields.consumer import Consumer
from code.results.accuracy import AccuracyResult
from code.rules.benchmark_facts import Target
from code.rules.benchmarks import of_family

if TYPE_CHECKING:
    from code.benchmarks.text.bound import RougeBound, Texts
    from code.benchmarks.text.sentences import Splitter

READS = Consumer("benchmarks that generate text", ("accuracy_reference",), benchmarks=of_family("text"))


def check(of: TextParts, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
    """ROUGE and GEN_LEN against their bounds; accuracy.txt holds them as the reference's evaluation prints them."""
    scores = _scores(of, log_dir, values, complete=True)
    write_json(log_dir / "accuracy.json", scores)
    (log_dir / "accuracy.txt").write_text(as_printed(scores), encoding="utf-8")
    return list(judged(scores, _target(of, values, target)))


def judged(scores: Mapping[str, float], target: Target) -> Iterator[AccuracyResult]:
    """Each bound of a target with the score that it is for."""
    for name, least in target.least.items():
        yield AccuracyResult(name, scores[name], least)
    for name, most in target.most.items():
        yield AccuracyResult(name, scores[name], most, higher_is_better=False)


def partial(of: TextParts, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
    """The scores of the samples that an audit run logged, and the text that accuracy.txt would have."""
    scores = _scores(of, log_dir, values, complete=False)
    lowest = next(iter(of.facts.targets.values()))
    return {name: scores[name] for name in dict.fromkeys((*lowest.least, *lowest.most))}, as_printed(scores)


def bound(of: TextParts, values: Mapping[str, Any], target: AccuracyTarget, count: int) -> RougeBound:
    """What a run over `count` samples can still score."""
    from code.benchmarks.text import accuracy
    from code.benchmarks.text.bound import RougeBound

    named, entries = inputs.sources(of, values), _entries(of, values)

    def texts(log_dir: Path) -> Texts:
        made = inputs.preprocessed(of, values)
        return accuracy.texts(of, log_dir, made, named.data, named.vocabulary, entries_of_model=entries, complete=False)

    wanted = _target(of, values, target)
    return RougeBound(texts, _splitter(of, values), count, wanted.least, wanted.most)


def _scores(of: TextParts, log_dir: Path, values: Mapping[str, Any], complete: bool) -> dict[str, float]:
    from code.benchmarks.text import accuracy

    named = inputs.sources(of, values)
    return accuracy.check(
        of,
        log_dir,
        inputs.preprocessed(of, values),
        named.data,
        named.vocabulary,
        _splitter(of, values),
        entries_of_model=_entries(of, values),
        complete=complete,
    )


def _splitter(of: TextParts, values: Mapping[str, Any]) -> Splitter:
    from code.benchmarks.text import sentences

    return sentences.splitter(of.facts.name, inputs.is_reference(values))[0]


def _entries(of: TextParts, values: Mapping[str, Any]) -> int:
    """Size of the model's output layer; 0 where there is no model."""
    model = inputs.sources(of, values).model
    return int(of.open_model(model).config["vocab_size"]) if model.is_dir() else 0


def _target(of: TextParts, values: Mapping[str, Any], target: AccuracyTarget) -> Target:
    """The bounds: the round's, or for the tiny model the same shares of its recorded scores."""
    read = READS.of(values)
    named = of.facts.targets[target.name]
    if inputs.is_reference(values):
        return named
    if inputs.is_tiny(values):
        return of.recorded_target(values, target)
    if read["accuracy_reference"] is None:
        raise UsageError(
            "there is no reference ROUGE for this model and data",
            f"the targets are a share of the {of.unquantised} score, and the model or the data are not the benchmark's",
            f"add --accuracy_reference=ROUGE1 with the {of.unquantised} score",
        )
    return Target(named.full_name, {"ROUGE1": float(read["accuracy_reference"]) * target.value})

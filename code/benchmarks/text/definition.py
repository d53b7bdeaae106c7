"""A benchmark of summaries, made of its parts (the protocol is in code/benchmarks/benchmark.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.backends.generators.text import TextDefinition
from code.benchmarks.benchmark import BenchmarkDefinition, Check, Downloads
from code.benchmarks.text import checks, data, generating, inputs, scores
from code.benchmarks.text.parts import TextParts
from code.benchmarks.text.punkt_model import PUNKT
from code.common import console
from code.common.constants import AccuracyTarget
from code.results.accuracy import AccuracyBound, AccuracyResult

GRAPH_VERSION = 1
"""Version of the conversion; increment it when the same model gives another graph."""


class TextBenchmark(TextParts, BenchmarkDefinition, TextDefinition):
    """News summarisation on CNN/DailyMail; a subclass brings the model, its tokenizer and its prompt."""

    reads = (inputs.READS, scores.READS, generating.WEIGHTS, generating.BEAMS, generating.LENGTHS)

    def open_reason(self, values: Mapping[str, Any]) -> str:
        """Why a result with these values is for the open division only; '' where it need not be."""
        return generating.open_reason(self.text, values)

    def import_data(self, source: Path) -> None:
        """Make the reference's data set from a local file (--cnndm_source)."""
        data.import_data(self, source)

    def downloads(self, variant: str) -> Downloads:
        """The data set and the sentence model."""
        return (data.published(self), PUNKT) if variant == "reference" else ()

    def verify(self, values: Mapping[str, Any]) -> Iterator[Check]:
        """The data set and its count, the sentence model, the checkpoint's files, and the prompts."""
        yield from checks.everything(self, values)

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Generate the tiny set where it is wanted, tokenise what is not tokenised, and check that tokenizer and model fit."""
        reason = self.open_reason(values)
        if reason:
            console.warn(f"{self.name}: this run is for the open division only: {reason}")
        inputs.prepare(self, values)

    def model(self, values: Mapping[str, Any]) -> Path:
        """The model's folder."""
        return inputs.model(self, values)

    def dataset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The prompts; responses are int32 [n], the generated token ids."""
        prompts = self.stored.load(inputs.preprocessed(self, values))
        return {
            "kind": "prompts",
            "folder": str(prompts.folder),
            "count": len(prompts),
            "usual_count": self.facts.samples,
            "tokens": "tokens.npy",
            "offsets": "offsets.npy",
            "lengths": "lengths.npy",
            "positions": self.open_model(self.model(values)).positions,
            "generation": generating.generation(self.text, values, self.ends(values, prompts)),
            **({"use_token_latencies": True} if self.token_latencies else {}),
        }

    @property
    def graph_version(self) -> int:
        """Version of the conversion."""
        return GRAPH_VERSION

    def num_beams(self, values: Mapping[str, Any]) -> int | None:
        """Width of the beam search where the workload says one."""
        return generating.beams(values)

    def to_openvino(self, model: Path, precision: str, folder: Path, candidates: int) -> dict[str, Any]:
        """Write the model in OpenVINO's format as it was exported; a greedy search needs no candidates."""
        from code.benchmarks.text import export

        return export.to_openvino(self.open_model(model), precision, folder)

    def check_accuracy(self, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
        """ROUGE and GEN_LEN against their bounds; accuracy.txt holds them as the reference's evaluation prints them."""
        return scores.check(self, log_dir, values, target)

    def partial_scores(self, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
        """The scores of the samples that an audit run logged."""
        return scores.partial(self, log_dir, values)

    def accuracy_bound(self, values: Mapping[str, Any], target: AccuracyTarget, count: int) -> AccuracyBound:
        """ROUGE if every summary left were its reference."""
        return scores.bound(self, values, target, count)

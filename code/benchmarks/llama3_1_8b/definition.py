"""Llama 3.1 8B as a benchmark of the harness, for either of its two forms (the protocol is in code/benchmarks/benchmark.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.backends.generators.text import TextDefinition
from code.benchmarks.benchmark import BenchmarkDefinition, Check, Downloads
from code.benchmarks.llama3_1_8b import checks, data, generation, inputs, scores
from code.benchmarks.llama3_1_8b.checkpoint import Checkpoint, open_checkpoint
from code.common import console
from code.common.constants import AccuracyTarget
from code.results.accuracy import AccuracyBound, AccuracyResult
from code.rules.benchmark_facts import BenchmarkFacts

GRAPH_VERSION = 1
"""Version of the conversion; increment it when the same model gives another graph."""


class Llama(BenchmarkDefinition, TextDefinition):
    """Llama 3.1 8B on the data set of its facts."""

    reads = (inputs.READS, scores.READS, generation.WEIGHTS, generation.BEAMS, generation.LENGTHS)

    def __init__(self, facts: BenchmarkFacts) -> None:
        self.facts = facts

    def open_reason(self, values: Mapping[str, Any]) -> str:
        """Why a result with these values is for the open division only; '' where it need not be."""
        return generation.open_reason(values)

    def download_data(self, variant: str) -> None:
        """CNN/DailyMail, fetched or generated."""
        data.download_data(self.facts, variant)

    def import_data(self, source: Path) -> None:
        """Make the reference's data set from a local file (--cnndm_source)."""
        data.import_data(self.facts, source)

    def downloads(self, variant: str) -> Downloads:
        """The data set and the sentence model; the checkpoint is behind a gate, so that nothing here fetches it."""
        return (data.data_file(self.facts), data.PUNKT) if variant == "reference" else ()

    def verify(self, values: Mapping[str, Any]) -> Iterator[Check]:
        """The data set and its count, the sentence model, the checkpoint's files, and the prompts."""
        own = {"model_path": None, "data_path": None, "vocab_path": None, "cnndm_source": None}
        yield from checks.everything(self.facts, {**values, **own})

    def download_model(self, variant: str) -> None:
        """Check that the checkpoint and its tokenizer are there."""
        data.download_model(self.facts, variant)

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Generate the tiny set where it is wanted, tokenise what is not tokenised, and check that tokenizer and model fit."""
        reason = self.open_reason(values)
        if reason:
            console.warn(f"{self.name}: this run is for the open division only: {reason}")
        inputs.prepare(self.facts, values)

    def model(self, values: Mapping[str, Any]) -> Path:
        """The model's folder."""
        return inputs.model(self.facts, values)

    def dataset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The prompts; responses are int32 [n], the generated token ids."""
        from code.benchmarks.llama3_1_8b import preprocess, tokenizer

        prompts = preprocess.load(self.name, inputs.preprocessed(self.facts, values))
        checkpoint = open_checkpoint(self.model(values))
        ends = tokenizer.read(inputs.sources(self.facts, values).vocabulary).ends
        return {
            "kind": "prompts",
            "folder": str(prompts.folder),
            "count": len(prompts),
            "usual_count": self.facts.samples,
            "tokens": "tokens.npy",
            "offsets": "offsets.npy",
            "lengths": "lengths.npy",
            "positions": checkpoint.positions,
            "generation": generation.generation(values, ends),
            "use_token_latencies": True,
        }

    @property
    def graph_version(self) -> int:
        """Version of the conversion; increment it when the same model gives another graph."""
        return GRAPH_VERSION

    def num_beams(self, values: Mapping[str, Any]) -> int | None:
        """Width of the beam search where the workload says one."""
        return generation.beams(values)

    def open_model(self, folder: Path) -> Checkpoint:
        """The checkpoint in `folder`, or the model exported from it."""
        return open_checkpoint(folder)

    def to_openvino(self, model: Path, precision: str, folder: Path, candidates: int) -> dict[str, Any]:
        """Write the model in OpenVINO's format as it was exported; a greedy search needs no candidates."""
        from code.benchmarks.text import export

        return export.to_openvino(open_checkpoint(model), precision, folder)

    def check_accuracy(self, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
        """ROUGE and GEN_LEN against their bounds; accuracy.txt holds them as the reference's evaluation prints them."""
        return scores.check(self.facts, log_dir, values, target)

    def partial_scores(self, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
        """The scores of the samples that an audit run logged."""
        return scores.partial(self.facts, log_dir, values)

    def accuracy_bound(self, values: Mapping[str, Any], target: AccuracyTarget, count: int) -> AccuracyBound:
        """ROUGE if every summary left were its reference."""
        return scores.bound(self.facts, values, target, count)

"""GPT-J: news summarisation on CNN/DailyMail (the protocol is in code/benchmarks/benchmark.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.backends.generators.text import TextDefinition
from code.benchmarks.benchmark import BenchmarkDefinition, Check, Downloads
from code.benchmarks.gptj import checks, data, facts, generation, inputs, scores
from code.benchmarks.gptj.checkpoint import Checkpoint, open_checkpoint
from code.common import console
from code.common.constants import AccuracyTarget
from code.results.accuracy import AccuracyBound, AccuracyResult


class GptJ(BenchmarkDefinition, TextDefinition):
    """GPT-J."""

    facts = facts.FACTS
    reads = (inputs.READS, scores.READS, generation.WEIGHTS, generation.BEAMS, generation.LENGTHS)

    def open_reason(self, values: Mapping[str, Any]) -> str:
        """Why a result with these values is for the open division only; '' where it need not be."""
        return generation.open_reason(values)

    def download_data(self, variant: str) -> None:
        """CNN/DailyMail, fetched or generated."""
        data.download_data(variant)

    def import_data(self, source: Path) -> None:
        """Make the reference's cnn_eval.json from a local file (--cnndm_source)."""
        data.import_data(source)

    def downloads(self, variant: str) -> Downloads:
        """The data set, the sentence model, the calibration list and the checkpoint."""
        return (facts.DATA, data.PUNKT, facts.CALIBRATION, facts.MODEL) if variant == "reference" else ()

    def beside(self, variant: str) -> Downloads:
        """MLCommons' list of the checkpoint's files."""
        return facts.METADATA if variant == "reference" else ()

    def verify(self, values: Mapping[str, Any]) -> Iterator[Check]:
        """The data set and its count, the sentence model, the checkpoint's files, and the prompts."""
        yield from checks.everything({**values, "model_path": None, "data_path": None, "vocab_path": None, "cnndm_source": None})

    def download_model(self, variant: str) -> None:
        """The checkpoint and its vocabulary."""
        data.download_model(variant)

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Generate the tiny set where it is wanted, tokenise what is not tokenised, and check that vocabulary and model fit."""
        reason = self.open_reason(values)
        if reason:
            console.warn(f"gptj: this run is for the open division only: {reason}")
        inputs.prepare(values)

    def model(self, values: Mapping[str, Any]) -> Path:
        """The model's folder."""
        return inputs.model(values)

    def dataset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The prompts; responses are int32 [n], the generated token ids."""
        from code.benchmarks.gptj import preprocess

        prompts = preprocess.load(inputs.preprocessed(values))
        checkpoint = open_checkpoint(self.model(values))
        return {
            "kind": "prompts",
            "folder": str(prompts.folder),
            "count": len(prompts),
            "usual_count": facts.DATASET_SAMPLES,
            "tokens": "tokens.npy",
            "offsets": "offsets.npy",
            "lengths": "lengths.npy",
            "positions": checkpoint.positions,
            "generation": generation.generation(values, prompts.end),
        }

    @property
    def graph_version(self) -> int:
        """Version of the conversion; increment it when the same model gives another graph."""
        from code.benchmarks.gptj import graph

        return graph.VERSION

    def num_beams(self, values: Mapping[str, Any]) -> int | None:
        """Width of the beam search where the workload says one."""
        return generation.beams(values)

    def open_model(self, folder: Path) -> Checkpoint:
        """The checkpoint in `folder`, or the model exported from it."""
        return open_checkpoint(folder)

    def to_openvino(self, model: Path, precision: str, folder: Path, candidates: int) -> dict[str, Any]:
        """Write the model in OpenVINO's format."""
        from code.benchmarks.gptj import graph

        return graph.to_openvino(open_checkpoint(model), precision, folder, candidates)

    def check_accuracy(self, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
        """ROUGE and GEN_LEN against their targets; accuracy.txt holds them as the reference's evaluation prints them."""
        return scores.check(log_dir, values, target)

    def partial_scores(self, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
        """The scores of the samples that an audit run logged."""
        return scores.partial(log_dir, values)

    def accuracy_bound(self, values: Mapping[str, Any], target: AccuracyTarget, count: int) -> AccuracyBound:
        """ROUGE if every summary left were its reference."""
        return scores.bound(values, target, count)


BENCHMARK = GptJ()
"""The definition that code/benchmarks/benchmark.py loads."""

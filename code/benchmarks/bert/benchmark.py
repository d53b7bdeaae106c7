"""BERT: question answering on SQuAD v1.1 (the protocol is in code/benchmarks/benchmark.py)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.benchmarks.benchmark import BenchmarkDefinition, Check, Downloads
from code.benchmarks.bert import checks, data, facts
from code.benchmarks.bert.data import Sources
from code.common import console, paths
from code.common.constants import AccuracyTarget
from code.common.errors import MissingError, UsageError
from code.common.files import write_json
from code.fields.consumer import Consumer
from code.results.accuracy import AccuracyBound, AccuracyResult

READS = Consumer(
    "bert",
    ("model_variant", "model_path", "data_path", "vocab_path", "preprocessed_data_dir", "accuracy_reference"),
    benchmarks=(facts.NAME,),
)


class Bert(BenchmarkDefinition):
    """BERT."""

    facts = facts.FACTS
    reads = (READS,)

    def download_data(self, variant: str) -> None:
        """The SQuAD dev set, fetched or generated."""
        data.download_data(variant)

    def downloads(self, variant: str) -> Downloads:
        """The data set, the vocabulary and both models."""
        return (facts.DEV_SET, *data.MODEL_FILES) if variant == "reference" else ()

    def verify(self, values: Mapping[str, Any]) -> Iterator[Check]:
        """The files, the number of questions, and the arrays against their manifest."""
        yield from super().verify(values)
        yield from checks.arrays(data.sources("reference"), self._preprocessed({**values, "data_path": None, "vocab_path": None}))

    def download_model(self, variant: str) -> None:
        """The ONNX model and the vocabulary."""
        data.download_model(variant)

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Generate the tiny set if it is selected, and tokenise if necessary."""
        read = READS.of(values)
        sources = self._sources(values)
        if read["model_variant"] == "tiny" and not read["data_path"] and not sources.squad_json.is_file():
            data.download_data("tiny")
        _require(sources.squad_json, "data set", "download_data", values, "--data_path")
        _require(sources.vocab, "vocabulary", "download_model", values, "--vocab_path")
        folder = self._preprocessed(values)
        from code.benchmarks.bert import preprocess

        if not preprocess.is_current(folder, sources.squad_json, sources.vocab):
            preprocess.preprocess(sources.squad_json, sources.vocab, folder, progress=lambda step: console.say(f"bert: {step}"))

    def model(self, values: Mapping[str, Any]) -> Path:
        """The ONNX model."""
        return _require(self._sources(values).model, "model", "download_model", values, "--model_path")

    def dataset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The token sequences; responses are float32 [length, 2], start and end logits."""
        from code.benchmarks.bert import preprocess

        folder = self._preprocessed(values)
        count = preprocess.checked(folder).count
        return {
            "kind": "sequence",
            "folder": str(folder),
            "count": count,
            "usual_count": facts.DATASET_SAMPLES,
            "arrays": {name: f"{name}.npy" for name in facts.INPUT_NAMES},
            "lengths": "lengths.npy",
            "outputs": list(facts.OUTPUT_NAMES),
            "input_dtype": "int64",
        }

    def check_accuracy(self, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
        """F1 against its target; accuracy.txt has the official script's output."""
        from code.benchmarks.bert import accuracy

        sources = self._sources(values)
        scores = dict(accuracy.check(log_dir, self._preprocessed(values), sources.squad_json, sources.vocab))
        write_json(log_dir / "accuracy.json", scores)
        text = json.dumps({"exact_match": scores["exact_match"], "f1": scores["F1"]})
        (log_dir / "accuracy.txt").write_text(text + "\n", encoding="utf-8")
        return [AccuracyResult("F1", scores["F1"], self._reference(values) * target.value)]

    def partial_scores(self, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
        """F1 of the samples that an audit run logged; a question without a sample counts as wrong, as in the official script."""
        from code.benchmarks.bert import accuracy

        sources = self._sources(values)
        scores = dict(accuracy.check(log_dir, self._preprocessed(values), sources.squad_json, sources.vocab, complete=False))
        text = json.dumps({"exact_match": scores["exact_match"], "f1": scores["F1"]})
        return {"F1": scores["F1"]}, text + "\n"

    def subset_scores(self, log_dir: Path, values: Mapping[str, Any]) -> dict[str, float]:
        """F1 over the questions of which every sample was answered."""
        from code.benchmarks.bert import accuracy

        sources = self._sources(values)
        folder = self._preprocessed(values)
        scores = accuracy.check(log_dir, folder, sources.squad_json, sources.vocab, complete=False, subset=True)
        return {"F1": dict(scores)["F1"]}

    def accuracy_bound(self, values: Mapping[str, Any], target: AccuracyTarget, count: int) -> AccuracyBound:
        """F1 if every question that is not answered completely were right."""
        from code.benchmarks.bert import accuracy

        threshold = self._reference(values) * target.value
        return accuracy.F1Bound(self._preprocessed(values), self._sources(values).squad_json, threshold)

    def _reference(self, values: Mapping[str, Any]) -> float:
        """The reference fp32 F1; accuracy targets are a share of it."""
        read = READS.of(values)
        if read["accuracy_reference"] is not None:
            return float(read["accuracy_reference"])
        if read["model_path"] or read["data_path"]:
            raise UsageError(
                "no reference F1 is known for this model and data",
                "the targets are a share of the fp32 score, but model_path or data_path selects files other than the benchmark's",
                "add --accuracy_reference=F1 with the fp32 score",
            )
        if read["model_variant"] == "tiny":
            from code.benchmarks.bert import tiny

            return float(json.loads(tiny.RECORD.read_text(encoding="utf-8"))["F1"])
        return facts.REFERENCE_F1

    def _sources(self, values: Mapping[str, Any]) -> Sources:
        read = READS.of(values)
        usual = data.sources(read["model_variant"])
        return Sources(
            squad_json=Path(read["data_path"] or usual.squad_json),
            vocab=Path(read["vocab_path"] or usual.vocab),
            model=Path(read["model_path"] or usual.model),
        )

    def _preprocessed(self, values: Mapping[str, Any]) -> Path:
        """Separate folders for user inputs, so that they never replace the benchmark's."""
        read = READS.of(values)
        root = Path(read["preprocessed_data_dir"] or paths.preprocessed_dir()) / self.name
        if not read["data_path"] and not read["vocab_path"]:
            return root / str(read["model_variant"])
        sources = self._sources(values)
        words = f"{sources.squad_json.absolute()}\n{sources.vocab.absolute()}"
        return root / f"{sources.squad_json.stem}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def _require(path: Path, what: str, target: str, values: Mapping[str, Any], option: str) -> Path:
    read = READS.of(values)
    if not path.is_file():
        command = f"make {target} BENCHMARKS=bert RUN_ARGS=--model_variant={read['model_variant']}"
        raise MissingError(f"bert's {what} does not exist: {path}", "", f"run `{command}`, or select another with {option}=FILE")
    return path


BENCHMARK = Bert()

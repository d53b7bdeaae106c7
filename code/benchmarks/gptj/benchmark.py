"""GPT-J: news summarisation on CNN/DailyMail (the protocol is in code/benchmarks/benchmark.py)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.benchmarks.gptj import data, facts
from code.benchmarks.gptj.checkpoint import Checkpoint, open_checkpoint
from code.benchmarks.gptj.data import Sources
from code.benchmarks.text import TextDefinition
from code.common import console, paths
from code.common.constants import AccuracyTarget
from code.common.errors import MissingError, UsageError
from code.common.files import write_json
from code.fields.consumer import Consumer
from code.results.accuracy import AccuracyResult

LENGTH_SHARE = 0.9
"""GEN_LEN must reach this share of the reference's, whatever the accuracy target."""
SCORED = ("ROUGE1", "ROUGE2", "ROUGEL")

READS = Consumer(
    "gptj",
    (
        "model_variant",
        "model_path",
        "data_path",
        "cnndm_source",
        "vocab_path",
        "preprocessed_data_dir",
        "accuracy_reference",
        "precision",
        "use_int4awq",
    ),
    benchmarks=(facts.NAME,),
)
BEAMS = Consumer("gptj text generation", ("num_beams", "llm_gen_config_path"), engine=True, benchmarks=(facts.NAME,))
LENGTHS = Consumer("gptj text generation", ("min_new_tokens", "max_new_tokens", "llm_gen_config_path"), benchmarks=(facts.NAME,))


class GptJ(TextDefinition):
    """GPT-J."""

    facts = facts.FACTS
    reads = (READS, BEAMS, LENGTHS)

    def open_reason(self, values: Mapping[str, Any]) -> str:
        """Why a result with these values is for the open division only; '' where it need not be."""
        read = READS.of(values)
        fixed = {"num_beams": facts.NUM_BEAMS, "min_new_tokens": facts.MIN_NEW_TOKENS, "max_new_tokens": facts.MAX_NEW_TOKENS}
        for name, value in asked(values).items():
            if value not in (None, fixed[name]):
                return f"{name} is {value}, and the benchmark's is {fixed[name]}"
        return "weights of int4" if read.get("precision") == "int4" or read.get("use_int4awq") else ""

    def download_data(self, variant: str) -> None:
        """CNN/DailyMail, fetched or generated."""
        data.download_data(variant)

    def import_data(self, source: Path) -> None:
        """Make the reference's cnn_eval.json of a local file (--cnndm_source)."""
        data.import_data(source)

    def download_model(self, variant: str) -> None:
        """The checkpoint and its vocabulary."""
        data.download_model(variant)

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Generate the tiny set where it is wanted, tokenise what is not tokenised, and check that vocabulary and model fit."""
        from code.benchmarks.gptj import bpe, preprocess

        reason = self.open_reason(values)
        if reason:
            console.warn(f"gptj: this run is for the open division only: {reason}")
        sources = self._sources(values)
        if self._is_tiny(values) and not sources.data.is_file():
            data.download_data("tiny")
        if not sources.data.is_file():
            raise _missing("data set", sources.data, "download_data", values, "--data_path or --cnndm_source")
        folder = self._preprocessed(values)
        if not preprocess.is_current(folder, sources.data, sources.vocabulary):
            preprocess.preprocess(sources.data, sources.vocabulary, folder, lambda step: console.say(f"gptj: {step}"))
        opened = preprocess.load(folder)
        require_fit(bpe.find(sources.vocabulary)[0], opened.vocabulary, opened.end, open_checkpoint(self.model(values)))

    def model(self, values: Mapping[str, Any]) -> Path:
        """The model's folder."""
        folder = self._sources(values).model
        if not folder.is_dir():
            raise _missing("model", folder, "download_model", values, "--model_path")
        return folder

    def dataset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The prompts; responses are int32 [n], the generated token ids."""
        from code.benchmarks.gptj import preprocess

        prompts = preprocess.load(self._preprocessed(values))
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
            "generation": generation(values, prompts.end),
        }

    @property
    def graph_version(self) -> int:
        """Raised with every change that makes other graphs of the same model."""
        from code.benchmarks.gptj import graph

        return graph.VERSION

    def num_beams(self, values: Mapping[str, Any]) -> int | None:
        """Width of the beam search where the workload says one."""
        return beams(values)

    def open_model(self, folder: Path) -> Checkpoint:
        """The checkpoint in `folder`, or the model exported of it."""
        return open_checkpoint(folder)

    def check_accuracy(self, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
        """ROUGE and GEN_LEN against their targets; accuracy.txt holds them as the reference's evaluation prints them."""
        scores = self._scores(log_dir, values, complete=True)
        write_json(log_dir / "accuracy.json", scores)
        (log_dir / "accuracy.txt").write_text(_as_printed(scores), encoding="utf-8")
        least = self._targets(values, target)
        return [AccuracyResult(name, scores[name], threshold) for name, threshold in least.items()]

    def partial_scores(self, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
        """The scores of the samples that an audit run logged."""
        scores = self._scores(log_dir, values, complete=False)
        return {name: scores[name] for name in facts.METRICS}, _as_printed(scores)

    def _scores(self, log_dir: Path, values: Mapping[str, Any], complete: bool) -> dict[str, float]:
        from code.benchmarks.gptj import accuracy, sentences

        sources = self._sources(values)
        split, _ = sentences.splitter(self._is_reference(values))
        entries = int(open_checkpoint(sources.model).config["vocab_size"]) if sources.model.is_dir() else 0
        return accuracy.check(
            log_dir,
            self._preprocessed(values),
            sources.data,
            sources.vocabulary,
            split,
            entries_of_model=entries,
            complete=complete,
        )

    def _targets(self, values: Mapping[str, Any], target: AccuracyTarget) -> dict[str, float]:
        """Metric → the least that passes."""
        read = READS.of(values)
        if self._is_reference(values):
            return dict(facts.TARGETS[target.name])
        if self._is_tiny(values):
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

    @staticmethod
    def _own(values: Mapping[str, Any]) -> bool:
        read = READS.of(values)
        return bool(read["model_path"] or read["data_path"] or read["vocab_path"] or read["cnndm_source"])

    def _is_tiny(self, values: Mapping[str, Any]) -> bool:
        read = READS.of(values)
        return read["model_variant"] == "tiny" and not self._own(values)

    def _is_reference(self, values: Mapping[str, Any]) -> bool:
        read = READS.of(values)
        return read["model_variant"] == "reference" and not self._own(values)

    def _sources(self, values: Mapping[str, Any]) -> Sources:
        read = READS.of(values)
        usual = data.sources(read["model_variant"])
        if read["data_path"] and read["cnndm_source"]:
            raise UsageError(
                "data_path and cnndm_source both name the data", "one is a cnn_eval.json, the other is made into one", "keep one"
            )
        given = Path(read["data_path"]) if read["data_path"] else None
        if read["cnndm_source"]:
            given = data.from_source(Path(read["cnndm_source"]))
        model = Path(read["model_path"] or usual.model)
        vocabulary = Path(read["vocab_path"] or (model if read["model_path"] else usual.vocabulary))
        return Sources(given or usual.data, vocabulary, model)

    def _preprocessed(self, values: Mapping[str, Any]) -> Path:
        """Own folders for own inputs, so that none replaces the benchmark's."""
        read = READS.of(values)
        root = Path(read["preprocessed_data_dir"] or paths.preprocessed_dir()) / self.name
        if not self._own(values):
            return root / str(read["model_variant"])
        sources = self._sources(values)
        words = f"{sources.data.absolute()}\n{sources.vocabulary.absolute()}"
        return root / f"{sources.data.stem}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"


FROM_FILE = {"runtime_beam_width": "num_beams", "min_output_len": "min_new_tokens", "max_output_len": "max_new_tokens"}
"""Keys of a generation config file as NVIDIA's harness writes it, under "generation_config", and the fields they set."""


def beams(values: Mapping[str, Any]) -> int | None:
    """num_beams as it was set: by the field, else by the file llm_gen_config_path; None where not."""
    read = BEAMS.of(values)
    given = read.get("num_beams")
    found = _from_file(read.get("llm_gen_config_path")).get("num_beams") if given is None else given
    return None if found is None else int(found)


def asked(values: Mapping[str, Any]) -> dict[str, Any]:
    """num_beams, min_new_tokens and max_new_tokens as they were set: by fields, else by the file llm_gen_config_path; None where not."""
    read = LENGTHS.of(values)
    found = _from_file(read.get("llm_gen_config_path"))
    given = {"min_new_tokens": read.get("min_new_tokens"), "max_new_tokens": read.get("max_new_tokens")}
    lengths = {name: found.get(name) if value is None else value for name, value in given.items()}
    return {"num_beams": beams(values), **lengths}


def _from_file(path: str | None) -> dict[str, int]:
    """Field → value of a generation config file; nothing without one."""
    if not path:
        return {}
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        content = content.get("generation_config", content)
        return {name: int(content[key]) for key, name in FROM_FILE.items() if key in content}
    except OSError as error:
        raise MissingError(f"cannot read {path}", error.strerror or str(error), "correct --llm_gen_config_path") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no generation config", str(error), f"it takes {', '.join(FROM_FILE)}") from error


def generation(values: Mapping[str, Any], end: int) -> dict[str, Any]:
    """How texts are generated: the benchmark's way unless fields say otherwise. UsageError for what cannot be."""
    given = asked(values)
    usual = {"num_beams": facts.NUM_BEAMS, "min_new_tokens": facts.MIN_NEW_TOKENS, "max_new_tokens": facts.MAX_NEW_TOKENS}
    beams, least, most = (int(usual[name] if given[name] is None else given[name]) for name in usual)
    for name, value in (("num_beams", beams), ("max_new_tokens", most)):
        if value < 1:
            raise UsageError(f"{name} cannot be {value}", "it is 1 or more", f"leave --{name} out for the benchmark's own")
    if not 0 <= least <= most:
        raise UsageError(
            f"min_new_tokens cannot be {least}", f"it is between 0 and max_new_tokens, which is {most}", "correct one of the two"
        )
    return {"num_beams": beams, "min_new_tokens": least, "max_new_tokens": most, "early_stopping": True, "eos": end}


def require_fit(vocabulary_file: Path, vocabulary: int, end: int, checkpoint: Checkpoint) -> None:
    """UsageError where the vocabulary is not the model's: it has ids that the model lacks, or ends texts with another token."""
    entries, model_end = int(checkpoint.config["vocab_size"]), checkpoint.config.get("eos_token_id")
    why = ""
    if vocabulary > entries:
        why = f"the vocabulary has {vocabulary:,} entries, and the model knows {entries:,}"
    elif model_end is not None and int(model_end) != end:
        why = f"the vocabulary ends a text with token {end}, and the model with {model_end}"
    if why:
        raise UsageError(
            f"{vocabulary_file} is the wrong tokenizer for {checkpoint.folder}", why, "name the model's own with --vocab_path"
        )


def _as_printed(scores: Mapping[str, float]) -> str:
    """The dictionary as the reference's evaluation.py prints it: the official checker reads ROUGE as text and lengths as numbers."""
    printed = {"rouge1": "ROUGE1", "rouge2": "ROUGE2", "rougeL": "ROUGEL", "rougeLsum": "ROUGELSUM"}
    content: dict[str, Any] = {key: str(scores[name]) for key, name in printed.items()}
    content |= {"gen_len": int(scores["GEN_LEN"]), "gen_num": int(scores["GEN_NUM"])}
    return f"\nResults\n\n{content}\n"


def _missing(what: str, path: Path, target: str, values: Mapping[str, Any], option: str) -> MissingError:
    read = READS.of(values)
    command = f"make {target} BENCHMARKS=gptj RUN_ARGS=--model_variant={read['model_variant']}"
    return MissingError(f"gptj's {what} is not there: {path}", "", f"run `{command}`, or name another with {option}=FILE")


BENCHMARK = GptJ()
"""The object that code/benchmarks/benchmark.py finds."""

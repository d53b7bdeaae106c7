"""GPT-J: news summarisation on CNN/DailyMail (the protocol is in code/benchmarks/benchmark.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from code.benchmarks.benchmark import Check, Downloads
from code.benchmarks.gptj import bpe, data, facts
from code.benchmarks.gptj.checkpoint import ARCHITECTURE
from code.benchmarks.gptj.prompt import INSTRUCTION, prompt
from code.benchmarks.text import generating
from code.benchmarks.text.cnndm import Sample
from code.benchmarks.text.definition import TextBenchmark
from code.benchmarks.text.parts import Sources, Vocabulary
from code.benchmarks.text.prompts import Prompts
from code.common.constants import AccuracyTarget
from code.rules.benchmark_facts import Target

LENGTH_SHARE = 0.9
"""GEN_LEN must reach this share of the reference's, whatever the accuracy target."""
SCORED = ("ROUGE1", "ROUGE2", "ROUGEL")
_STORED = Prompts(facts.NAME, facts.MAX_INPUT_TOKENS, {"prompt": hashlib.sha256(prompt("", "").encode()).hexdigest()})


class GptJ(TextBenchmark):
    """GPT-J."""

    facts = facts.FACTS
    architecture = ARCHITECTURE
    stored = _STORED
    instruction = INSTRUCTION
    own_folder = "cnn-daily-mail"

    def variant_sources(self, variant: str) -> Sources:
        """Paths of a variant's files."""
        return data.sources(variant)

    def download_data(self, variant: str) -> None:
        """CNN/DailyMail, fetched or generated."""
        data.download_data(variant)

    def downloads(self, variant: str) -> Downloads:
        """The data set, the sentence model, the calibration list and the checkpoint."""
        return (*super().downloads(variant), facts.CALIBRATION, facts.MODEL) if variant == "reference" else ()

    def beside(self, variant: str) -> Downloads:
        """MLCommons' list of the checkpoint's files."""
        return facts.METADATA if variant == "reference" else ()

    def download_model(self, variant: str) -> None:
        """The checkpoint and its vocabulary."""
        data.download_model(variant)

    def check_published(self) -> Iterator[Check]:
        """The calibration list."""
        yield data.check_calibration()

    def check_model(self, folder: Path) -> str:
        """Every file against MLCommons' list where it is there, else against the digest recorded when it was fetched."""
        return data.check_checkpoint(folder)

    def vocabulary_files(self, place: Path) -> tuple[Path, ...]:
        """The files of the BPE at `place`."""
        return bpe.find(place)

    def open_vocabulary(self, place: Path) -> bpe.Bpe:
        """Open the BPE at `place`."""
        return bpe.read(place)

    def prompt_of(self, sample: Sample) -> str:
        """The model's prompt, with the sample's own instruction."""
        return prompt(sample.article, sample.instruction)

    def texts(self, vocabulary: Vocabulary, ids: Iterable[Sequence[int]]) -> list[str]:
        """The texts as the reference's slow tokenizer gives them, without spaces before punctuation."""
        return bpe.tidy(vocabulary.decode(ids))

    @property
    def graph_version(self) -> int:
        """Version of the conversion; increment it when the same model gives another graph."""
        from code.benchmarks.gptj import graph

        return graph.VERSION

    def to_openvino(self, model: Path, precision: str, folder: Path, candidates: int) -> dict[str, Any]:
        """Write the model in OpenVINO's format."""
        from code.benchmarks.gptj import graph

        return graph.to_openvino(self.open_model(model), precision, folder, candidates)

    def recorded_target(self, values: Mapping[str, Any], target: AccuracyTarget) -> Target:
        """Shares of the tiny model's scores with as many beams."""
        scores = data.recorded_scores(generating.asked(values)["num_beams"] or facts.NUM_BEAMS)
        least = {**{name: scores[name] * target.value for name in SCORED}, "GEN_LEN": scores["GEN_LEN"] * LENGTH_SHARE}
        return Target(self.full_name(target), least)


BENCHMARK = GptJ()
"""The definition that code/benchmarks/benchmark.py loads."""

"""Llama 3.1 8B as a benchmark of the harness, for either of its two forms (the protocol is in code/benchmarks/benchmark.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code.benchmarks.llama3_1_8b import data, facts, tiny, tokenizer
from code.benchmarks.llama3_1_8b.checkpoint import ARCHITECTURE
from code.benchmarks.llama3_1_8b.prompt import INSTRUCTION, prompt
from code.benchmarks.text import inputs
from code.benchmarks.text.cnndm import Sample
from code.benchmarks.text.definition import TextBenchmark
from code.benchmarks.text.parts import Sources
from code.benchmarks.text.prompts import PreprocessedPrompts, Prompts
from code.common import jsonfile
from code.common.constants import AccuracyTarget
from code.rules.benchmark_facts import BenchmarkFacts, Target


class Llama(TextBenchmark):
    """Llama 3.1 8B on the data set of its facts.

    The checkpoint is behind a gate, so that nothing here fetches it.
    """

    architecture = ARCHITECTURE
    instruction = INSTRUCTION
    own_folder = "cnn-daily-mail-llama3"
    unquantised = "bf16"
    token_latencies = True
    keeps_ids = True  # the reference's files have token ids, and the reference runs those

    def __init__(self, of: BenchmarkFacts) -> None:
        self.facts = of
        self.stored = Prompts(of.name, facts.MAX_INPUT_TOKENS, {"prompt": hashlib.sha256(prompt("").encode()).hexdigest()})

    def variant_sources(self, variant: str) -> Sources:
        """Paths of a variant's files."""
        return data.sources(self.facts, variant)

    def download_data(self, variant: str) -> None:
        """CNN/DailyMail, fetched or generated."""
        data.download_data(self.facts, variant)

    def download_model(self, variant: str) -> None:
        """Check that the checkpoint and its tokenizer are there."""
        data.download_model(self.facts, variant)

    def check_model(self, folder: Path) -> str:
        """Its headers: the publisher gives no digests that could be compared without an account."""
        found = self.open_model(folder)
        entries = tokenizer.read(folder).size
        return f"complete by the lengths of {len(found.weights)} files; a tokenizer of {entries:,} entries"

    def vocabulary_files(self, place: Path) -> tuple[Path, ...]:
        """The files of the tokenizer at `place`."""
        return tokenizer.find(place)

    def open_vocabulary(self, place: Path) -> tokenizer.Llama3Tokenizer:
        """Open the tokenizer at `place`."""
        return tokenizer.read(place)

    def prompt_of(self, sample: Sample) -> str:
        """The model's prompt."""
        return prompt(sample.article)

    def ends(self, values: Mapping[str, Any], prompts: PreprocessedPrompts) -> Sequence[int]:
        """The tokenizer's, which has several."""
        return tokenizer.read(inputs.sources(self, values).vocabulary).ends

    def recorded_target(self, values: Mapping[str, Any], target: AccuracyTarget) -> Target:
        """The rules' shares of the tiny model's scores."""
        recorded = jsonfile.read(tiny.RECORD)["scores"]
        scores = {name: float(recorded[name]) for name in facts.REFERENCE}
        scores[facts.LENGTH] *= self.facts.samples / recorded["GEN_NUM"]  # a sum over the samples that were recorded
        return facts.target(self.full_name(target), scores, target.value)

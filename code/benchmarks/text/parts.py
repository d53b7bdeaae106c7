"""What one benchmark of summaries has of its own: the parts that the modules of this package are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from code.benchmarks.text import checkpoint
from code.benchmarks.text.checkpoint import Architecture, Checkpoint
from code.benchmarks.text.cnndm import Sample
from code.benchmarks.text.prompts import PreprocessedPrompts, Prompts
from code.benchmarks.verify import Check
from code.common.constants import AccuracyTarget
from code.common.errors import RunError
from code.rules.benchmark_facts import BenchmarkFacts, Target, TextFacts


@dataclass(frozen=True)
class Sources:
    """The input files.

    Args:
        data: cnn_eval.json.
        vocabulary: the folder of the tokenizer, or a file of it.
        model: the folder of the model.
    """

    data: Path
    vocabulary: Path
    model: Path


class Vocabulary(Protocol):
    """An opened tokenizer."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files it was read from."""

    @property
    def size(self) -> int:
        """Entries, added ones included."""

    @property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end a text, the usual one first."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of every text, as the model's prompt has them."""

    def decode(self, ids: Iterable[Sequence[int]]) -> list[str]:
        """The text of every sequence of ids, without special tokens."""


class TextParts(Protocol):
    """The parts of a benchmark; code/benchmarks/text/definition.py makes a benchmark of them."""

    facts: BenchmarkFacts
    architecture: Architecture
    """Of its checkpoint."""
    stored: Prompts
    """How its prompts are stored."""
    instruction: str
    """The instruction that each sample of its data set has."""
    own_folder: str
    """Folder below the data folder for data sets made of local files."""
    unquantised: str = "fp32"
    """The precision of the reference's scores, for messages."""
    token_latencies: bool = False
    """Whether LoadGen gets the time of each first token."""
    keeps_ids: bool = False
    """Whether a data set that has token ids keeps them, instead of being tokenised."""

    @property
    def text(self) -> TextFacts:
        """How it generates."""
        if self.facts.text is None:
            raise TypeError(f"{self.facts.name} is not of the family 'text'")
        return self.facts.text

    def variant_sources(self, variant: str) -> Sources:
        """Paths of a variant's files, which need not exist. Raises UsageError for an unknown variant."""

    def download_data(self, variant: str) -> None:
        """Download the data set, or generate the tiny one. MissingError with manual steps on failure."""

    def vocabulary_files(self, place: Path) -> tuple[Path, ...]:
        """The files of the tokenizer at `place`. MissingError when there are none."""

    def open_vocabulary(self, place: Path) -> Vocabulary:
        """Open the tokenizer at `place`. MissingError when it does not exist, UsageError when it is invalid."""

    def prompt_of(self, sample: Sample) -> str:
        """The model's prompt for a sample."""

    def texts(self, vocabulary: Vocabulary, ids: Iterable[Sequence[int]]) -> list[str]:
        """The texts of generated ids as the reference's evaluation has them."""
        return vocabulary.decode(ids)

    def ends(self, values: Mapping[str, Any], prompts: PreprocessedPrompts) -> Sequence[int]:
        """The tokens that end a text, the usual one first."""
        return (prompts.end,)

    def recorded_target(self, values: Mapping[str, Any], target: AccuracyTarget) -> Target:
        """The bounds of the tiny model: the rules' shares of its recorded scores."""

    def check_published(self) -> Iterator[Check]:
        """Checks of the published files of its data set."""
        return iter(())

    def check_model(self, folder: Path) -> str:
        """What was compared of the reference's checkpoint. RunError or MissingError where it is not whole."""

    def open_model(self, folder: Path) -> Checkpoint:
        """The checkpoint in `folder`, or the model exported from it."""
        return checkpoint.open_checkpoint(folder, self.architecture)

    def require_positions(self, model: Checkpoint, longest: int) -> None:
        """RunError where a model takes fewer tokens than the longest prompt and its text have."""
        most = self.text.max_new_tokens
        if longest + most > model.positions:
            raise RunError(
                f"{model.folder} takes {model.positions:,} tokens",
                f"the longest prompt has {longest:,}, and {most} may follow it",
                "select another model with --model_path, or shorter articles",
            )

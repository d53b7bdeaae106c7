"""Kind "prompts" of run.json: token sequences for a text generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from code.common.errors import MissingError, UsageError
from code.harness.python.arrays import open_array
from code.harness.schema.datasets import PromptData

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PromptDataset:
    """Token ids, concatenated on disk; a response is int32 [n], the generated token ids.

    MissingError for arrays that do not match, UsageError for a prompt that is empty or longer than the model accepts.
    """

    def __init__(self, spec: PromptData) -> None:
        folder = Path(spec.folder)
        self.count = spec.count
        self._tokens = open_array(folder / spec.tokens)
        self._offsets = np.asarray(open_array(folder / spec.offsets))
        self.lengths = np.ascontiguousarray(open_array(folder / spec.lengths), dtype=np.int32)
        self._check(folder, spec)

    def _check(self, folder: Path, spec: PromptData) -> None:
        again = "run `make preprocess_data` for this benchmark again"
        if len(self.lengths) != self.count or len(self._offsets) != self.count + 1:
            raise MissingError(f"{folder} has {len(self.lengths)} prompts, not {self.count}", "its arrays do not match", again)
        if int(self._offsets[-1]) != len(self._tokens) or not np.array_equal(np.diff(self._offsets), self.lengths):
            raise MissingError(f"{folder}: offsets and lengths do not match the tokens", "its arrays do not match", again)
        if self.count and int(self.lengths.min()) < 1:
            raise UsageError(f"prompt {int(self.lengths.argmin())} is empty", f"it is in {folder}", again)
        longest, most = int(self.lengths.max()), spec.positions
        if longest + spec.generation.max_new_tokens > most:
            raise UsageError(
                f"prompt {int(self.lengths.argmax())} is over the limit: {longest:,} tokens",
                f"with {spec.generation.max_new_tokens} new tokens it is longer than the {most:,} that the model accepts",
                "lower --max_new_tokens, or shorten the prompt",
            )

    def prompt(self, index: int) -> NDArray[np.int32]:
        """One prompt's token ids, int32 [length]."""
        return np.asarray(self._tokens[self._offsets[index] : self._offsets[index + 1]], dtype=np.int32)

    def load(self, indices: Sequence[int]) -> None:
        """Touch the prompts' pages so that the run reads them from memory."""
        for index in indices:
            self.prompt(index).sum()

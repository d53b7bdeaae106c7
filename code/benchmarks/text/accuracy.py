"""Scores LoadGen's accuracy log: decodes the generated token ids and compares them with the reference summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.benchmarks.text import cnndm, preprocess, rouge
from code.benchmarks.text.bound import Texts
from code.benchmarks.text.parts import TextParts, Vocabulary
from code.benchmarks.text.sentences import Splitter
from code.benchmarks.text.token_log import read_log
from code.common.errors import UsageError
from code.results.accuracy_log import LOG_NAME

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def check(
    of: TextParts,
    log_dir: Path,
    preprocessed_dir: Path,
    data: Path,
    vocabulary: Path,
    split: Splitter,
    *,
    entries_of_model: int = 0,
    dtype: str = "int32",
    complete: bool = True,
) -> dict[str, float]:
    """ROUGE and lengths (rouge.py) of the accuracy log in `log_dir`.

    Args:
        preprocessed_dir: the arrays that the run read (preprocess.py).
        data, vocabulary: what they were made from.
        entries_of_model: size of the model's output layer, if larger than the vocabulary: it may give tokens without a name, which
            are omitted from the text.
        dtype: of the token ids in the log, one of `DTYPES` (token_log.py).
        complete: whether every sample must be there; a compliance run logs only some of them.

    Raises:
        MissingError: the log, the arrays or an input is not there.
        UsageError: the arrays were made from other inputs.
        RunError: the log is truncated, a sample is missing or unknown, or a response is not a sequence of vocabulary tokens.
    """
    found = texts(
        of, log_dir, preprocessed_dir, data, vocabulary, entries_of_model=entries_of_model, dtype=dtype, complete=complete
    ).values()
    return rouge.score([summary for summary, _ in found], [reference for _, reference in found], split)


def texts(
    of: TextParts,
    log_dir: Path,
    preprocessed_dir: Path,
    data: Path,
    vocabulary: Path,
    *,
    entries_of_model: int,
    dtype: str = "int32",
    complete: bool = True,
) -> Texts:
    """The summaries in the accuracy log in `log_dir`, with their references; arguments and errors as for `check`."""
    prompts = preprocess.load(of, preprocessed_dir)
    if not preprocess.is_current(of, preprocessed_dir, data, vocabulary):
        raise UsageError(
            f"{preprocessed_dir} was not made from {data} and {vocabulary}",
            "the digests of the inputs differ from those in its manifest, so sample indices do not correspond",
            f"run `make preprocess_data BENCHMARKS={of.facts.name}`, then the accuracy run again",
        )
    entries = max(prompts.vocabulary, entries_of_model)
    found = read_log(Path(log_dir) / LOG_NAME, len(prompts), entries, dtype=dtype, complete=complete)
    samples = cnndm.read(data, of.facts.name)
    decoded = of.texts(of.open_vocabulary(vocabulary), [tokens.tolist() for tokens in found.values()])
    return {index: (text, samples[index].highlights) for index, text in zip(found, decoded, strict=True)}


def score(
    of: TextParts,
    found: Mapping[int, NDArray[np.signedinteger[Any]]],
    samples: Sequence[cnndm.Sample],
    opened: Vocabulary,
    split: Splitter,
) -> dict[str, float]:
    """ROUGE and lengths of generated tokens, by sample index."""
    decoded = of.texts(opened, [tokens.tolist() for tokens in found.values()])
    return rouge.score(decoded, [samples[index].highlights for index in found], split)

"""Scores LoadGen's accuracy log of GPT-J: decodes the generated token ids and compares them with the reference summaries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.benchmarks.gptj import bpe, cnndm, rouge
from code.benchmarks.gptj.preprocess import is_current, load
from code.benchmarks.gptj.sentences import Splitter
from code.common.errors import RunError, UsageError
from code.results.accuracy_log import AGAIN, LOG_NAME, entries, incomplete

DTYPES: dict[str, np.dtype[Any]] = {"int32": np.dtype("<i4"), "int64": np.dtype("<i8")}


def check(
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
    """ROUGE and lengths (code/benchmarks/gptj/rouge.py) of the accuracy log in `log_dir`.

    Args:
        preprocessed_dir: the arrays that the run read (code/benchmarks/gptj/preprocess.py).
        data, vocabulary: what they were made from.
        entries_of_model: size of the model's output layer, if larger than the vocabulary; GPT-J's has unnamed tokens, which are
            omitted from the text.
        dtype: of the token ids in the log, one of `DTYPES`.
        complete: whether every sample must be there; a compliance run logs only some of them.

    Raises:
        MissingError: the log, the arrays or an input is not there.
        UsageError: the arrays were made from other inputs.
        RunError: the log is truncated, a sample is missing or unknown, or a response is not a sequence of vocabulary tokens.
    """
    prompts = load(preprocessed_dir)
    if not is_current(preprocessed_dir, data, vocabulary):
        raise UsageError(
            f"{preprocessed_dir} was not made from {data} and {vocabulary}",
            "the digests of the inputs differ from those in its manifest, so sample indices do not correspond",
            "run `make preprocess_data BENCHMARKS=gptj`, then the accuracy run again",
        )
    found = read_log(
        Path(log_dir) / LOG_NAME, len(prompts), max(prompts.vocabulary, entries_of_model), dtype=dtype, complete=complete
    )
    samples = cnndm.read(data)
    texts = bpe.read(vocabulary).decode([tokens.tolist() for tokens in found.values()])
    return rouge.score([rouge.tidied(text) for text in texts], [samples[index].highlights for index in found], split)


def read_log(
    path: Path, count: int, vocabulary: int, *, dtype: str = "int32", complete: bool = True
) -> Mapping[int, NDArray[np.int64]]:
    """Sample index → its token ids. The first response to a sample counts, as in the reference's evaluation."""
    if dtype not in DTYPES:
        raise UsageError(f"accuracy logs of type {dtype} are not supported", "", f"choose one of {', '.join(DTYPES)}")
    kind = DTYPES[dtype]
    found: dict[int, NDArray[np.int64]] = {}
    for line, index, raw in entries(path):
        where = f"{path}:{line}"
        if not 0 <= index < count:
            raise RunError(f"sample {index} is unknown", f"the data set has the samples 0 to {count - 1}", AGAIN, where)
        if len(raw) % kind.itemsize or not raw:
            raise RunError(
                f"the response for sample {index} has {len(raw)} bytes", f"that is not a sequence of {dtype} tokens", AGAIN, where
            )
        tokens = np.frombuffer(raw, dtype=kind).astype(np.int64)
        _require_known(tokens, vocabulary, index, where)
        found.setdefault(index, tokens)
    if not found:
        raise RunError(f"{path} contains no responses", "the run logged nothing", AGAIN)
    if complete and len(found) < count:
        raise incomplete(path, [index for index in range(count) if index not in found], count)
    return found


def _require_known(tokens: NDArray[np.int64], vocabulary: int, index: int, where: str) -> None:
    """RunError where a response has a token beyond the vocabulary."""
    least, most = int(tokens.min()), int(tokens.max())
    if least < 0 or most >= vocabulary:
        raise RunError(
            f"sample {index} has a token that the vocabulary of {vocabulary:,} entries lacks",
            f"it is {most if least >= 0 else least}: the vocabulary and the model do not match",
            "select the model's own vocabulary with --vocab_path",
            where,
        )

"""Scores LoadGen's accuracy log of GPT-J: decodes the generated token ids and compares them with the reference summaries."""

from __future__ import annotations

from pathlib import Path

from code.benchmarks.gptj import bpe, cnndm
from code.benchmarks.gptj.preprocess import is_current, load
from code.benchmarks.text import rouge
from code.benchmarks.text.bound import Texts
from code.benchmarks.text.sentences import Splitter
from code.benchmarks.text.token_log import read_log
from code.common.errors import UsageError
from code.results.accuracy_log import LOG_NAME


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
    """ROUGE and lengths (code/benchmarks/text/rouge.py) of the accuracy log in `log_dir`.

    Args:
        preprocessed_dir: the arrays that the run read (code/benchmarks/gptj/preprocess.py).
        data, vocabulary: what they were made from.
        entries_of_model: size of the model's output layer, if larger than the vocabulary; GPT-J's has unnamed tokens, which are
            omitted from the text.
        dtype: of the token ids in the log, one of `DTYPES` (code/benchmarks/text/token_log.py).
        complete: whether every sample must be there; a compliance run logs only some of them.

    Raises:
        MissingError: the log, the arrays or an input is not there.
        UsageError: the arrays were made from other inputs.
        RunError: the log is truncated, a sample is missing or unknown, or a response is not a sequence of vocabulary tokens.
    """
    found = texts(
        log_dir, preprocessed_dir, data, vocabulary, entries_of_model=entries_of_model, dtype=dtype, complete=complete
    ).values()
    return rouge.score([summary for summary, _ in found], [reference for _, reference in found], split)


def texts(
    log_dir: Path,
    preprocessed_dir: Path,
    data: Path,
    vocabulary: Path,
    *,
    entries_of_model: int = 0,
    dtype: str = "int32",
    complete: bool = True,
) -> Texts:
    """The summaries in the accuracy log in `log_dir`, with their references; arguments and errors as for `check`."""
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
    decoded = bpe.read(vocabulary).decode([tokens.tolist() for tokens in found.values()])
    return {index: (rouge.tidied(text), samples[index].highlights) for index, text in zip(found, decoded, strict=True)}

"""CNN/DailyMail as MLPerf's references read it: a JSON list of {"instruction", "input", "output"}, some with "tok_input".

It is made from the published data set (columns `article` and `highlights`) or from a local CSV, JSON, JSON-lines or Parquet file with
those columns. Source of the format: download_cnndm.py of the references in language/ of MLCommons Inference.
"""

from __future__ import annotations

import csv
import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import MissingError, UsageError, nearest
from code.common.files import atomic_write

ARTICLE, HIGHLIGHTS = "article", "highlights"
SPLIT = "validation"
HUB_NAME, HUB_VERSION = "abisee/cnn_dailymail", "3.0.0"
HUB_REVISION = "96df5e686bee6baa90b8bee7c28b81fa3fa6223d"  # its newest commit since January 2024


@dataclass(frozen=True)
class Sample:
    """One article, its instruction and its reference summary.

    Args:
        ids: the prompt's token ids where the file has them; () where not.
    """

    instruction: str
    article: str
    highlights: str
    ids: tuple[int, ...] = ()


def read(path: Path, benchmark: str) -> list[Sample]:
    """The samples of a cnn_eval.json. MissingError when it does not exist, UsageError with the entry for invalid content."""
    try:
        content = jsonfile.parse(path.read_bytes())
    except OSError as error:
        raise _absent(path, error, benchmark) from error
    except ValueError as error:
        raise UsageError(f"{path} is not valid JSON", str(error), f"make it again with `{_download(benchmark)}`") from error
    if not isinstance(content, list) or not content:
        raise UsageError(f"{path} does not contain a list of samples", "cnn_eval.json is a list of instruction, input and output")
    return [_sample(path, number, entry, benchmark) for number, entry in enumerate(content)]


def _download(benchmark: str) -> str:
    return f"make download_data BENCHMARKS={benchmark}"


def _sample(path: Path, number: int, entry: Any, benchmark: str) -> Sample:
    try:
        ids = tuple(int(token) for token in entry.get("tok_input") or ())
        sample = Sample(str(entry["instruction"]), str(entry["input"]), str(entry["output"]), ids)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"entry {number} of {path} is not a sample",
            f"it takes instruction, input and output; {type(error).__name__}: {error}",
            f"make the file again with `{_download(benchmark)}`",
        ) from error
    if not sample.article.strip():
        raise _empty("article", f"entry {number} of {path}")
    if not sample.highlights.strip():
        raise _empty("reference summary", f"entry {number} of {path}")
    return sample


def write(samples: Sequence[Sample], path: Path) -> None:
    """Write cnn_eval.json atomically."""
    content = [
        {"instruction": s.instruction, "input": s.article, **({"tok_input": s.ids} if s.ids else {}), "output": s.highlights}
        for s in samples
    ]
    with atomic_write(path) as out:
        json.dump(content, out, ensure_ascii=False, indent=0)
        out.write("\n")


def from_file(path: Path, instruction: str, benchmark: str) -> list[Sample]:
    """The samples of a local file with the columns `article` and `highlights`, each with the benchmark's instruction.

    Raises MissingError if the file or the package that reads Parquet is missing, UsageError with file and line for invalid content.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            f"{path} has an unsupported format",
            f"its suffix is {path.suffix!r}; supported: {', '.join(READERS)}",
            "convert it, or select another with --cnndm_source",
        )
    try:
        samples = [_row(path, line, row, instruction) for line, row in reader(path)]
    except OSError as error:
        raise _absent(path, error, benchmark) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8", str(error), "convert it, or select another with --cnndm_source") from error
    if not samples:
        raise UsageError(f"{path} contains no articles", "", "select another with --cnndm_source")
    return samples


def _row(path: Path, line: int, row: Mapping[str, Any], instruction: str) -> Sample:
    if "input" in row and "output" in row:
        row = {ARTICLE: row["input"], HIGHLIGHTS: row["output"]}
    for column in (ARTICLE, HIGHLIGHTS):
        if row.get(column) is None:
            names = [str(name) for name in row if name is not None]
            near = nearest(column, names)
            raise UsageError(
                f"the column {column} is missing",
                f"the columns are {', '.join(names)}" + (f"; the nearest is {near!r}" if near else ""),
                "CNN/DailyMail has the columns article and highlights",
                f"{path}:{line}",
            )
        if not str(row[column]).strip():
            raise _empty(column, "", f"{path}:{line}")
    return Sample(instruction, str(row[ARTICLE]), str(row[HIGHLIGHTS]))


def _csv(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with path.open(encoding="utf-8-sig", newline="") as source:
        reader = csv.DictReader(source)
        line = 1
        for row in reader:
            yield line + 1, row
            line = reader.line_num


def _json(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        if text.lstrip().startswith("["):
            rows = [(number, row) for number, row in enumerate(jsonfile.parse(text), 1)]
        else:
            rows = [(number, jsonfile.parse(line)) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    except ValueError as error:
        raise UsageError(f"{path} is not valid JSON", str(error), "select another with --cnndm_source") from error
    for number, row in rows:
        if not isinstance(row, dict):
            raise UsageError(
                "the line is not an object with article and highlights",
                "",
                "select another with --cnndm_source",
                f"{path}:{number}",
            )
        yield number, row


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise MissingError(
            f"{path} cannot be read without pyarrow", str(error), "run `pip install '.[datasets]'`, or convert it to CSV"
        ) from error
    if not path.is_file():
        raise FileNotFoundError(2, "No such file or directory")
    try:
        rows = parquet.read_table(path).to_pylist()
    except (ValueError, OSError) as error:
        raise UsageError(
            f"{path} is not a Parquet file", str(error).splitlines()[0], "select another with --cnndm_source"
        ) from error
    yield from enumerate(rows, 1)


READERS = {".csv": _csv, ".json": _json, ".jsonl": _json, ".parquet": _parquet}
"""File suffix → reader that yields rows as (line, columns)."""


def from_hub(instruction: str, benchmark: str) -> list[Sample]:
    """The published validation split, downloaded with the `datasets` package. MissingError without the package or network."""
    by_hand = (
        f"on a machine with network access, save the {SPLIT} split of {HUB_NAME} {HUB_VERSION} as CSV or Parquet, "
        f"then run `{_download(benchmark)} RUN_ARGS=--cnndm_source=FILE`"
    )
    try:
        import datasets
    except ImportError as error:
        raise MissingError(
            "CNN/DailyMail is fetched with the Python package datasets, which is not installed",
            str(error),
            f"run `pip install '.[datasets]'`; or {by_hand}",
        ) from error
    try:
        rows = datasets.load_dataset(HUB_NAME, HUB_VERSION, split=SPLIT, revision=HUB_REVISION)
    except Exception as error:
        raise MissingError(
            f"{HUB_NAME} {HUB_VERSION} cannot be fetched", str(error).strip().splitlines()[0] or type(error).__name__, by_hand
        ) from error
    return [_row(Path(HUB_NAME), number, row, instruction) for number, row in enumerate(rows, 1)]


def _absent(path: Path, error: OSError, benchmark: str) -> MissingError:
    return MissingError(
        f"cannot read {path}",
        error.strerror or str(error),
        f"run `{_download(benchmark)}`, or select another with --data_path",
    )


def _empty(what: str, which: str, where: str = "") -> UsageError:
    return UsageError(
        f"{which} has an empty {what}".strip() if which else f"empty {what}",
        "it cannot be summarised or scored",
        "remove the entry or complete it",
        where,
    )

"""Splits a text into sentences with NLTK's English Punkt model, as the references' evaluations do before ROUGE-LSum.

Only ROUGE-LSum depends on it, which is reported but has no target. `Punkt` reads the model's files (`download_data` puts them in
build/data/nltk_data; they are never downloaded implicitly). `Lines` needs none: CNN/DailyMail and the tiny set put one
highlight on a line, and a sentence ends at a mark before a space and a capital letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from code.common import paths
from code.common.errors import MissingError

Splitter = Callable[[str], list[str]]
FOLDER = "nltk_data"
MODEL = Path("tokenizers") / "punkt_tab" / "english"
_BOUNDARY = re.compile(r"(?<=[.!?])(?P<close>[\"')\]]*)\s+(?=[\"'(\[]*[A-Z0-9])|\s*\n\s*")
# Titles and abbreviations that include a full stop.
_OPEN = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Prof|Sen|Gov|Gen|Rep|Lt|Col|Sgt|Capt|Jr|Sr|vs|No|U\.S|U\.K|U\.N|[A-Z]))\.$")


def model_folder() -> Path:
    """Path of Punkt's English model."""
    return paths.data_dir() / FOLDER / MODEL


def have_punkt() -> bool:
    """Whether Punkt's English model is installed."""
    return (model_folder() / "collocations.tab").is_file()


def punkt(benchmark: str) -> Splitter:
    """NLTK's splitter. MissingError when its model is not installed; `make download_data` of `benchmark` installs it."""
    if not have_punkt():
        raise MissingError(
            f"NLTK's sentence model does not exist: {model_folder()}",
            "the reference's evaluation splits sentences with it",
            f"run `make download_data BENCHMARKS={benchmark} RUN_ARGS=--model_variant=reference`",
        )
    import nltk

    root = str(paths.data_dir() / FOLDER)
    if root not in nltk.data.path:
        nltk.data.path.insert(0, root)
    return lambda text: list(nltk.sent_tokenize(text))


def lines(text: str) -> list[str]:
    """The sentences of a text without a model: at line ends, and at a mark before a space and a capital letter."""
    out: list[str] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        before = text[start : match.start()] + (match.group("close") or "")
        if "\n" not in match.group() and _OPEN.search(before):
            continue
        if before.strip():
            out.append(before.strip())
        start = match.end()
    rest = text[start:].strip()
    return [*out, rest] if rest else out


def splitter(benchmark: str, variant_is_reference: bool) -> tuple[Splitter, str]:
    """The splitter for a score and its name: Punkt if it is installed or the reference score is required, else `lines`."""
    if variant_is_reference or have_punkt():
        return punkt(benchmark), "punkt"
    return lines, "lines"

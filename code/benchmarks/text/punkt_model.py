"""Installs NLTK's English sentence model, with which the references' evaluations split summaries."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from code.benchmarks import files
from code.benchmarks.text import sentences
from code.common.errors import RunError
from code.common.files import atomic_directory
from code.rules.benchmark_facts import PublishedFile

_NLTK = "https://raw.githubusercontent.com/nltk/nltk_data/{ref}/packages/tokenizers/punkt_tab.zip"
PUNKT = PublishedFile(
    "data/nltk_data/tokenizers/punkt_tab.zip",
    _NLTK.format(ref="550b6625bcef1f2abff2ff770a5a0d272c9c6b2a"),
    "NLTK's sentence model",
    size=4_319_076,
    sha256="e57f64187974277726a3417ca6f181ec5403676c717672eef6a748a7b20e0106",
    megabytes=5,
    also=(_NLTK.format(ref="gh-pages"),),
    licence="MIT",
)


def fetch(benchmark: str) -> None:
    """Install NLTK's English sentence model below build/data/nltk_data if it is missing.

    Raises:
        MissingError: it is not available; the error gives the manual steps, of `benchmark`.
        RunError: the archive is damaged.
    """
    if sentences.have_punkt():
        return
    archive = files.fetch(PUNKT)
    try:
        with zipfile.ZipFile(archive) as packed, atomic_directory(archive.with_suffix("")) as made:
            for name in packed.namelist():
                if name.startswith("punkt_tab/english/") and not name.endswith("/"):
                    target = made / "english" / Path(name).name
                    target.parent.mkdir(exist_ok=True)
                    target.write_bytes(packed.read(name))
            if not (made / "english" / "collocations.tab").is_file():
                raise zipfile.BadZipFile("it has no English model")
    except (zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{archive} is damaged", str(error), f"remove it; {files.by_hand(PUNKT)}") from error

"""The published files of a benchmark: where they are kept here, and how each gets there."""

from __future__ import annotations

from pathlib import Path

from code.common import download, paths
from code.rules.benchmark_facts import PublishedFile

TIMES_EXPECTED = 10
"""A file of which only the approximate size is known is another one above this multiple of it."""


def place(file: PublishedFile) -> Path:
    """Its path below the build folder."""
    return paths.build_dir() / file.path


def by_hand(file: PublishedFile) -> str:
    """The manual steps for one file."""
    target = place(file)
    sources = " or ".join(f"`curl -L -o {target.name} '{url}'`" for url in file.urls)
    return (
        f"on a machine with network access, run {sources} ({max(1, round(file.about / 1e6)):,} MB), copy the file to {target}, "
        "then run the same command again; a site without a network sets MLPERF_MIRROR"
    )


def fetch(file: PublishedFile, manual_steps: str = "", patience: download.Patience | None = None) -> Path:
    """Ensure that a published file is there. Errors as for `code.common.download.fetch`.

    Args:
        manual_steps: other steps than those of `by_hand`.
    """
    return download.fetch(
        file.urls,
        place(file),
        sha256=file.sha256,
        md5=file.md5,
        size=file.size,
        label=file.label,
        manual_steps=manual_steps or by_hand(file),
        limit=TIMES_EXPECTED * file.about,
        patience=patience,
    )

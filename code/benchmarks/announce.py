"""Says before a download what will be fetched: from where, how much, under which licence, how long it takes, and the space that is left."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from code.benchmarks import files
from code.common import console, download, paths
from code.common.download import mirror
from code.common.download.connection import host_of
from code.rules.benchmark_facts import PublishedFile, Space

WORTH_MEASURING = 20_000_000
"""Bytes below which an estimate of the time is of no use."""


@dataclass(frozen=True)
class Group:
    """Files that come from the same sources under the same licence; `there` of them exist."""

    files: tuple[PublishedFile, ...]

    @property
    def missing(self) -> tuple[PublishedFile, ...]:
        """Those that have to be fetched."""
        return tuple(file for file in self.files if not files.place(file).exists())

    @property
    def left(self) -> int:
        """Bytes that remain to be fetched, without those of interrupted downloads."""
        return sum(max(0, file.about - _part(files.place(file))) for file in self.missing)

    def row(self) -> tuple[str, str, str, str, str]:
        """What, from where, how large, the state, the licence."""
        first, count = self.files[0], len(self.files)
        what = first.label if count == 1 else f"{count} files, {first.label} … {self.files[-1].label}"
        about = "" if all(file.size for file in self.files) else "about "
        missing = len(self.missing)
        state = "is there" if not missing else "to fetch" if missing == count else f"{missing} to fetch"
        return (what, ", else ".join(_hosts(first)), about + size(sum(file.about for file in self.files)), state, first.licence)


def announce(benchmark: str, wanted: Sequence[PublishedFile]) -> None:
    """Print what a download of these files fetches; nothing where there are none."""
    if not wanted:
        return
    groups = grouped(wanted)
    left = sum(group.left for group in groups)
    missing = [file for group in groups for file in group.missing]
    if not missing:
        total = size(sum(file.about for file in wanted))
        console.say(f"{benchmark}: nothing to fetch, {len(wanted)} files of {total} are there; `make verify_data` checks them")
        return
    console.table(
        f"{benchmark}: what is fetched", ("What", "From", "Size", "State", "Licence"), [group.row() for group in groups]
    )
    console.say(
        f"{benchmark}: {size(left)} to fetch into {paths.scratch_dir()}, where {size(_free())} are free; no account is needed"
    )
    if left >= WORTH_MEASURING:
        console.say(f"{benchmark}: {_how_long(max(missing, key=lambda file: file.about), left)}")


def announce_arrays(benchmark: str, space: Space) -> None:
    """Print how much the preprocessed arrays take."""
    console.say(
        f"{benchmark}: preprocessed arrays take up to {size(space.preprocessed)} in {paths.scratch_dir()}, where {size(_free())} are free"
    )


def grouped(wanted: Sequence[PublishedFile]) -> list[Group]:
    """The files by sources and licence, in their order."""
    found: dict[tuple[object, ...], list[PublishedFile]] = {}
    for file in wanted:
        found.setdefault((*_hosts(file), file.licence, file.kind, file.path.count("/")), []).append(file)
    return [Group(tuple(group)) for group in found.values()]


def size(count: float) -> str:
    """Bytes for display: '41 kB', '24.3 GB'."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.{0 if count >= 100 * scale else 1}f} {unit}"
    return f"{count:.0f} B"


def _hosts(file: PublishedFile) -> list[str]:
    """The hosts that are asked for a file, the mirror first, each once."""
    own = [f"{mirror.VARIABLE} {mirror.address_shown()}"] if mirror.address() else []
    return list(dict.fromkeys([*own, *(host_of(url) for url in file.urls)]))


def _how_long(largest: PublishedFile, left: int) -> str:
    """The time at the measured rate of the largest file's sources."""
    own = mirror.sources(largest.path)
    if own and mirror.is_local(own[0]) and Path(own[0]).exists():
        return f"files of the mirror are copied from {mirror.address_shown()}"
    rate = download.measure(
        [*(url for url in own if not mirror.is_local(url)), *(url for url in largest.urls if not url.endswith(".uri"))]
    )
    if not rate.per_second:
        return f"the time is unknown, because no rate could be measured ({rate.host or 'no source'}: {rate.why})"
    time = console.duration(left / rate.per_second)
    return f"about {time} at {size(rate.per_second)}/s, as measured from {rate.host}"


def _part(target: Path) -> int:
    part = target.with_name(target.name + ".part")
    return part.stat().st_size if part.is_file() else 0


def _free() -> int:
    scratch = paths.scratch_dir()
    return shutil.disk_usage(next(place for place in (scratch, *scratch.parents) if place.exists())).free

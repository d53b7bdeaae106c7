"""Checks of everything that is there of a benchmark's reference data and models, and a list of what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from code.benchmarks import files
from code.common.errors import HarnessError
from code.common.files import sha256
from code.rules.benchmark_facts import PublishedFile

State = Literal["ok", "missing", "wrong", "note"]


@dataclass(frozen=True)
class Check:
    """One result. `fix` is the command that gets or repairs it, for 'missing' and 'wrong'."""

    what: str
    state: State
    text: str
    fix: str = ""


def command(target: str, benchmark: str) -> str:
    """The make command that gets or makes something of the reference."""
    return f"make {target} BENCHMARKS={benchmark} RUN_ARGS=--model_variant=reference"


def check_file(benchmark: str, file: PublishedFile) -> Check:
    """A published file: its size and digest, or its content and recorded digest where none is published."""
    from code.common.download import contents
    from code.common.download.record import Pinned, recorded

    path = files.place(file)
    fix = command(f"download_{file.kind}", benchmark)
    if not path.exists():
        return Check(file.path, "missing", "it is not there", fix)
    try:
        digest = sha256(path)
        why = Pinned(file.sha256, file.md5, file.size).differs(path, digest) or contents.wrong_content(path, path.name)
        kept = recorded(path)
    except OSError as error:
        return Check(file.path, "wrong", f"it cannot be read: {error.strerror or error}", "check its permissions")
    if not why and kept not in (None, digest):
        why = f"its SHA-256 is {digest}, and was {kept} when it was fetched"
    if why:
        return Check(file.path, "wrong", why, f"remove it, then {fix}")
    known = [name for name, value in (("SHA-256", file.sha256), ("MD5", file.md5)) if value]
    if known:
        return Check(file.path, "ok", f"{' and '.join(known)} as published")
    return Check(file.path, "ok", "complete; no digest is published" + (", as when it was fetched" if kept else ""))


def checked(what: str, place: Path, fix: str, ask: Callable[[], str]) -> Check:
    """The result of a check that returns what it found, or raises a HarnessError; 'missing' where `place` does not exist."""
    if not place.exists():
        return Check(what, "missing", "it is not there", fix)
    try:
        return Check(what, "ok", ask())
    except HarnessError as error:
        text = ": ".join(part for part in (error.what, error.why) if part)
        return Check(what, "wrong", text, error.next_step or fix)


def check_arrays(folder: Path, digests: dict[str, str]) -> Iterator[str]:
    """Names of arrays that are not as recorded: file name → SHA-256."""
    for name, digest in digests.items():
        try:
            if sha256(folder / name) != digest:
                yield name
        except OSError:
            yield name

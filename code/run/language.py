"""Which harness runs a workload: the C++ one where it is built and has what the workload needs, else the Python one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from code.common import paths
from code.fields.consumer import Consumer, Readable
from code.harness.schema.datasets import DATASETS
from code.harness.schema.options import OPTIONS
from code.harness.schema.run_spec import SCHEMA

AUTO, CPP, PYTHON = "auto", "cpp", "python"
QUICK_S = 20.0


READS = Consumer("harness language", ("harness_lang",))


@dataclass(frozen=True)
class Choice:
    """A language, and why it is that one."""

    language: str
    why: str


def binary() -> Path:
    """Where `make build` puts the C++ harness."""
    return paths.build_dir() / "bin" / "harness"


def asked_language(values: Readable) -> str:
    """'auto', 'cpp' or 'python', as it was asked for or as it was decided."""
    return str(READS.of(values)["harness_lang"])


def choose(asked: str, backend: str, kind: str, languages: Sequence[str] = (CPP, PYTHON)) -> Choice:
    """The language for a backend and a kind of data set.

    Args:
        asked: the field harness_lang: 'auto', 'cpp' or 'python'.
        backend: the workload's backend.
        kind: run.json's dataset.kind.
        languages: those that the backend runs in at all.
    """
    if asked != AUTO:
        return Choice(asked, f"harness_lang is {asked}")
    if PYTHON not in languages:
        return Choice(CPP, f"the {backend} backend runs in it only")
    if not binary().is_file():
        return Choice(PYTHON, "the C++ harness is not built; `make build` builds it")
    offers = _capabilities(str(binary()), binary().stat().st_mtime_ns)
    if offers is None or offers.get("schema") != SCHEMA:
        return Choice(PYTHON, "the C++ harness is of another version; `make build` renews it")
    for what, wanted, there, schema in (
        ("backend", backend, offers["backends"], OPTIONS),
        ("kind of data set", kind, offers["datasets"], DATASETS),
    ):
        if wanted not in there:
            return Choice(PYTHON, f"the C++ harness has no {what} '{wanted}'")
        if set(there[wanted]) != {field.name for field in fields(schema[wanted])}:
            return Choice(PYTHON, f"the C++ harness reads other keys for the {what} '{wanted}'; `make build` renews it")
    return Choice(CPP, "it is built, and has the backend and the kind of data set")


@cache
def _capabilities(path: str, _built: int) -> Mapping[str, Any] | None:
    """Backends and kinds of data set of the binary, each with the keys that it reads; None when it does not answer."""
    try:
        done = subprocess.run([path, "--capabilities"], capture_output=True, text=True, timeout=QUICK_S)
        content = json.loads(done.stdout)
        return content if isinstance(content["backends"], dict) and isinstance(content["datasets"], dict) else None
    except (OSError, ValueError, TypeError, KeyError, subprocess.SubprocessError):
        return None

"""Choice of the harness language: C++ if that harness is built and supports the workload, else Python."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from code.backends.base import Backend
from code.common import jsonfile, paths
from code.common.errors import UsageError
from code.fields.consumer import Consumer, Readable
from code.harness.schema.datasets import DATASETS
from code.harness.schema.options import OPTIONS
from code.harness.schema.run_spec import SCHEMA

AUTO, CPP, PYTHON = "auto", "cpp", "python"
QUICK_S = 20.0


READS = Consumer("harness language", ("harness_lang",))


SERVED = Consumer("Triton", ("use_triton", "triton_protocol"))
OWN_SERVER = Consumer("LLM server", ("with_server",))
NODES = Consumer("nodes", ("num_nodes", "ray_address"))


@dataclass(frozen=True)
class Choice:
    """A language and the reason for choosing it."""

    language: str
    why: str


def binary() -> Path:
    """Where `make build` puts the C++ harness."""
    return paths.build_dir() / "bin" / "harness"


def asked_language(values: Readable) -> str:
    """'auto', 'cpp' or 'python': the requested or the decided language."""
    return str(READS.of(values)["harness_lang"])


def served(values: Readable) -> bool:
    """Whether the workload's engines are behind Triton."""
    return bool(SERVED.of(values)["use_triton"])


def in_process(values: Readable) -> bool:
    """Whether Triton is inside the harness process, and asked by its C API."""
    return served(values) and SERVED.of(values)["triton_protocol"] == "in_process"


def has_own_server(values: Readable) -> bool:
    """Whether the workload is measured through a server of this harness that its run starts."""
    return bool(OWN_SERVER.of(values)["with_server"])


def distributed(values: Readable) -> bool:
    """Whether the workload asks for several nodes."""
    read = NODES.of(values)
    return bool(read["ray_address"]) or (read["num_nodes"] or 1) > 1


def supported(values: Readable, runtime: Backend) -> Sequence[str]:
    """The languages of the harness that can run a workload.

    Servers' clients are in Python; Triton's C API, and nodes that compute batches with their head, are in C++.
    """
    if in_process(values) or (distributed(values) and CPP in runtime.harness_languages):
        return (CPP,)
    return (PYTHON,) if served(values) or has_own_server(values) else runtime.harness_languages


def choose(asked: str, backend: str, kind: str, languages: Sequence[str] = (CPP, PYTHON)) -> Choice:
    """Choose the language for a backend and a kind of data set.

    Args:
        asked: the field harness_lang: 'auto', 'cpp' or 'python'.
        backend: the workload's backend.
        kind: run.json's dataset.kind.
        languages: languages that the backend supports.
    """
    if asked != AUTO and asked not in languages:
        raise UsageError(
            f"the {backend} backend has no {asked} harness",
            f"it runs in: {', '.join(languages)}",
            "leave --harness_lang out",
            "--harness_lang",
        )
    if asked != AUTO:
        return Choice(asked, f"harness_lang is {asked}")
    if len(languages) == 1:
        return Choice(languages[0], "nothing else runs this workload")
    if not binary().is_file():
        return Choice(PYTHON, "the C++ harness is not built; `make build` builds it")
    offers = _capabilities(str(binary()), binary().stat().st_mtime_ns)
    if offers is None or offers.get("schema") != SCHEMA:
        return Choice(PYTHON, "the C++ harness has a different version; `make build` rebuilds it")
    for what, wanted, there, schema in (
        ("backend", backend, offers["backends"], OPTIONS),
        ("kind of data set", kind, offers["datasets"], DATASETS),
    ):
        if wanted not in there:
            return Choice(PYTHON, f"the C++ harness does not support {what} '{wanted}'")
        if set(there[wanted]) != {field.name for field in fields(schema[wanted])}:
            return Choice(PYTHON, f"the C++ harness reads different keys for {what} '{wanted}'; `make build` rebuilds it")
    return Choice(CPP, "it is built and supports the backend and kind of data set")


@cache
def _capabilities(path: str, _built: int) -> Mapping[str, Any] | None:
    """The binary's backends and kinds of data set, each with the keys that it reads; None if it does not respond."""
    try:
        done = subprocess.run([path, "--capabilities"], capture_output=True, text=True, timeout=QUICK_S)
        content = jsonfile.parse(done.stdout)
        return content if isinstance(content["backends"], dict) and isinstance(content["datasets"], dict) else None
    except (OSError, ValueError, TypeError, KeyError, subprocess.SubprocessError):
        return None

"""Which harness runs: what was asked for, else the C++ one where it is built and has what the workload needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from code.harness.schema.run_spec import SCHEMA
from code.run.language import choose
from tests.run_documents import SEQUENCE


def put_binary(build: Path, answer: str) -> None:
    (build / "bin").mkdir(exist_ok=True)
    binary = build / "bin" / "harness"
    binary.write_text(f"#!/bin/sh\nprintf '%s' '{answer}'\n", encoding="utf-8")
    binary.chmod(0o755)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    return tmp_path


def offers(**changed: Any) -> str:
    return json.dumps({"schema": SCHEMA, "backends": {"openvino": []}, "datasets": {"sequence": list(SEQUENCE)}, **changed})


def test_what_is_asked_for_is_taken(build: Path) -> None:
    assert choose("cpp", "openvino", "sequence").language == "cpp"
    assert choose("python", "openvino", "sequence").language == "python"


def test_without_a_build_it_is_python_and_says_how_to_build(build: Path) -> None:
    choice = choose("auto", "openvino", "sequence")
    assert choice.language == "python" and "make build" in choice.why


@pytest.mark.parametrize(
    ("answer", "language", "said"),
    [
        (offers(), "cpp", "it is built"),
        (offers(backends={"null": []}), "python", "does not support backend 'openvino'"),
        (offers(datasets={"volume": []}), "python", "does not support kind of data set 'sequence'"),
        (offers(backends={"openvino": ["use_graphs"]}), "python", "reads different keys for backend 'openvino'"),
        (offers(datasets={"sequence": ["kind", "count"]}), "python", "reads different keys for kind of data set 'sequence'"),
        (offers(backends=["openvino"]), "python", "a different version"),
        (offers(schema=SCHEMA + 1), "python", "a different version"),
        ("usage: harness run.json", "python", "a different version"),
    ],
)
def test_a_build_is_used_where_it_has_what_is_needed(build: Path, answer: str, language: str, said: str) -> None:
    put_binary(build, answer)
    choice = choose("auto", "openvino", "sequence")
    assert (choice.language, said in choice.why) == (language, True)


def test_a_backend_that_runs_in_one_language_is_run_in_it(build: Path) -> None:
    assert choose("auto", "simulated", "sequence", ("cpp",)).language == "cpp"


def test_a_workload_of_one_language_runs_in_it_whatever_is_built(build: Path) -> None:
    put_binary(build, offers())
    choice = choose("auto", "openvino", "sequence", ("python",))
    assert (choice.language, choice.why) == ("python", "nothing else runs this workload")
    assert choose("auto", "openvino", "sequence", ("cpp",)).language == "cpp"

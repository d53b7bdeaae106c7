"""What a capture asks of a machine beside what detection reads, which variant is examined, and what findings hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from code import preflight
from code.machine.detect import DetectedSystem, detect
from code.machine.sources import CapturedMachine
from code.preflight import capture as capturing
from code.preflight import limits, run_checks
from code.preflight.finding import Finding, Level, Reporter, Subject
from tests.unit.systems.conftest import CAPTURES

# ── captures ───────────────────────────────────────────────────────────


def captured(
    name: str, path: Path, monkeypatch: pytest.MonkeyPatch, description: str = ""
) -> tuple[DetectedSystem, dict[str, Any]]:
    """What is detected on, and captured of, a machine that is itself a capture."""
    monkeypatch.setattr(capturing, "LiveMachine", lambda: CapturedMachine.read(CAPTURES / f"{name}.json"))
    found = capturing.capture(path, description)
    content: dict[str, Any] = json.loads(path.read_text())
    return found, content


def test_a_capture_holds_what_detection_checks_descriptions_and_mig_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, content = captured("h100_mig_mixed", tmp_path / "a.json", monkeypatch, "one in slices")
    assert content["description"] == "one in slices" and found.config == detect(tmp_path / "a.json").config
    before = json.loads((CAPTURES / "h100_mig_mixed.json").read_text())
    assert "mig" in content["probes"] and content["probes"].keys() >= before["probes"].keys() - {"architecture"}
    assert {"limits", "packages"} <= set(content["probes"]), "checks and the description of the system ask these"
    assert "/etc/os-release" in content["files"]


def test_a_capture_is_described_by_its_processor_and_accelerators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, content = captured("h100_sxm_80gbx8", tmp_path / "a.json", monkeypatch)
    assert content["description"] == f"{found.processors.model}, 8 accelerators"
    before = json.loads((CAPTURES / "h100_sxm_80gbx8.json").read_text())
    assert set(before["commands"]) - {"nvcc --version"} <= set(content["commands"])
    _, cpu = captured("cpu_x86_64", tmp_path / "b.json", monkeypatch)
    assert cpu["description"].endswith(", 0 accelerators")


# ── the variant ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("gpus", "given", "variant"), [(0, "", "tiny"), (1, "", "reference"), (0, "reference", "reference"), (1, "tiny", "tiny")]
)
def test_the_variant_follows_from_the_accelerators(gpus: int, given: str, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(subject: Subject) -> list[Finding]:
        words = f"{subject.variant} {'+'.join(subject.benchmarks)} {subject.power_server} {subject.ntp_server}"
        return [Finding("a", "b", Level.OK, words)]

    monkeypatch.setattr(preflight, "CHECKS", (check, check))
    machine, detected = cast(Any, object()), cast(Any, SimpleNamespace(gpus=[1] * gpus))
    found = run_checks(machine, detected, ["bert", "gptj"], given, "power:4950", "ntp")
    assert [one.message for one in found] == [f"{variant} bert+gptj power:4950 ntp"] * 2


# ── limits ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("limit", "files", "locked"),
    [(0, "limit is 0, 4096 or more", "0 KiB"), (-1, "unlimited", "unlimited"), (None, "unlimited", "unlimited")],
)
def test_a_limit_of_nothing_is_not_none(limit: int | None, files: str, locked: str) -> None:
    probes = {"limits": {"other": 1, **({} if limit is None else {"nofile": limit, "memlock": limit})}}
    machine = SimpleNamespace(probe=lambda *words: probes.get(":".join(words)))
    devices = SimpleNamespace(everything=[], failure="", on_bus=0)
    found = {
        one.name: one.message for one in limits.check(Subject(cast(Any, machine), cast(Any, SimpleNamespace(devices=devices))))
    }
    assert found["open files"].startswith(files) and found["locked memory"] == locked


# ── findings ───────────────────────────────────────────────────────────


def test_a_finding_of_each_level_and_its_json() -> None:
    report = Reporter("limits")
    every = [report.ok("a", "m"), report.unseen("a", "m"), report.warning("a", "m", "f"), report.error("a", "m", "f")]
    levels = ["ok", "not seen", "warning", "error"]
    assert [one.as_json() for one in every] == [
        {"family": "limits", "name": "a", "level": level, "message": "m", "fix": fix}
        for level, fix in zip(levels, ("", "", "f", "f"), strict=True)
    ]


@pytest.mark.parametrize(
    ("everything", "failure", "on_bus", "has"),
    [([], "", 0, False), ([1], "", 0, True), ([], "no driver", 0, True), ([], "", 2, True)],
)
def test_gpus_that_do_not_work_are_there_too(everything: list[int], failure: str, on_bus: int, has: bool) -> None:
    devices = SimpleNamespace(everything=everything, failure=failure, on_bus=on_bus)
    assert Subject(cast(Any, None), cast(Any, SimpleNamespace(devices=devices))).has_gpus is has


@pytest.mark.parametrize(
    ("files", "variable", "inside"),
    [
        ((), None, False),
        ((), "", False),
        ((), "podman", True),
        (("/.dockerenv",), None, True),
        (("/run/.containerenv",), None, True),
    ],
)
def test_a_container_by_its_file_or_its_variable(files: tuple[str, ...], variable: str | None, inside: bool) -> None:
    text: Callable[[str], str | None] = lambda path: "" if path in files else None  # noqa: E731  an empty file counts
    machine = SimpleNamespace(text=text, environ=lambda name: variable if name == "container" else None)
    assert Subject(cast(Any, machine), cast(Any, None)).in_container is inside


def test_facts_of_gpus_are_copies_and_none_without_the_library() -> None:
    answer = {"gpus": [{"index": 0}, {"index": 1}]}
    for said, found in ((answer, [{"index": 0}, {"index": 1}]), ({}, []), (None, [])):
        subject = Subject(cast(Any, SimpleNamespace(probe=lambda name, said=said: said)), cast(Any, None))
        assert subject.gpu_facts == found
    subject = Subject(cast(Any, SimpleNamespace(probe=lambda _: answer)), cast(Any, None))
    subject.gpu_facts[0]["index"] = 5
    assert answer["gpus"][0]["index"] == 0

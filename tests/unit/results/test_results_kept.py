"""What is kept beside a run and read again later: digests, provenance, devices, the machine, repeated runs."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from code.backends.store import SIDECAR
from code.common import version
from code.results import devices, machine, metadata, provenance, seal
from code.results.devices import DeviceShare, laggards
from code.results.machine import MachineState
from code.results.spread import Spread, chance, verdict
from code.rules.metrics import METRICS

# ── digests ────────────────────────────────────────────────────────────


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with two files, sealed."""
    (tmp_path / "data").mkdir()
    (tmp_path / "log.txt").write_text("log")
    (tmp_path / "data" / "inner.txt").write_text("inner!")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "INCOMPLETE").write_text("")
    metadata.write_metadata(tmp_path, {"value": 1})
    return tmp_path


def test_each_file_of_a_run_has_its_size_and_digest(run: Path) -> None:
    content = json.loads((run / "metadata.json").read_text())
    assert content["files"] == {
        "data/inner.txt": {"bytes": 6, "sha256": hashlib.sha256(b"inner!").hexdigest()},
        "log.txt": {"bytes": 3, "sha256": hashlib.sha256(b"log").hexdigest()},
    }
    assert content["value"] == 1 and seal.broken(run) == []


def test_files_added_later_are_not_the_runs(run: Path) -> None:
    (run / "notes.txt").write_text("mine")
    assert seal.broken(run) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("log.txt", "log.txt was removed after the run"),
        ("data/inner.txt", "data/inner.txt was removed after the run"),
    ],
)
def test_a_lost_file_is_named(run: Path, name: str, words: str) -> None:
    (run / name).unlink()
    assert seal.broken(run) == [words]


def test_every_changed_file_and_an_edited_value_are_named(run: Path) -> None:
    (run / "log.txt").write_text("lug")
    (run / "data" / "inner.txt").write_text("INNER!")
    path = run / "metadata.json"
    path.write_text(path.read_text().replace('"value": 1', '"value": 2'))
    assert seal.broken(run) == [
        "metadata.json was edited: it does not fit its own digest",
        "data/inner.txt was changed after the run: its digest differs",
        "log.txt was changed after the run: its digest differs",
    ]


@pytest.mark.parametrize("dropped", ["files", "metadata_sha256"])
def test_a_run_without_digests_is_not_taken_for_whole(run: Path, dropped: str) -> None:
    path = run / "metadata.json"
    content = json.loads(path.read_text())
    del content[dropped]
    path.write_text(json.dumps(content))
    [line] = seal.broken(run)
    assert line.startswith("metadata.json has no digests of the run's files")


def test_an_entry_that_is_no_digest_does_not_pass(run: Path) -> None:
    path = run / "metadata.json"
    content = json.loads(path.read_text())
    content["files"]["log.txt"] = "anything"
    path.write_text(json.dumps(content))
    assert "log.txt was changed after the run: its digest differs" in seal.broken(run)


def test_the_order_of_keys_does_not_matter(run: Path) -> None:
    path = run / "metadata.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items()))))
    assert seal.broken(run) == []


# ── provenance ─────────────────────────────────────────────────────────


def test_provenance_has_the_command_the_versions_and_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tmp_path / "engine-1"
    engine.mkdir()
    (engine / SIDECAR).write_text(json.dumps({"settings": {"precision": "int8"}}))
    monkeypatch.setattr(sys, "argv", ["code.main", "--action=run", "--benchmarks=bert"])
    plan = {"benchmark": "bert"}
    found = provenance.collect(plan, "PerformanceOnly", engine)
    assert found == {
        "schema": provenance.SCHEMA,
        "mode": "PerformanceOnly",
        "arguments": ["--action=run", "--benchmarks=bert"],
        "harness_version": version.project_version(),
        "commit": version.git_commit(),
        "changed": version.git_is_changed(),
        "plan": plan,
        "engine": {"name": "engine-1", "settings": {"precision": "int8"}},
    }
    assert provenance.SCHEMA == 1, "a reader of older runs goes by it"
    assert provenance.collect(plan, "AccuracyOnly", tmp_path / "none", ["a"])["engine"] == {"name": "none"}
    assert provenance.collect(plan, "AccuracyOnly", engine, [])["arguments"] == []


def test_provenance_is_read_from_a_run_and_empty_without_one(tmp_path: Path) -> None:
    assert provenance.read(tmp_path) == {}
    (tmp_path / "provenance.json").write_text('{"mode": "x"}')
    assert provenance.read(tmp_path) == {"mode": "x"}


def test_the_command_repeats_the_run_in_another_mode() -> None:
    given = [
        "--action=run",
        "--benchmarks=bert,gptj",
        "--scenarios=Offline,Server",
        "--test_mode=PerformanceOnly",
        "--log_dir=/x",
    ]
    given += ["--config_ver=all", "--audit_test=TEST01", "--system=A B", "--fast"]
    plan = {"benchmark": "bert", "scenario": "Server", "config_ver": "maxq"}
    content = {"arguments": given, "plan": plan}
    assert provenance.command(content, "AccuracyOnly") == (
        'make run RUN_ARGS="--benchmarks=bert --scenarios=Server --config_ver=maxq --test_mode=AccuracyOnly '
        "'--system=A B' --fast\""
    )
    plain = provenance.command({**content, "plan": {"benchmark": "bert", "scenario": "Server"}}, "AccuracyOnly")
    assert "--config_ver" not in plain and plain.startswith('make run RUN_ARGS="--benchmarks=bert --scenarios=Server --test_mode')


@pytest.mark.parametrize(
    "plan", [None, {}, {"benchmark": "bert"}, {"scenario": "Offline"}, {"benchmark": "", "scenario": "Server"}]
)
def test_a_run_without_its_workload_has_no_command(plan: dict[str, Any] | None) -> None:
    assert provenance.command({"arguments": ["--fast"], "plan": plan}, "AccuracyOnly") == ""


def test_the_digest_of_the_source_changes_with_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "project_root", lambda: tmp_path)
    seen = {provenance.source_digest()}
    for name in ("code/a.py", "configs/b.py"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1")
        seen.add(provenance.source_digest())
    (tmp_path / "code" / "a.py").write_text("2")
    seen.add(provenance.source_digest())
    assert len(seen) == 4
    (tmp_path / "code" / "notes.txt").write_text("x")
    assert provenance.source_digest() in seen, "what is no Python is no source"


# ── devices ────────────────────────────────────────────────────────────

ENTRY = {"index": 3, "name": "GPU-a", "samples": 100, "batches": 10, "busy_s": 2.5, "elapsed_s": 10.0}


def test_a_device_is_read_with_its_busy_share(tmp_path: Path) -> None:
    (tmp_path / "devices.json").write_text(json.dumps([ENTRY, {**ENTRY, "busy_s": 0.0, "elapsed_s": 0.0}]))
    one, other = devices.read(tmp_path)
    assert one == DeviceShare(3, "GPU-a", 100, 10, 0.25) and other.busy == 0.0
    assert DeviceShare(3, "GPU-a", 100, 10, 1 / 3).as_json() == {
        "index": 3,
        "name": "GPU-a",
        "samples": 100,
        "batches": 10,
        "busy_share": 0.3333,
    }


@pytest.mark.parametrize("text", ["", "{", "{}", "[{}]"])
def test_devices_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "devices.json").write_text(text)
    assert devices.read(tmp_path) == []


@pytest.mark.parametrize(("slow", "named"), [(66, True), (67, False)])
def test_a_third_fewer_samples_than_the_others_is_a_lag(slow: int, named: bool) -> None:
    found = laggards([DeviceShare(n, f"d{n}", samples, 1, 1.0) for n, samples in enumerate((slow, 100, 100))])
    assert found == (
        [f"d0 completed {slow} samples, the other devices 100 each: it is slower, or was busy with other work"] if named else []
    )


@pytest.mark.parametrize(("samples", "named"), [(64, 1), (63, 0)])
def test_below_64_samples_nothing_is_called_a_lag(samples: int, named: int) -> None:
    two = [DeviceShare(0, "a", 1, 1, 1.0), DeviceShare(1, "b", samples, 1, 1.0)]
    assert len(laggards(two)) == named


# ── the machine ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("state", "disturbed"),
    [
        (MachineState(4), False),
        (MachineState(4, 0.4), False),
        (MachineState(4, 0.41), True),
        (MachineState(4, None, 0.41), True),
        (MachineState(4, 0.2, 0.21), True),
        (MachineState(4, 0.0, beside=("a run",)), True),
    ],
)
def test_a_tenth_of_the_processors_disturbs_a_run(state: MachineState, disturbed: bool) -> None:
    assert state.disturbed is disturbed and bool(state.notes()) is disturbed


def test_the_machine_in_words() -> None:
    assert MachineState(2).words() == ""
    assert MachineState(2, 0.72, 0.06, 1.44, 1.56, ("bert Offline",)).words() == (
        "0.7 of 2 processors, 0.1 taken by the hypervisor, load 1.4 before and 1.6 after, beside bert Offline"
    )
    assert MachineState(2, 0.0, 0.049, 1.0, None).words() == "0.0 of 2 processors"
    assert MachineState(2, None, 0.05, None, 1.0).words() == "0.1 taken by the hypervisor"


def test_the_notes_say_who_took_the_machine() -> None:
    [note] = MachineState(2, 1.2, 0.3).notes()
    assert note.what == "other processes kept 1.2 of 2 processors busy during the run, and the hypervisor took 0.3"
    assert note.suggestion == "run it again on an idle machine"
    assert "hypervisor" not in MachineState(2, 1.2, 0.04).notes()[0].what
    notes = MachineState(2, 1.2, beside=("a", "b")).notes()
    assert [(note.what, note.suggestion) for note in notes] == [
        ("it ran beside a on the same devices", "run it again alone"),
        ("it ran beside b on the same devices", "run it again alone"),
    ]


def test_a_machine_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    state = MachineState(2, 0.7, 0.1, 1.5, 1.25, ("a run",), 3.0)
    assert machine.of_json(json.loads(json.dumps(state.as_json()))) == state
    (tmp_path / "machine.json").write_text(json.dumps(state.as_json()))
    assert machine.read(tmp_path) == state and machine.read(tmp_path / "none") is None
    assert MachineState(2, 0.12345).as_json()["foreign_cpus"] == 0.123
    assert machine.of_json({"cpus": 1, "beside": []}) == MachineState(1)


@pytest.mark.parametrize(
    "harm",
    [
        {"cpus": 0},
        {"cpus": "2"},
        {"cpus": None},
        {"beside": "x"},
        {"beside": None},
        {"foreign_cpus": -0.1},
        {"stolen_cpus": True},
        {"load_after": "1"},
        {"load_before": math.inf},
        {"waited_s": math.nan},
    ],
)
def test_a_damaged_machine_is_none(harm: dict[str, Any]) -> None:
    assert machine.of_json({**MachineState(2, 0.7).as_json(), "beside": [], **harm}) is None


# ── repeated runs ──────────────────────────────────────────────────────


def test_the_detectable_difference_is_students() -> None:
    """Two sets of five runs: t at 97.5 % with 8 degrees of freedom is 2.306 (any table)."""
    five = Spread((96.0, 98.0, 100.0, 102.0, 104.0))
    assert five.detectable == pytest.approx(2.306 * math.sqrt(10) * math.sqrt(2 / 5) / 100, rel=1e-4)
    assert five.share == pytest.approx(0.08) and five.median == 100
    assert Spread((-1.0, 1.0)).detectable is None and Spread((0.0, 0.0)).share == 0
    assert Spread((-90.0, -110.0)).detectable == pytest.approx(Spread((90.0, 110.0)).detectable)  # type: ignore[arg-type]
    assert Spread((7.0,)).share == 0 and " 1 runs" in Spread((7.0,)).words(METRICS["Offline"])


def test_two_runs_each_are_enough_and_fewer_are_not() -> None:
    assert chance((1.0, 2.0), (1.0,)) is None and chance((1.0,), (1.0, 2.0)) is None
    two = chance((1.0, 2.0), (1.0, 2.0))
    assert two == pytest.approx(1.0)


@pytest.mark.filterwarnings("ignore:Precision loss")
def test_the_chance_is_welchs() -> None:
    """Worked by hand: t = 3.8 / sqrt(4 + 0.04) = 1.89, with 4.04² / (4² + 0.04²) = 1.02 degrees of freedom."""
    wide, narrow = (100.0, 104.0), (98.0, 98.4)
    apart = chance(wide, narrow)
    assert apart is not None and 0.29 < apart < 0.32, "the pooled test, with 2 degrees, would say 0.2"
    assert chance((5.0, 5.0), (5.0, 6.0)) not in (None, 0.0, 1.0), "one set without spread is no special case"
    assert verdict((1.0, 2.0), (1.5, 2.5)).startswith("within the noise of 2 and 2 runs (p = 0.55)")


def test_edges_of_the_machine() -> None:
    assert "hypervisor took 0.1" in MachineState(2, 1.2, 0.05).notes()[0].what
    assert machine.of_json({"cpus": 1, "beside": [], "foreign_cpus": 0}) == MachineState(1, 0.0)
    assert (
        MachineState(1).stolen_cpus == 0 == MachineState(1).waited_s and "0.0 of 4" in MachineState(4, None, 0.5).notes()[0].what
    )

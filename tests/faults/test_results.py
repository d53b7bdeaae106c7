"""A result that looks valid and is not: rules bent, files changed after the run, results that cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code import main
from code.actions.compare import in_words
from code.results import machine, metadata, seal
from code.results.departures import departures
from code.results.loadgen_log import read_detail
from code.results.machine import MachineState
from code.results.verdict import judge
from code.rules.rounds import round_named
from code.submission.audit import comparison
from code.submission.audit.comparison import Side
from code.submission.check import log_checks
from code.submission.check.log_checks import Claim
from tests.faults import made

SERVER = {"requested_scenario": "Server", "effective_scenario": "Server", "result_completed_samples_per_sec": 10.5}

BENT: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "percentile of 2": (
        "v4.1",
        {**SERVER, "effective_target_latency_percentile": 0.02, "effective_target_latency_ns": 130_000_000},
        "server_target_latency_percentile",
        "the latency percentile is 2, not the rule's 99",
    ),
    "bound of a minute": (
        "v4.1",
        {**SERVER, "effective_target_latency_percentile": 0.99, "effective_target_latency_ns": 60_000_000_000},
        "server_target_latency_ns",
        "not the rule's 130 ms of v4.1",
    ),
    "bound of a round without Server": (
        "v6.1",
        {**SERVER, "effective_target_latency_percentile": 0.99, "effective_target_latency_ns": 60_000_000_000},
        "server_target_latency_ns",
        "not the rule's 130 ms of v4.1",
    ),
    "percentile of SingleStream": (
        "v6.1",
        {
            "effective_scenario": "SingleStream",
            "result_90.00_percentile_latency_ns": 5,
            "effective_target_latency_percentile": 0.5,
        },
        "single_stream_target_latency_percentile",
        "the latency percentile is 50, not the rule's 90",
    ),
    "samples of a query": (
        "v6.1",
        {
            "effective_scenario": "MultiStream",
            "effective_samples_per_query": 1,
            "effective_target_latency_percentile": 0.99,
            "result_99.00_percentile_per_query_latency_ns": 5,
        },
        "multi_stream_samples_per_query",
        "a query has 1 samples, not the rule's 8",
    ),
    "sample count": (
        "v6.1",
        {"effective_performance_sample_count": 10},
        "performance_sample_count_override",
        "LoadGen drew from 10 samples, not the rule's 10,833",
    ),
    "a seed": ("v6.1", {"effective_qsl_rng_seed": 7}, "qsl_rng_seed", "qsl_rng_seed is 7, not the rule's"),
    "another round's seeds": (
        "v6.1",
        {"effective_schedule_rng_seed": round_named("v6.0").seeds["schedule_rng_seed"]},
        "schedule_rng_seed",
        "not the rule's",
    ),
}


@pytest.mark.parametrize("name", BENT)
def test_a_rule_that_is_bent_is_named_refused_in_closed_and_noted_in_open(name: str, tmp_path: Path) -> None:
    round_, changed, field, words = BENT[name]
    seeds = {f"effective_{key}": seed for key, seed in round_named(round_).seeds.items()}
    made.detail(tmp_path, **{**seeds, **changed})
    log = read_detail(tmp_path)
    (found,) = departures(log, "bert-99", round_named(round_))
    assert found.field == field and words in found.what and found.suggestion
    verdict = judge(log, (found,))
    identity = metadata.RunIdentity(**{**vars(made.IDENTITY), "scenario": log.scenario})
    content = metadata.performance_metadata(identity, log, verdict)
    assert content["departures"] == [found.as_json()] and found.as_json() in content["notes"]
    everywhere = (
        *round_named(round_).seeds,
        "performance_sample_count_override",
    )  # the official checker refuses these in open too
    for division in ("closed", "open"):
        claim = Claim("bert-99", log.scenario, division, "edge", round_named(round_))
        findings = [f for f in log_checks.performance(tmp_path, claim) if f.check in ("rules", "seeds", "samples")]
        assert findings and any(f.error for f in findings) == (division == "closed" or field in everywhere)


def test_a_run_by_the_rules_departs_from_none(tmp_path: Path) -> None:
    made.detail(tmp_path)
    assert departures(read_detail(tmp_path), "bert-99", round_named("v6.1")) == ()
    assert departures(read_detail(tmp_path), "resnet50", round_named("v6.1")) == (), "a benchmark that is not known here"


# ── files bound to the run ───────────────────────────────────────────────────────────────────


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def without_digests(folder: Path) -> None:
    path = folder / "metadata.json"
    content = json.loads(path.read_text())
    del content["files"], content["metadata_sha256"]
    path.write_text(json.dumps(content))


def flip(folder: Path) -> None:
    path = folder / "mlperf_log_detail.txt"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a score in metadata.json": (edit("metadata.json", "40.25", "80.25"), "metadata.json was edited"),
    "a verdict in metadata.json": (edit("metadata.json", '"VALID"', '"INVALID"'), "metadata.json was edited"),
    "user.conf": (edit("user.conf", "30.5", "31.5"), "user.conf was changed"),
    "a value in the detail log": (edit("mlperf_log_detail.txt", "40.25", "80.25"), "mlperf_log_detail.txt was changed"),
    "a bit of the detail log": (flip, "mlperf_log_detail.txt was changed"),
    "a file that is gone": (lambda folder: (folder / "user.conf").unlink(), "user.conf was removed"),
    "no digests": (without_digests, "no digests"),
    "damaged metadata.json": (lambda folder: (folder / "metadata.json").write_text("{"), "no digests"),
}  # type: ignore[dict-item]


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_that_changed_after_the_run_is_named(name: str, tmp_path: Path) -> None:
    folder = made.run_folder(tmp_path / "run")
    (folder / "added-later.txt").write_text("not the run's")
    assert seal.broken(folder) == []
    change, words = CHANGES[name]
    change(folder)
    found = seal.broken(folder)
    assert len(found) == 1 and words in found[0]


# ── the machine around a run ─────────────────────────────────────────────────────────────────


def test_other_work_on_the_machine_is_noted() -> None:
    assert MachineState(8, 0.5, 0.0).notes() == [] and not MachineState(8).disturbed
    (note,) = MachineState(8, 3.25, 0.5).notes()
    assert "kept 3.2 of 8 processors busy" in note.what and "hypervisor took 0.5" in note.what
    (note,) = MachineState(8, 0.0, beside=("bert-99 Offline (process 5 of ada, since now)",)).notes()
    assert "ran beside bert-99 Offline (process 5" in note.what


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"cpus": 0, "beside": []},
        {"cpus": "x", "beside": []},
        {"cpus": 2},
        {"cpus": 2, "beside": [], "foreign_cpus": float("nan")},
    ],
)
def test_a_damaged_record_of_the_machine_is_none(content: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / machine.MACHINE_FILE).write_text(json.dumps(content))
    assert machine.read(tmp_path) is None


def test_the_record_of_the_machine_is_read_as_written(tmp_path: Path) -> None:
    state = MachineState(2, 0.5, 0.25, 0.1, None, ("x",), 3.0)
    (tmp_path / machine.MACHINE_FILE).write_text(json.dumps(state.as_json()))
    assert machine.read(tmp_path) == state
    assert state.words() == "0.5 of 2 processors, 0.2 taken by the hypervisor, beside x"
    assert MachineState(2, 0.0, 0.0, 1.44, 1.6).words() == "0.0 of 2 processors, load 1.4 before and 1.6 after"
    assert MachineState(2).words() == ""


# ── comparing ────────────────────────────────────────────────────────────────────────────────


def side(**changed: Any) -> Side:
    given: dict[str, Any] = {
        "name": "A",
        "benchmark": "bert-99",
        "scenario": "Offline",
        "value": 100.0,
        "unit": "samples/s",
        "accelerators": 1,
        "higher_is_better": True,
        "validity": "VALID",
        "model": "the reference model",
        "precision": "fp16",
        "devices": "accelerators",
    }
    return Side(**{**given, **changed})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": "the tiny model"}, "model: A is the reference model, B is the tiny model"),
        ({"benchmark": "bert-99.9"}, "accuracy target: A is bert-99, B is bert-99.9"),
        ({"precision": "int8"}, "precision: A is fp16, B is int8"),
        ({"devices": "processors"}, "devices: A is accelerators, B is processors"),
        ({"devices": "simulated"}, "devices: A is accelerators, B is simulated"),
    ],
)
def test_results_that_cannot_be_compared(changed: dict[str, Any], words: str) -> None:
    assert comparison.obstacles(side(), side(**changed)) == [words]
    assert comparison.obstacles(side(), side(precision="")) == [], "what is not known is no obstacle"


def test_a_latency_that_rose_is_higher_by_its_own_percentage() -> None:
    ours, theirs = (side(value=value, higher_is_better=False) for value in (18.87, 26.09))
    change = comparison.change_percent(ours, theirs)
    assert change == pytest.approx(38.26, abs=0.01)
    assert in_words(ours, change) == "B's latency is 38.3 % higher than A's (worse)"
    assert in_words(ours, -10.0) == "B's latency is 10.0 % lower than A's (better)"
    assert in_words(side(), 12.0) == "B is 12.0 % better than A per accelerator"


def test_compare_refuses_a_tiny_model_beside_a_public_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made.run_folder(tmp_path / "run")
    content = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps({**content, "model_variant": "tiny"}))
    words = ["--action=compare", f"--a={folder}", "--b=H100_NVLx4"]
    assert main.main(words) == 2
    assert "not comparable" in (said := capsys.readouterr().err) and "the tiny model" in said
    assert main.main([*words, "--anyway"]) == 0
    out = capsys.readouterr().out
    assert "not comparable: model" in out and "better" not in out and "worse" not in out


# ── calibration ──────────────────────────────────────────────────────────────────────────────


def test_a_subset_is_scored_as_a_subset() -> None:
    np = pytest.importorskip("numpy")
    from code.benchmarks.bert.evaluate import evaluate
    from code.benchmarks.bert.postprocess import _complete_questions

    questions = [SimpleNamespace(identity=str(n), answers=("yes",)) for n in range(4)]
    squad: Any = SimpleNamespace(questions=questions)
    predictions = {"0": "yes", "1": "no"}
    assert evaluate(squad, predictions)["F1"] == 25.0, "as the official script: what is not answered is wrong"
    assert evaluate(squad, predictions, {"0", "1"})["F1"] == 50.0
    features: Any = SimpleNamespace(spans={"question": np.array([0, 1, 1, 2, 3])})
    assert _complete_questions(features, squad, np.array([True, True, False, True, False])) == {"0", "2"}
    assert _complete_questions(features, squad, np.array([False, True, False, False, False])) == {"1"}, "there is no whole one"

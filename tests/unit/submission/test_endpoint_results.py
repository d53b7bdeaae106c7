"""Results of MLCommons endpoints' client: what is read of them, which candidates they are, and the tree they are staged in."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.benchmarks.llama3_1_8b.facts import EDGE_NAME, NAME, SAMPLES
from code.common.errors import MissingError, UsageError
from code.rules.rounds import CURRENT
from code.submission.check import endpoint_checks, official, report_columns, tree_checks
from code.submission.check.finding import Finding, errors
from code.submission.check.log_checks import Claim
from code.submission.stage import candidates, endpoint, endpoint_candidates, endpoint_pages, measurements, staging, system_file
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import Identity
from tests.unit.submission.endpoints import DESCRIBED, MEASURED, SYSTEM, V61, accuracy, set_in, write


def who(division: str = "open", **given: Any) -> Identity:
    fields = {"system_fields": DESCRIBED, "measurement_fields": MEASURED, **given}
    return Identity("Example", division, "datacenter", "available", V61, **fields)


def found_in(*words: str | Path, benchmarks: tuple[str, ...] = (), identity: Identity | None = None) -> list[Candidate]:
    return endpoint_candidates.from_folders(map(str, words), list(benchmarks), SYSTEM, identity or who())


# ── What is read ────────────────────────────────────────────────────────────────────────────────────


def test_the_figures_are_those_of_the_official_checker(tmp_path: Path) -> None:
    online, faults = endpoint.read(write(tmp_path / "a"))
    offline, _ = endpoint.read(write(tmp_path / "b", "offline"))
    assert faults == []
    assert online.figure("Server") == (2000.0, "Tokens/s") and online.figure("Interactive") == (20.0, "Queries/s")
    assert offline.figure("Offline") == (pytest.approx(SAMPLES / 668.4), "Samples/s")
    assert online.figure("SingleStream") == (pytest.approx(3000.000001), "Latency (ms)")
    assert online.needed("Server") == {
        "qps": 20.0,
        "tps": 2000.0,
        "ttft.early_stopping_percentiles.99": 4e8 + 1,
        "tpot.early_stopping_percentiles.99": 2e7 + 1,
    }
    assert offline.needed("Offline") == {"n_samples_issued": SAMPLES, "duration_ns": 668_400_000_000}
    assert online.needed("SingleStream") == {"latency.avg": 3e9, "latency.early_stopping_percentiles.90": 3e9 + 1}
    assert online.scored_samples == SAMPLES and online.score["gen_num"] == SAMPLES
    assert (online.type, online.names, online.load["target_qps"]) == ("online", ("", NAME), 20.0)


def test_a_percentile_may_be_written_as_a_float(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    set_in(folder / endpoint.SUMMARY, "ttft/early_stopping_percentiles", {"99.0": 7, "90": None})
    read, _ = endpoint.read(folder)
    assert (read.tail("ttft", 99), read.tail("ttft", 90), read.tail("none", 99)) == (7.0, None, None)


def test_samples_are_counted_over_the_accuracy_data_sets(tmp_path: Path) -> None:
    one = accuracy()["accuracy_scores"][0]
    old = {key: value for key, value in one.items() if key not in ("total_samples", "dataset_type")}
    empty = {"dataset_type": "accuracy"}
    read = endpoint.EndpointResult({}, {}, {"accuracy_scores": [one, {**one, "dataset_type": "performance"}, old, empty]})
    assert read.scored_samples == 2 * SAMPLES
    nothing = endpoint.EndpointResult({}, {}, {"accuracy_scores": [empty]})
    assert nothing.scored_samples is None and nothing.score is None
    assert nothing.figure("Offline") == (None, "Samples/s") and nothing.figure("SingleStream") == (None, "Latency (ms)")
    assert nothing.figure("Server") == (None, "Tokens/s") and (nothing.type, nothing.names) == ("", ("", ""))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    (folder / "config.yaml").write_text("[" * 100_000)
    (folder / endpoint.SUMMARY).write_text("[]")
    (folder / endpoint.ACCURACY).unlink()
    read, faults = endpoint.read(folder)
    assert [(path.name, what.partition(":")[0]) for path, what in faults] == [
        ("config.yaml", "cannot be read"),
        ("result_summary.json", "cannot be read"),
        ("accuracy_results.json", "missing"),
    ]
    assert (read.config, read.summary, read.accuracy) == ({}, {}, {})
    (folder / "config.yaml").write_text("#" * (endpoint.CONFIG_LIMIT + 1))
    assert "1,048,577 bytes" in endpoint.read(folder)[1][0][1]
    (folder / "config.yaml").rename(folder / "config.yml")
    (folder / "config.yml").write_text("type: online\n")
    assert endpoint.config_file(folder) == folder / "config.yml" and endpoint.read(folder)[0].type == "online"


def test_a_folder_with_logs_of_loadgen_is_none(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    assert endpoint.is_endpoint(folder) and not endpoint.is_endpoint(tmp_path)
    (folder / "accuracy/mlperf_log_detail.txt").write_text("")
    assert not endpoint.is_endpoint(folder)


def test_a_score_that_is_one_number_has_no_metrics() -> None:
    read = endpoint.EndpointResult({}, {}, {"accuracy_scores": [{"score": 0.7}]})
    assert set(endpoint_checks.scores(read).values()) == {None} and endpoint_checks._number("1.2.3") is None
    one = Candidate(SYSTEM, NAME, "Server", Path("p"), Path("a"))
    page = endpoint_pages.readme(one, read, V61)
    assert "Accuracy: 0.7" in page and "Result: not in the summary" in page


# ── Which candidate it is ────────────────────────────────────────────────────────────────────────────────────


def test_benchmark_and_scenario_follow_from_the_config(tmp_path: Path) -> None:
    online, offline = write(tmp_path / "on"), write(tmp_path / "off", "offline")
    found = found_in(online, offline, f"interactive={online}")
    assert [one.key for one in found] == [(SYSTEM, NAME, name) for name in ("Server", "Offline", "Interactive")]
    assert found[0].endpoint == online and found[0].measured_fields == MEASURED and not found[0].open_only
    set_in(online / "config.yaml", "submission_ref", {"model": "llama3_1-8b-edge", "ruleset": "mlperf-inference-v6.1"})
    assert found_in(online, benchmarks=(NAME,))[0].benchmark == EDGE_NAME
    set_in(online / "config.yaml", "submission_ref", {})
    assert found_in(f"SingleStream={online}", benchmarks=(EDGE_NAME,))[0].key == (SYSTEM, EDGE_NAME, "SingleStream")


def test_what_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    online = write(tmp_path / "on")
    set_in(online / "config.yaml", "model_params/name", "my/llama")
    with pytest.raises(UsageError, match="which benchmark") as caught:
        found_in(online)
    assert "'my/llama'" in caught.value.why and f"{NAME}, {EDGE_NAME}" in caught.value.next_step
    assert found_in(online, benchmarks=(NAME,))[0].benchmark == NAME
    with pytest.raises(UsageError, match="which benchmark"):
        found_in(online, benchmarks=(NAME, EDGE_NAME))
    with pytest.raises(UsageError, match=r"two results of llama3\.1-8b Server") as caught:
        found_in(online, write(tmp_path / "again"), benchmarks=(NAME,))
    assert f"{online} and {tmp_path / 'again'}" in caught.value.why
    with pytest.raises(UsageError, match="unknown scenario 'servre'"):
        found_in(f"servre={online}")
    with pytest.raises(UsageError, match="is not a result of MLCommons endpoints"):
        found_in(tmp_path)


def test_a_folder_may_have_an_equals_sign_in_its_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "qps=20")
    assert found_in(folder)[0].endpoint == folder
    assert found_in(f"Interactive={folder}")[0].scenario == "Interactive"


def test_the_tiny_model_is_for_the_open_division(tmp_path: Path) -> None:
    tiny = {**MEASURED, NAME: {"model_variant": "tiny"}}
    (one,) = found_in(write(tmp_path / "a"), identity=who(measurement_fields=tiny))
    assert one.tiny and one.open_only == "the model is the tiny one" and NAME not in one.measured_fields
    claim = Claim(NAME, "Server", "closed", "datacenter", V61, one.tiny)
    assert [found.check for found in staging.check(one, claim)] == ["open_only"]


def test_fields_that_the_submitter_has_not_given_are_named(tmp_path: Path) -> None:
    (one,) = found_in(write(tmp_path / "a"), identity=who(measurement_fields={"retraining": "No"}))
    (found,) = measurements.lacking(one)
    assert "input_data_types, starting_weights_filename" in found.what and 'input_data_types = "int32"' in found.next_step
    assert set(measurements.EXAMPLES) == set(measurements.REQUIRED)
    assert list(measurements.lacking(replace(one, measured_fields=MEASURED))) == []
    assert list(measurements.lacking(replace(one, tree_files={"measurements": tmp_path}))) == []
    with pytest.raises(UsageError, match="nothing could be staged") as caught:
        staging.stage([one], [], who(), tmp_path / "tree")
    assert "nothing tells input_data_types" in caught.value.why


def test_the_system_is_described_by_the_submitter_or_is_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, Path] = {}
    monkeypatch.setattr(system_file, "description_path", lambda name: written.get(name, tmp_path / "none.json"))
    monkeypatch.setattr(system_file, "detect", lambda: "here")
    monkeypatch.setattr(system_file, "match", lambda _: type("Matched", (), {"system_id": "Example_GPUx1"}))
    monkeypatch.setattr(
        system_file, "describe", lambda detected, name: {"system_name": name, "framework": "OpenVINO", "cooling": detected}
    )
    assert system_file.endpoint_name() == SYSTEM
    assert system_file._of_endpoint(SYSTEM) == {"system_name": SYSTEM, "framework": "", "cooling": "here"}
    assert (
        system_file._of_endpoint("Elsewhere")["system_name"] == "Elsewhere"
        and not system_file._of_endpoint("Elsewhere")["cooling"]
    )
    assert not system_file._of_endpoint("Elsewhere_Endpoint")["cooling"]
    written["Example_GPUx1"] = tmp_path / "described.json"
    written["Example_GPUx1"].write_text('{"cooling": "Air"}')
    assert system_file._of_endpoint(SYSTEM) == {"cooling": "Air"}
    (one,) = found_in(write(tmp_path / "a"))
    with pytest.raises(MissingError, match=f"the description of {SYSTEM} lacks"):
        system_file.compose(one, who(system_fields={}))


# ── The tree ────────────────────────────────────────────────────────────────────────────────────


def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, division: str = "closed") -> staging.Staged:
    """A staged tree of three results, from three folders of the client."""
    monkeypatch.setattr(system_file, "description_path", lambda _: tmp_path / "none.json")
    online, offline = write(tmp_path / "on"), write(tmp_path / "off", "offline")
    (offline / "audit").mkdir()
    (offline / "audit/audit_consistency_output_test.json").write_text('{"test": "consistency_output_test", "passed": true}')
    return staging.stage(found_in(online, offline, f"Interactive={online}"), [], who(division), tmp_path / "tree")


def test_a_staged_result_has_the_form_that_the_checker_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = stage(tmp_path, monkeypatch)
    assert errors(done.findings) == [] and len(done.results) == 3
    root = done.root / "closed/Example/results" / SYSTEM / NAME
    for scenario in ("Server", "Offline", "Interactive"):
        files = {path.relative_to(root / scenario).as_posix() for path in (root / scenario).rglob("*") if path.is_file()}
        audits = {"audit/audit_consistency_output_test.json"} if scenario == "Offline" else set()
        assert files == {"config.yaml", endpoint.SUMMARY, endpoint.ACCURACY, "measurements.json", "README.md", *audits}
    measured = json.loads((root / "Server/measurements.json").read_text())
    assert measured == {**MEASURED, "endpoints_version": "0.1.0 ea33275", "round": "v6.1"}
    page = (root / "Server/README.md").read_text()
    assert "Result: 2000 Tokens/s" in page and "| TTFT, 99 % | 400 ms |" in page and "rouge1 38.7792" in page
    assert "| Load | type poisson, target_qps 20.0 |" in page and f"{SAMPLES:,} issued, 0 failed" in page
    calibration = (done.root / "closed/Example/documentation/calibration.md").read_text()
    assert f"{NAME} on {SYSTEM}, measured at an endpoint: weights of fp8. Transformations: quantised to fp8." in calibration
    assert tree_checks.preflight(done.root, V61, "Example") == []
    assert all(entry["endpoint"] for entry in staging.read_record(done.root)["results"])


def test_the_summary_has_their_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {row["Scenario"]: row for row in report_columns.rows(stage(tmp_path, monkeypatch).root, V61)}
    assert (rows["Server"]["Result"], rows["Server"]["Units"], rows["Server"]["inferred"]) == (2000.0, "Tokens/s", 0)
    assert rows["Offline"]["Result"] == pytest.approx(20.0) and "rouge1: 38.7792" in rows["Offline"]["Accuracy"]


def test_a_staged_tree_can_be_staged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = stage(tmp_path, monkeypatch)
    found, findings = candidates.from_tree(done.root)
    assert findings == [] and {one.scenario for one in found} == {"Server", "Offline", "Interactive"}
    assert all(one.measured_fields["weight_data_types"] == "fp8" for one in found)
    again = staging.stage(found, [], who("closed", measurement_fields={}), tmp_path / "again")
    for path in sorted((done.root / "closed/Example/results").rglob("*")):
        if path.is_file():
            assert (again.root / path.relative_to(done.root)).read_bytes() == path.read_bytes()


def test_no_other_scenario_is_inferred_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_file, "description_path", lambda _: tmp_path / "none.json")
    folder = write(tmp_path / "on")
    set_in(folder / endpoint.ACCURACY, "accuracy_scores/0/total_samples", 5000)
    edge = replace(who(), category="edge")
    done = staging.stage(found_in(f"SingleStream={folder}", benchmarks=(EDGE_NAME,), identity=edge), [], edge, tmp_path / "tree")
    assert [place.scenario for place, *_ in done.results] == ["SingleStream"]


def test_a_fault_leaves_a_result_out_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_file, "description_path", lambda _: tmp_path / "none.json")
    online, offline = write(tmp_path / "on"), write(tmp_path / "off", "offline")
    set_in(online / "config.yaml", "settings/runtime/scheduler_random_seed", 137)
    done = staging.stage(found_in(online, offline), [], who(), tmp_path / "tree")
    assert [place.scenario for place, *_ in done.results] == ["Offline"]
    assert [(found.check, found.path) for found in errors(done.findings)] == [("seeds", online / "config.yaml")]


@pytest.mark.official
@pytest.mark.parametrize("division", ["open", "closed"])
def test_the_official_checker_takes_it(division: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = os.environ.get("MLPERF_INFERENCE_DIR", "")
    if not root or not (Path(root) / CURRENT.script).is_file():
        pytest.skip("MLPERF_INFERENCE_DIR names no mlcommons/inference checkout: MLPERF_INFERENCE_DIR=… make test")
    done = stage(tmp_path, monkeypatch, division)
    table = tmp_path / "summary.csv"
    report = official.check(done.root, V61, "Example", table, Path(root), CURRENT)
    assert report.errors == () and report.passed and len(report.results) == 3, report.output
    ours = {row["Scenario"]: row for row in report_columns.rows(done.root, V61)}
    with table.open() as source:
        for row in csv.DictReader(source):
            assert float(row["Result"]) == pytest.approx(ours[row["Scenario"]]["Result"], rel=1e-12)
            assert row["weight_data_types"] == "fp8"


REFUSED = {
    "seeds": ("config.yaml", "settings/runtime/scheduler_random_seed", 137),
    "duration": ("config.yaml", "settings/runtime/min_duration_ms", 1000),
    "latency": (endpoint.SUMMARY, "tpot/early_stopping_percentiles/99", 1.5e8),
    "samples": (endpoint.ACCURACY, "accuracy_scores/0/total_samples", 64),
    "accuracy": (endpoint.ACCURACY, "accuracy_scores/0/score", None),
    "result": (endpoint.SUMMARY, "tps", None),
}


@pytest.mark.official
@pytest.mark.parametrize("check", REFUSED)
def test_what_we_refuse_the_official_checker_refuses(check: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = os.environ.get("MLPERF_INFERENCE_DIR", "")
    if not root or not (Path(root) / CURRENT.script).is_file():
        pytest.skip("MLPERF_INFERENCE_DIR names no mlcommons/inference checkout: MLPERF_INFERENCE_DIR=… make test")
    done = stage(tmp_path, monkeypatch, "open")
    name, keys, value = REFUSED[check]
    set_in(done.root / "open/Example/results" / SYSTEM / NAME / "Server" / name, keys, value)
    found: list[Finding] = tree_checks.preflight(done.root, V61, "Example")
    assert {one.check for one in errors(found)} == {check, "unchanged"}
    assert not official.check(done.root, V61, "Example", tmp_path / "summary.csv", Path(root), CURRENT).passed

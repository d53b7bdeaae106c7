"""A setting that did not reach LoadGen is found, whatever LoadGen makes of it; one that did is not complained about."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import RunError
from code.results.loadgen_log import read_detail
from code.results.settings_check import compare_settings, require_settings


def test_what_was_written_is_what_loadgen_took(loadgen_run: Callable[[str], Any], run_names: list[str]) -> None:
    checked = set()
    for name in run_names:
        run = loadgen_run(name)
        if run.equals == " = " and not run.conf_twice:
            assert compare_settings(run.conf, run.log, scenario=run.scenario, mode=run.mode) == [], name
            checked |= set(run.conf)
    assert len(checked) >= 11


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("offline_valid", "target_qps"),
        ("offline_valid", "min_duration"),
        ("server_valid", "target_qps"),
        ("server_valid", "target_latency"),
        ("server_valid", "min_query_count"),
        ("server_outstanding", "max_async_queries"),
        ("server_tokens", "ttft_latency"),
        ("server_tokens", "tpot_latency"),
        ("single_valid", "target_latency"),
        ("single_valid", "min_query_count"),
        ("single_max_count", "max_query_count"),
        ("single_max_duration", "max_duration"),
        ("multi_valid", "target_latency"),
        ("multi_valid", "performance_sample_count_override"),
        ("accuracy_Offline", "min_query_count"),
        ("accuracy_MultiStream", "target_latency"),
    ],
)
def test_any_other_value_is_a_difference(name: str, key: str, loadgen_run: Callable[[str], Any]) -> None:
    run = loadgen_run(name)
    other = run.conf[key] + 1 if isinstance(run.conf[key], int) else run.conf[key] * 1.001
    differences = compare_settings({**run.conf, key: other}, run.log)
    assert key in {one.key for one in differences}


def test_defaults_of_mlperf_conf_can_be_asked_for(loadgen_run: Callable[[str], Any]) -> None:
    multi = {"samples_per_query": 8, "target_latency_percentile": 99}
    assert compare_settings(multi, loadgen_run("multi_valid").log) == []
    assert [one.key for one in compare_settings({"samples_per_query": 4}, loadgen_run("multi_valid").log)] == [
        "samples_per_query"
    ]
    assert compare_settings({"target_latency_percentile": 90}, loadgen_run("single_valid").log) == []
    seeds = {"qsl_rng_seed": 2085463073848966840, "schedule_rng_seed": 16159082839903944936}
    assert compare_settings(seeds, loadgen_run("single_valid").log) == []


def test_seed_that_differs_in_its_last_digit_is_found_and_sent_to_testsettings(loadgen_run: Callable[[str], Any]) -> None:
    (one,) = compare_settings({"qsl_rng_seed": 2085463073848966841}, loadgen_run("single_valid").log)
    assert one.found == 2085463073848966840
    assert "TestSettings" in one.why


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"target_qbs": 1.0}, "the nearest is target_qps"),
        ({"samples_per_query": 8}, "does not read this key in Offline"),
        ({"target_latency": 130}, "does not read this key in Offline"),
        ({"target_latency_percentile": 90}, "does not read this key in Offline"),
        ({"coalesce_queries": 1}, "does not read this key in Offline"),
        ({"min_duration": 300.5}, "as an integer"),
    ],
)
def test_what_loadgen_would_pass_over_in_silence(asked: dict[str, Any], why: str, loadgen_run: Callable[[str], Any]) -> None:
    (one,) = compare_settings(asked, loadgen_run("offline_valid").log)
    assert why in str(one)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("server_valid", "effective_min_query_count", 499),
        ("single_valid", "effective_min_query_count", 63),
        ("multi_valid", "effective_min_query_count", 663),
        ("single_equal_issue", "effective_min_query_count", 101),
        ("offline_valid", "effective_samples_per_query", 999),
        ("offline_valid", "effective_min_query_count", 2),
    ],
)
def test_a_query_count_that_loadgen_changed_is_a_difference(
    name: str, key: str, value: int, loadgen_run: Callable[[str], Any]
) -> None:
    run = loadgen_run(name)
    asked = {"min_query_count": run.conf["min_query_count"]}
    assert compare_settings(asked, run.log) == []
    entries = tuple(replace(entry, value=value) if entry.key == key else entry for entry in run.log.entries)
    (one,) = compare_settings(asked, replace(run.log, entries=entries))
    assert (one.key, one.log_key, one.found) == ("min_query_count", key, value)


def test_missing_spaces_around_the_equals_sign_are_found(loadgen_run: Callable[[str], Any]) -> None:
    run = loadgen_run("no_spaces")
    assert not run.log.errors, "LoadGen itself says nothing"
    found = {one.key: one for one in compare_settings(run.conf, run.log)}
    assert set(found) == set(run.conf)
    assert found["target_qps"].found == 1
    assert "was not read" in found["target_qps"].why


def test_audit_config_shows_as_a_difference_unless_asked_for(loadgen_run: Callable[[str], Any]) -> None:
    run = loadgen_run("offline_audit")
    audit = {"accuracy_log_rng_seed": 720381539243781796, "accuracy_log_sampling_target": 10}
    assert compare_settings({**run.conf, **audit}, run.log) == []
    plain = compare_settings({"accuracy_log_sampling_target": 0, "accuracy_log_rng_seed": 0}, run.log)
    assert {one.key for one in plain} == set(audit)


def test_other_scenario_or_mode_is_a_difference(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("offline_valid").log
    found = compare_settings({}, log, scenario="Server", mode="AccuracyOnly")
    assert [one.key for one in found] == ["scenario", "test_mode"]
    assert compare_settings({"mode": 2}, log) == []
    assert [one.expected for one in compare_settings({"mode": 1}, log)] == ["AccuracyOnly"]


def test_differences_are_one_run_error_that_lists_them(loadgen_run: Callable[[str], Any]) -> None:
    run = loadgen_run("offline_valid")
    require_settings(run.conf, run.log, scenario="Offline", mode="PerformanceOnly")
    with pytest.raises(RunError) as raised:
        require_settings({**run.conf, "min_duration": 600000, "target_qps": 99.5}, run.log)
    assert raised.value.what.endswith("target_qps, min_duration")
    assert "requested_offline_expected_qps is 12345.7, not 99.5" in raised.value.why
    assert "requested_min_duration_ms is 300, not 600000" in raised.value.why


def test_public_user_confs_agree_with_their_logs(shared: Path) -> None:
    root = shared / "data" / "mlperf_logs" / "closed" / "NVIDIA"
    confs = sorted(root.glob("measurements/*/*/*/user.conf"))
    compared = 0
    for conf in confs:
        scenario = conf.parent.name
        run = root / "results" / conf.relative_to(root / "measurements").parent / "performance" / "run_1"
        if not run.is_dir():
            continue
        pairs = re.findall(r"^\S+?\.(\w+)\.(\w+) = (\S+)$", conf.read_text(), flags=re.MULTILINE)
        asked = {key: float(value) if "." in value else int(value) for where, key, value in pairs if where in ("*", scenario)}
        assert asked and compare_settings(asked, read_detail(run), scenario=scenario, mode="PerformanceOnly") == []
        compared += 1
    assert compared >= 4

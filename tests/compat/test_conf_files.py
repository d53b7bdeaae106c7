"""user.conf and mlperf.conf of other tools: their settings join the plan with file and line, in LoadGen's order."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.common.errors import HarnessError
from code.plan.request import parse
from code.plan.workload import Workload, build

USER = """\
# Written by a tool
*.*.min_duration = 2000

bert.Offline.target_qps = 123.5
bert.*.min_query_count = 7
*.Offline.min_query_count = 8
*.Server.target_qps = 9
bert.Server.target_latency = 65
bert.Server.target_latency_percentile = 95
3d-unet.SingleStream.target_latency = 0.5 # ms
"""


def plan(*arguments: str, scenario: str = "offline", benchmark: str = "bert") -> Workload:
    """The one workload of a line."""
    words = ["--action=run", "--dry_run", "--system=H100_SXM_80GBx8", f"--benchmarks={benchmark}", f"--scenarios={scenario}"]
    workloads, failed = build(parse([*words, *arguments], {}))
    if failed:
        raise failed[0].error
    (workload,) = workloads
    return workload


def written(folder: Path, text: str, name: str = "user.conf") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_settings_join_the_plan_with_file_and_line(tmp_path: Path) -> None:
    path = written(tmp_path, USER)
    workload = plan(f"--user_conf_path={path}")
    assert (workload["offline_expected_qps"], workload.origin("offline_expected_qps")) == (123.5, f"{path}:4")
    assert (workload["min_duration"], workload.origin("min_duration")) == (2000, f"{path}:2")
    server = plan(f"--user_conf_path={path}", scenario="server")
    assert (server["server_target_qps"], server["server_target_latency_ns"]) == (9.0, 65_000_000)
    assert server["server_target_latency_percentile"] == 95
    single = plan(f"--user_conf_path={path}", scenario="singlestream", benchmark="3d-unet")
    assert single["single_stream_expected_latency_ns"] == 500_000


def test_a_scenario_goes_before_a_model_as_in_loadgen(tmp_path: Path) -> None:
    path = written(tmp_path, USER)
    workload = plan(f"--user_conf_path={path}")
    assert (workload["min_query_count"], workload.origin("min_query_count")) == (8, f"{path}:6")
    exact = written(tmp_path, USER + "bert.Offline.min_query_count = 9\n*.*.min_query_count = 1\n", "exact.conf")
    assert plan(f"--user_conf_path={exact}")["min_query_count"] == 9


def test_user_conf_goes_before_the_command_line_which_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, USER)
    workload = plan(f"--user_conf_path={path}", "--offline_expected_qps=100", "--min_duration=2000")
    assert workload["offline_expected_qps"] == 123.5
    said = [note for note in workload.notes if "goes before the command line's" in note]
    assert said == [f"offline_expected_qps is 123.5 of {path}:4, which goes before the command line's 100.0"]


def test_mlperf_conf_applies_below_everything(tmp_path: Path) -> None:
    text = "*.Offline.target_qps = 1.0\n*.*.qsl_rng_seed = 11\n*.*.test05_qsl_rng_seed = 5\nbert.*.performance_sample_count_override = 3\n"
    path = written(tmp_path, text + "*.*.max_duration = 900000\n*.*.min_duration = 700000\n", "mlperf.conf")
    workload = plan(f"--mlperf_conf_path={path}", "--min_duration=5000")
    assert workload["offline_expected_qps"] > 1 and workload["min_duration"] == 5000
    assert (workload["qsl_rng_seed"], workload.origin("qsl_rng_seed")) == (11, f"{path}:2")
    assert (workload["max_duration"], workload["performance_sample_count_override"]) == (900_000, None)
    assert not workload.notes
    assert plan(f"--mlperf_conf_path={path}", "--round=v5.1")["qsl_rng_seed"] is None
    above = written(tmp_path, "*.*.max_duration = 800000\n")
    assert plan(f"--mlperf_conf_path={path}", f"--user_conf_path={above}")["max_duration"] == 800_000


def test_what_is_not_used_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, "bert.Offline.target_qsp = 5\n*.*.print_timestamps = 1\ngptj.Offline.target_qps = 3\n")
    notes = plan(f"--user_conf_path={path}").notes
    assert f"{path}:1: LoadGen has no setting 'target_qsp'; did you mean 'target_qps'?" in notes
    assert f"{path}:2: print_timestamps is not used in Offline: no option sets it" in notes
    assert f"{path} has no setting for bert Offline" in notes


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("*.*.min_duration\n", ":1", "model.scenario.key = value"),
        ("\n*.*.min_duration = ten\n", ":2", "min_duration cannot be 'ten'"),
        ("*.Offline.target_qps = nan\n", ":1", "target_qps cannot be 'nan'"),
        ("*.Offline.target_qps = -3\n", ":1", "offline_expected_qps cannot be -3"),
        ("*.*.min_duration = 1.5\n*.*.max_query_count = -1\n", ":2", "max_query_count cannot be -1"),
        ("<<<<<<< HEAD\n", ":1", "model.scenario.key = value"),
    ],
)
def test_a_bad_line_is_an_error_at_its_place(tmp_path: Path, text: str, where: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(HarnessError) as caught:
        plan(f"--user_conf_path={path}")
    assert caught.value.exit_status == 2
    assert caught.value.where == f"{path}{where}" and words in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for option in ("--user_conf_path", "--mlperf_conf_path"):
        with pytest.raises(HarnessError) as caught:
            plan(f"{option}={tmp_path}/none.conf")
        assert caught.value.exit_status == 3 and "none.conf" in caught.value.what
    with pytest.raises(HarnessError) as caught:
        plan(f"--user_conf_path={tmp_path}")
    assert caught.value.exit_status == 2


def test_loadgens_own_file_changes_no_plan(project: Path, tmp_path: Path) -> None:
    """The mlperf.conf that LoadGen carries says what LoadGen does anyway."""
    path = project / "build" / "loadgen" / "mlperf.conf"
    if not path.is_file():
        pytest.skip("LoadGen's sources are not here (`make build` fetches them)")
    workload = plan(f"--mlperf_conf_path={path}")
    assert not workload.notes and workload["offline_expected_qps"] > 1

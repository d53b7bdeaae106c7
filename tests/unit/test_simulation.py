"""Simulated runs: their table follows from the config's own expected value, and nothing they measure passes for a result."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.backends.base import backend
from code.common.errors import HarnessError, MissingError, UsageError
from code.common.notices import Notices
from code.plan import workload as plan
from code.plan.request import Value, parse
from code.plan.workload import Workload
from code.rules.benchmarks import facts_of
from code.run import material, simulation
from code.run.job import Job
from code.run.placement import place

LENGTHS = [64, 128, 384]


def planned(scenario: str, *words: str) -> Workload:
    given = [
        "--action=run",
        "--benchmarks=bert",
        f"--scenarios={scenario}",
        "--system=A100_SXM4_40GBx8",
        "--backend=simulated",
        *words,
    ]
    return plan.build(parse(given, {}))[0][0]


def table(scenario: str, *words: str) -> dict[str, Any]:
    workload = planned(scenario, *words)
    return simulation.derived_table(workload, place(workload, backend("simulated")), LENGTHS)


def rate(found: dict[str, Any]) -> float:
    """Samples/s of one device at the mean length."""
    mean = sum(LENGTHS) / len(LENGTHS)
    (short, long), (least, most) = found["lengths"], found["microseconds"][-1]
    return float(found["batches"][-1] * 1e6 / (least + (most - least) * (mean - short) / (long - short)))


@pytest.mark.parametrize("count", [1, 2, 42, 43, 64, 65, 130])
def test_a_small_data_set_has_the_mean_length_of_all_quantiles(count: int) -> None:
    """3D-UNet has 43 samples and 65 quantiles: the first 43 of these would be the shortest."""
    quantiles = sorted(max(1, round(40 * (i / 64) ** 3)) for i in range(65))
    found = simulation.synthetic(count, quantiles)["lengths"]
    assert len(found) == min(count, 65)
    assert sum(found) / len(found) == pytest.approx(sum(quantiles) / len(quantiles), abs=1 / len(found))
    assert min(found) >= 1 and max(found) <= 41


def prepared(folder: Path | None) -> Any:
    """A benchmark whose data set has three samples, in `folder`; None: it is not prepared."""

    def dataset(_values: object) -> dict[str, Any]:
        if folder is None:
            raise MissingError("no arrays", "", "")
        np.save(folder / "lengths.npy", np.array([300, 5, 9]))
        return {"kind": "sequence", "folder": str(folder), "lengths": "lengths.npy", "count": 3}

    return SimpleNamespace(samples=10833, facts=facts_of("bert"), dataset=dataset)


def test_a_users_own_data_set_is_simulated_sample_by_sample(tmp_path: Path) -> None:
    simulated, own = backend("simulated"), planned("server", "--data_path=mine.json")
    found = material.dataset(own, simulated, prepared(tmp_path))
    assert (found["count"], found["usual_count"], found["lengths"]) == (3, 10833, [300, 5, 9])
    assert material.lengths(own, prepared(tmp_path)) == [300, 5, 9]
    assert material.lengths(planned("server", "--model_variant=tiny"), prepared(tmp_path)) == [300, 5, 9]
    usual = [*facts_of("bert").length_spread]
    reference = planned("server", "--model_variant=reference")
    for workload, benchmark in ((reference, prepared(tmp_path)), (own, prepared(None))):
        found = material.dataset(workload, simulated, benchmark)
        assert (found["count"], found["usual_count"], found["lengths"]) == (10833, 10833, usual)
        assert material.lengths(workload, benchmark) == usual


def test_a_users_own_data_set_that_is_not_prepared_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    for words, noted in ((("--model_variant=tiny",), False), (("--data_path=mine.json",), True)):
        job = Job(planned("server", *words), Notices())
        assert job.lengths == [*facts_of("bert").length_spread]
        assert ("yours is not prepared here" in capsys.readouterr().out) is noted


def test_what_a_config_sets_for_its_own_backend_is_not_named_where_another_is_simulated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def warned(*words: str) -> str:
        given = ["--action=run", "--benchmarks=llama3.1-8b", "--scenarios=interactive", "--system=CPU_x86_64", *words]
        Job(plan.build(parse(given, {}))[0][0], Notices()).warn_unused()
        return capsys.readouterr().err

    assert warned() == warned("--backend=simulated") == "", "max_num_tokens is the config's, for OpenVINO GenAI"
    assert "max_num_tokens (it is for the backend openvino_genai" in warned("--backend=simulated", "--max_num_tokens=64")
    assert "use_graphs" in warned("--backend=simulated", "--use_graphs=true")
    own = planned("server")
    assert own.config_backend == "tensorrt" and own["backend"] == "simulated"


def test_what_a_config_sets_for_no_backend_is_named_whichever_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    for backend_of_run in ("tensorrt", "simulated"):
        origin = "config x.py:1 (X)"
        changed = {"backend": Value(backend_of_run, "command line"), "kv_cache_gb": Value(2.0, origin)}
        Job(planned("server").with_values(changed), Notices()).warn_unused()
        assert "kv_cache_gb (it is for gptj" in capsys.readouterr().err


def test_all_devices_together_reach_the_configs_rate() -> None:
    assert rate(table("offline")) * 8 == pytest.approx(planned("offline")["offline_expected_qps"], rel=1e-3)


def test_fewer_devices_do_not_get_faster() -> None:
    assert rate(table("offline", "--devices=0")) == pytest.approx(rate(table("offline")), rel=1e-6)


def test_a_server_target_leaves_the_devices_some_air() -> None:
    assert rate(table("server")) * 8 * simulation.SERVER_SHARE == pytest.approx(planned("server")["server_target_qps"], rel=1e-3)


def test_single_stream_takes_its_expected_latency() -> None:
    assert rate(table("singlestream")) == pytest.approx(
        1e9 / planned("singlestream")["single_stream_expected_latency_ns"], rel=1e-3
    )


def good() -> dict[str, Any]:
    return {"batches": [1, 8], "lengths": [1, 384], "microseconds": [[10, 20], [40, 90]]}


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(json.dumps(good()))
    assert simulation.read_table(file) == good()


BAD: dict[str, Any] = {
    "missing key": {k: v for k, v in good().items() if k != "lengths"},
    "unknown key": {**good(), "colour": 1},
    "falling": {**good(), "batches": [8, 1]},
    "rows": {**good(), "microseconds": [[10, 20]]},
    "columns": {**good(), "microseconds": [[10], [40]]},
    "negative": {**good(), "microseconds": [[-1, 20], [40, 90]]},
    "not a number": {**good(), "microseconds": [[float("nan"), 20], [40, 90]]},
    "text": {**good(), "lengths": ["1", "384"]},
    "fault": {**good(), "fault": "explode"},
    "a list": [1],
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_what_is_not_a_table_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(json.dumps(BAD[name]))
    with pytest.raises(UsageError, match="not a table") as caught:
        simulation.read_table(file)
    assert caught.value.why and caught.value.next_step


def test_a_table_that_is_not_there_and_one_that_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        simulation.read_table(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text("{")
    with pytest.raises(UsageError, match="not valid JSON"):
        simulation.read_table(tmp_path / "cut.json")


def test_only_the_cpp_harness_simulates(tmp_path: Path) -> None:
    assert "python" not in backend("simulated").harness_languages
    with pytest.raises(HarnessError, match="does not support simulated engines"):
        backend("simulated").load(tmp_path, None)  # type: ignore[arg-type]

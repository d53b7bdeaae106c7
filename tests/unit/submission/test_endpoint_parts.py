"""Results of MLCommons endpoints' client, part by part: the limits of what is read, and each line of what documents a result."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from code.benchmarks.llama3_1_8b.facts import NAME, SAMPLES
from code.common.files import write_json
from code.submission.check.log_checks import Claim
from code.submission.stage import eligible, endpoint, endpoint_candidates, endpoint_pages
from code.submission.stage.candidates import Candidate
from code.submission.stage.endpoint import ACCURACY, CONFIGS, PUBLISHED, SUMMARY, EndpointResult
from tests.unit.submission.endpoints import MEASURED, SYSTEM, V61, set_in, write


def candidate(folder: Path, **given: Any) -> Candidate:
    """A result of such a folder, with every field that a submitter gives."""
    parts = (folder / "performance", folder / "accuracy")
    return replace(Candidate(SYSTEM, NAME, "Server", *parts, endpoint=folder, measured_fields=dict(MEASURED)), **given)


# ── The limits of what is read ────────────────────────────────────────────────────────────────────────


def nested(keys: str, value: Any) -> dict[str, Any]:
    """{'a': {'b': value}} of 'a/b'."""
    first, _, rest = keys.partition("/")
    return {first: nested(rest, value) if rest else value}


def kept(folder: Path, name: str, keys: str, value: Any) -> bool:
    """Whether a value is read; of the whole file there is nothing else."""
    content = nested(keys, value)
    (folder / name).write_text(yaml.safe_dump(content) if name in CONFIGS else json.dumps(content))
    read = endpoint.read(folder)[0]
    found: Any = {CONFIGS[0]: read.config, SUMMARY: read.summary, ACCURACY: read.accuracy}[name]
    for key in keys.split("/"):
        found = found.get(key, {})
    return bool(found == value)


@pytest.mark.parametrize(
    ("name", "keys", "longest"),
    [
        (SUMMARY, "version", 100),
        (SUMMARY, "git_sha", 100),
        (CONFIGS[0], "type", 40),
        (CONFIGS[0], "model_params/name", 400),
        (CONFIGS[0], "submission_ref/model", 200),
        (CONFIGS[0], "settings/load_pattern/type", 40),
    ],
)
def test_longer_words_than_any_client_writes_are_not_read(name: str, keys: str, longest: int, tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    assert kept(folder, name, keys, "w" * longest) and not kept(folder, name, keys, "w" * (longest + 1))


@pytest.mark.parametrize(
    ("name", "keys", "most"),
    [
        *((SUMMARY, name, 2**63) for name in ("n_samples_issued", "n_samples_completed", "n_samples_failed", "duration_ns")),
        *((CONFIGS[0], f"settings/runtime/{name}", 2**64 - 1) for name in endpoint.SEEDS),
        (CONFIGS[0], "settings/runtime/min_duration_ms", 2**63),
        (CONFIGS[0], "settings/load_pattern/target_concurrency", 2**63),
    ],
)
def test_counts_and_seeds_are_whole_numbers_in_their_range(name: str, keys: str, most: int, tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    for value, read in ((0, True), (most, True), (most + 1, False), (-1, False), (1.5, False), ("1", False)):
        assert kept(folder, name, keys, value) == read, value


@pytest.mark.parametrize("keys", ["qps", "tps", "latency/avg", "ttft/early_stopping_percentiles/99", "tpot/avg"])
def test_rates_and_times_are_numbers_from_zero(keys: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    for value, read in ((0.0, True), (2.5, True), (7, True), (-0.5, False), ("7", False), (True, False)):
        assert kept(folder, SUMMARY, keys, value) == read, value


def test_kinds_of_data_sets_have_short_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    for length, counted in ((40, None), (41, 7)):
        write_json(folder / ACCURACY, {"accuracy_scores": [{"dataset_type": "w" * length, "total_samples": 7}]})
        assert endpoint.read(folder)[0].scored_samples == counted, "a name that is not read is as none, which is accuracy"


def test_a_config_of_just_the_size_that_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    path = folder / CONFIGS[0]
    for more, reason in ((0, []), (1, [f"cannot be read: it has {2**20 + 1:,} bytes, and at most {2**20:,} are read"])):
        path.write_text("type: online\n#".ljust(2**20 + more, "x"))
        read, faults = endpoint.read(folder)
        assert [what for _, what in faults] == reason and read.type == ("" if more else "online")


def test_which_folder_is_a_result(tmp_path: Path) -> None:
    for name in (*CONFIGS, SUMMARY, PUBLISHED):
        folder = tmp_path / name.replace("/", "_")
        (folder / name).parent.mkdir(parents=True)
        assert not endpoint.is_endpoint(folder)
        (folder / name).write_text("x")
        assert endpoint.is_endpoint(folder), f"{name} alone is one"
    (tmp_path / "logs/performance/run_1").mkdir(parents=True)
    (tmp_path / "logs/config.yaml").write_text("x")
    (tmp_path / "logs/performance/run_1/mlperf_log_detail.txt").write_text("x")
    assert not endpoint.is_endpoint(tmp_path / "logs")
    (tmp_path / "score").mkdir()
    (tmp_path / "score/accuracy_results.json").write_text("x")
    assert not endpoint.is_endpoint(tmp_path / "score")


def test_the_first_config_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "offline")
    (folder / "config.yml").write_text("type: online\n")
    assert endpoint.config_file(folder) == folder / "config.yaml" and endpoint.read(folder)[0].type == "offline"
    (folder / "config.yaml").unlink()
    assert endpoint.read(folder)[0].type == "online"
    (folder / "config.yml").unlink()
    assert endpoint.config_file(folder) is None and endpoint.read(folder)[1] == [(folder / "config.yaml", "missing")]


def test_the_names_that_say_which_benchmark_it_is() -> None:
    read = EndpointResult({"submission_ref": {"model": "a"}, "model_params": {"name": "b"}}, {}, {})
    assert read.names == ("a", "b") and read.load == {} and read.runtime == {}


def test_nothing_is_divided_by_a_duration_of_zero() -> None:
    for summary in ({"n_samples_issued": 5, "duration_ns": 0}, {"n_samples_issued": 0, "duration_ns": 5}, {"duration_ns": 5}):
        assert EndpointResult({}, summary, {}).figure("Offline") == (None, "Samples/s")


# ── Which candidate it is ───────────────────────────────────────────────────────────────────────────────


def test_a_kind_that_is_not_known_is_server_and_this_machine_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_candidates.system_file, "endpoint_name", lambda: "Here_Endpoint")
    folder = write(tmp_path / "a")
    set_in(folder / "config.yaml", "type", "other")
    scenario = endpoint_candidates._scenario(endpoint.read(folder)[0])
    assert scenario == "Server" == endpoint_candidates._scenario(EndpointResult({}, {}, {}))
    assert endpoint_candidates._scenario(EndpointResult({"type": "offline"}, {}, {})) == "Offline"


# ── What documents it ─────────────────────────────────────────────────────────────────────────────────


def facts(page: str) -> dict[str, str]:
    """The rows of a page's table."""
    rows = [line.strip("| ").partition(" | ") for line in page.splitlines() if line.startswith("| ") and " --- " not in line]
    return {name: text for name, _, text in rows[1:]}


def test_every_line_of_the_page(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    page = endpoint_pages.readme(candidate(folder), endpoint.read(folder)[0], V61)
    head, _, rest = page.partition("## To reproduce it")
    score = "gen_len 8167644, gen_num 13368, rouge1 38.7792, rouge2 15.9075, rougeL 24.4957, rougeLsum 35.793"
    assert head == f"# {NAME} Server on {SYSTEM}\n\nResult: 2000 Tokens/s\nAccuracy: {score}\n\n"
    assert "\n```\ninference-endpoint benchmark from-config --config config.yaml --mode both\n```\n" in rest
    assert facts(page) == {
        "Round": "v6.1, with its seeds",
        "MLCommons endpoints": "0.1.0 ea33275",
        "Model at the server": NAME,
        "Load": "type poisson, target_qps 20.0",
        "Requests": f"{SAMPLES:,} issued, 0 failed",
        "Weights": MEASURED["starting_weights_filename"],
        "Precision": "fp8",
        "TTFT, 99 %": "400 ms",
        "TPOT, 99 %": "20 ms",
    }
    assert page.endswith("| TPOT, 99 % | 20 ms |\n")


def test_what_is_not_known_has_no_line(tmp_path: Path) -> None:
    page = endpoint_pages.readme(candidate(tmp_path, measured_fields={}), EndpointResult({}, {}, {}), V61)
    assert facts(page) == {"Round": "v6.1, with its seeds", "Requests": "0 issued, 0 failed"}
    assert "Result: not in the summary\nAccuracy: None\n" in page


def test_what_is_for_open_only_says_so(tmp_path: Path) -> None:
    tiny = candidate(tmp_path, measured_fields={**MEASURED, "model_variant": "tiny"})
    read = EndpointResult({}, {"version": "1"}, {})
    assert "Accuracy: None\n\n**The model is the tiny one.**\n\n## To reproduce it\n" in endpoint_pages.readme(tiny, read, V61)
    assert "**" not in endpoint_pages.readme(candidate(tmp_path), read, V61)
    noted = {"division_note": "the model is the tiny one", "model_variant": "tiny"}
    assert endpoint_pages.content(tiny, read, V61) == {**MEASURED, **noted, "endpoints_version": "1", "round": "v6.1"}
    assert endpoint_pages.content(candidate(tmp_path), read, V61) == {**MEASURED, "endpoints_version": "1", "round": "v6.1"}


def test_the_paragraph_on_calibration(tmp_path: Path) -> None:
    words = f"{NAME} on {SYSTEM}, measured at an endpoint: weights of fp8. Transformations: quantised to fp8."
    assert endpoint_pages.calibration(candidate(tmp_path)) == words
    dotted = candidate(tmp_path, measured_fields={"weight_transformations": "none."})
    assert endpoint_pages.calibration(dotted).endswith(": weights of not stated. Transformations: none.")
    assert endpoint_pages.calibration(candidate(tmp_path, endpoint=None)) == ""


# ── Reasons not to stage it ────────────────────────────────────────────────────────────────────────────


def test_the_rules_and_the_submitters_fields_are_asked_of_a_result(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    claim = Claim(NAME, "Server", "closed", "datacenter", V61)
    assert eligible.check(candidate(folder), claim) == []
    set_in(folder / SUMMARY, "n_samples_failed", 3)
    few = candidate(folder, measured_fields={**MEASURED, "retraining": ""})
    assert [one.check for one in eligible.check(few, claim)] == ["errors", "measurements"]


@pytest.mark.parametrize(
    ("division", "category", "benchmark", "found"),
    [
        ("closed", "datacenter", "gptj-99", ["round", "category"]),
        ("open", "datacenter", "gptj-99", ["round"]),
        ("closed", "edge", NAME, ["category"]),
        ("network", "edge", NAME, ["category"]),
        ("open", "edge", NAME, []),
    ],
)
def test_what_the_round_does_not_have_is_the_only_reason_told(
    division: str, category: str, benchmark: str, found: list[str], tmp_path: Path
) -> None:
    folder = write(tmp_path / "a")
    one = candidate(folder, benchmark=benchmark)
    claim = Claim(benchmark, "Server", division, category, V61)
    said = eligible.check(one, claim)
    assert [finding.check for finding in said] == found and {finding.path for finding in said} <= {one.performance}

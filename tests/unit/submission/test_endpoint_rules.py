"""The rules for a result of MLCommons endpoints' client, one at a time: what is said, where, what to do, and what is just allowed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from code.benchmarks.llama3_1_8b.facts import EDGE_NAME, NAME, REFERENCE, SAMPLES
from code.rules.rounds import Round, round_named
from code.submission.check import endpoint_checks
from code.submission.check.log_checks import Claim
from code.submission.stage.endpoint import ACCURACY, PUBLISHED, SUMMARY, EndpointResult
from tests.unit.submission.endpoints import V61, set_in, write

AGAIN = "run the client again"
BOTH = f"{AGAIN} with --mode both, which writes both reports"
WHOLE = f"{AGAIN} with --mode both and the whole data set of type accuracy"
RUNTIME = "settings/runtime"
SCORE = "accuracy_scores/0/score"
Harm = Callable[[Path], object]


class Said(NamedTuple):
    """A finding, its path within the result's folder."""

    path: str
    check: str
    what: str
    step: str
    error: bool = True
    own: bool = False


def found(folder: Path, scenario: str = "Server", division: str = "closed", name: str = NAME, round_: Round = V61) -> list[Said]:
    """What is wrong with a result as it is claimed."""
    every = endpoint_checks.check(folder, Claim(name, scenario, division, "datacenter", round_))
    return [
        Said(one.path.relative_to(folder).as_posix(), one.check, one.what, one.next_step, one.error, one.own) for one in every
    ]


def sets(name: str, keys: str, value: Any = None) -> Harm:
    """A key has another value; None drops it."""
    return lambda folder: set_in(folder / name, keys, value)


def published(folder: Path) -> None:
    (folder / PUBLISHED).parent.mkdir()
    (folder / SUMMARY).rename(folder / PUBLISHED)


HARMED: dict[str, tuple[Harm, Said]] = {
    "no config": (lambda folder: (folder / "config.yaml").unlink(), Said("config.yaml", "files", "missing", BOTH)),
    "no summary": (lambda folder: (folder / SUMMARY).unlink(), Said(SUMMARY, "files", "missing", BOTH)),
    "no scores": (lambda folder: (folder / ACCURACY).unlink(), Said(ACCURACY, "files", "missing", BOTH)),
    "summary in run_1": (
        published,
        Said(
            SUMMARY,
            "files",
            "missing: it is in run_1, where the official checker does not look",
            "mv {folder}/performance/run_1/result_summary.json {folder}/performance/result_summary.json, "
            "and put config.yaml beside performance/",
        ),
    ),
    "kind": (
        sets("config.yaml", "type", "offline"),
        Said(
            "config.yaml",
            "scenario",
            "type is 'offline'; the official checker takes Server from type online",
            f"{AGAIN} with type: online",
        ),
    ),
    "data's seed": (
        sets("config.yaml", f"{RUNTIME}/dataloader_random_seed", 111),
        Said(
            "config.yaml",
            "seeds",
            f"settings.runtime.dataloader_random_seed is 111, v6.1 requires {V61.seeds['sample_index_rng_seed']}",
            f"set it, and {AGAIN}",
        ),
    ),
    "schedule's seed": (
        sets("config.yaml", f"{RUNTIME}/scheduler_random_seed"),
        Said(
            "config.yaml",
            "seeds",
            f"settings.runtime.scheduler_random_seed is None, v6.1 requires {V61.seeds['schedule_rng_seed']}",
            f"set it, and {AGAIN}",
        ),
    ),
    "short": (
        sets("config.yaml", f"{RUNTIME}/min_duration_ms", 599_999),
        Said(
            "config.yaml",
            "duration",
            "settings.runtime.min_duration_ms is 599999; the checker requires 600000 or more in every division",
            f"set it, and {AGAIN}",
        ),
    ),
    "no duration": (
        sets("config.yaml", f"{RUNTIME}/min_duration_ms"),
        Said(
            "config.yaml",
            "duration",
            "settings.runtime.min_duration_ms is None; the checker requires 600000 or more in every division",
            f"set it, and {AGAIN}",
        ),
    ),
    "no tokens": (
        sets(SUMMARY, "tps"),
        Said(
            SUMMARY,
            "result",
            "no tps: the official checker computes the result from it",
            f"{AGAIN} with a tokenizer_name, with streaming on if online, and for 662 samples or more, which early stopping needs",
        ),
    ),
    "first token as late as the bound": (
        sets(SUMMARY, "ttft/early_stopping_percentiles/99", 2e9),
        Said(
            SUMMARY,
            "latency",
            "ttft is 2000 ms for 99 % of the queries; Server requires less than 2000 ms",
            f"lower settings.load_pattern.target_qps, and {AGAIN}",
        ),
    ),
    "slow tokens": (
        sets(SUMMARY, "tpot/early_stopping_percentiles/99", 1.5e8),
        Said(
            SUMMARY,
            "latency",
            "tpot is 150 ms for 99 % of the queries; Server requires less than 100 ms",
            f"lower settings.load_pattern.target_qps, and {AGAIN}",
        ),
    ),
    "failed requests": (
        sets(SUMMARY, "n_samples_failed", 3_000),
        Said(SUMMARY, "errors", "3,000 requests failed", AGAIN, own=True),
    ),
    "interrupted": (
        sets(SUMMARY, "complete"),
        Said(SUMMARY, "complete", "the run is not complete: it was interrupted, or its metrics were", AGAIN, own=True),
    ),
    "no score": (sets(ACCURACY, SCORE), Said(ACCURACY, "accuracy", "no accuracy score", WHOLE)),
    "few scored": (
        sets(ACCURACY, "accuracy_scores/0/total_samples", 64),
        Said(ACCURACY, "samples", f"the accuracy run covers 64 samples; {NAME} has 13,368", WHOLE),
    ),
    "more scored": (
        sets(ACCURACY, "accuracy_scores/0/total_samples", 2 * SAMPLES),
        Said(ACCURACY, "samples", f"the accuracy run covers 26,736 samples; {NAME} has 13,368", WHOLE),
    ),
    "none counted": (
        sets(ACCURACY, "accuracy_scores/0/dataset_type", "performance"),
        Said(ACCURACY, "samples", "no count of samples", WHOLE),
    ),
    "no metric": (
        sets(ACCURACY, f"{SCORE}/rouge2"),
        Said(
            ACCURACY,
            "accuracy",
            "no ROUGE2 in the score, which the rules bound and the official checker does not read in this form",
            f"{AGAIN} with eval_method: rouge",
            own=True,
        ),
    ),
    "below the target": (
        sets(ACCURACY, f"{SCORE}/rougeL", "24.0"),
        Said(ACCURACY, "accuracy", f"ROUGEL is 24; the target of {NAME} is 24.2507", "use a higher precision or recalibrate"),
    ),
    "long texts": (
        sets(ACCURACY, f"{SCORE}/gen_len", 9_000_000),
        Said(
            ACCURACY,
            "accuracy",
            f"GEN_LEN is 9e+06; the most that {NAME} allows is 8.98441e+06",
            "generate with the benchmark's own lengths",
        ),
    ),
}
"""What is done to a good result, and the one finding that comes of it."""
NOTES_IN_OPEN = {"failed requests", "interrupted", "no metric", "below the target", "long texts"}
ALLOWED = {"below the target", "long texts"}


def test_nothing_is_wrong_with_a_good_result(tmp_path: Path) -> None:
    online, offline = write(tmp_path / "on"), write(tmp_path / "off", "offline")
    for division in ("closed", "open"):
        assert found(online, division=division) == found(offline, "Offline", division) == []


@pytest.mark.parametrize("name", HARMED)
def test_one_thing_that_is_wrong_is_one_finding(name: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "on")
    harm, said = HARMED[name]
    harm(folder)
    expected = said._replace(step=said.step.format(folder=folder))
    assert found(folder) == [expected]
    allowed = "allowed in open; the result shows the score" if name in ALLOWED else expected.step
    assert found(folder, division="open") == [expected._replace(error=name not in NOTES_IN_OPEN, step=allowed)]


def test_a_first_token_and_tokens_just_below_their_bounds_are_allowed(tmp_path: Path) -> None:
    folder = write(tmp_path / "on")
    set_in(folder / SUMMARY, "ttft/early_stopping_percentiles/99", 2e9 - 1)
    set_in(folder / SUMMARY, "tpot/early_stopping_percentiles/99", 1e8 - 1)
    assert found(folder) == []
    assert [one.what.partition(" is ")[0] for one in found(folder, "Interactive")] == ["ttft", "tpot"], "its bounds are tighter"
    set_in(folder / SUMMARY, "tpot/early_stopping_percentiles/99", 1e8)
    assert [one.check for one in found(folder)] == ["latency"]


def test_offline_takes_the_whole_data_set(tmp_path: Path) -> None:
    folder, online = write(tmp_path / "off", "offline"), write(tmp_path / "on")
    set_in(folder / SUMMARY, "n_samples_issued", SAMPLES - 1)
    words = f"the run issued 13,367 samples; {NAME} has 13,368"
    expected = Said(SUMMARY, "samples", words, f"set settings.runtime.n_samples_to_issue, and {AGAIN}", own=True)
    assert found(folder, "Offline") == [expected]
    assert found(folder, "Offline", "open") == [expected._replace(error=False)]
    set_in(folder / SUMMARY, "n_samples_issued", SAMPLES + 1)
    assert found(folder, "Offline") == []
    set_in(folder / SUMMARY, "n_samples_issued", None)
    (absent,) = found(folder, "Offline")
    assert (absent.check, absent.what.partition(":")[0]) == ("result", "no n_samples_issued")
    set_in(online / SUMMARY, "n_samples_issued", 700)
    assert found(online) == [], "a Server run issues what its rate gives"


def test_a_kind_that_no_scenario_has_is_told_both(tmp_path: Path) -> None:
    folder = write(tmp_path / "on")
    (said,) = found(folder, "MultiStream", name=EDGE_NAME)[:1]
    assert said.what == "type is 'online'; the official checker takes MultiStream from type offline or online"
    assert said.step == f"{AGAIN} with type: online"


def test_a_summary_that_cannot_be_read_is_not_looked_for_in_run_1(tmp_path: Path) -> None:
    folder = write(tmp_path / "on")
    published(folder)
    (folder / SUMMARY).write_text("{")
    (folder / "config.yaml").unlink()
    config, summary = found(folder)
    assert (config.path, config.what, config.step) == ("config.yaml", "missing", BOTH)
    assert summary.path == SUMMARY and summary.what.startswith("cannot be read: ") and summary.step == BOTH


def test_the_config_that_is_there_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "on")
    (folder / "config.yaml").rename(folder / "config.yml")
    assert found(folder) == []
    set_in(folder / "config.yml", "type", "offline")
    assert [one.path for one in found(folder)] == ["config.yml"]


@pytest.mark.parametrize(("name", "round_"), [(NAME, "v6.0"), ("bert-99", "v5.1"), ("bert-99", "v4.1"), ("nothing-99", "v6.1")])
def test_rounds_and_benchmarks_without_endpoints(name: str, round_: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "on")
    said = Said(
        ".",
        "round",
        f"{round_} does not take results of MLCommons endpoints for {name}",
        "choose ROUND=v6.1, or measure it with LoadGen: make run",
    )
    assert found(folder, name=name, round_=round_named(round_)) == [said]


def test_scores_are_numbers_or_their_text() -> None:
    given = {"rouge1": "38.5", "rouge2": 15, "rougeL": 24.25, "rougeLsum": "none", "gen_len": [1]}
    read = EndpointResult({}, {}, {"accuracy_scores": [{"score": given}]})
    assert endpoint_checks.scores(read) == {"ROUGE1": 38.5, "ROUGE2": 15.0, "ROUGEL": 24.25, "ROUGELSUM": None, "GEN_LEN": None}
    assert set(endpoint_checks.ROUGE_KEYS) == set(REFERENCE)

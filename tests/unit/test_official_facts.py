"""Every target, bound, seed, sample count, scenario and audit is the official one (tests/facts/rounds.json)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from code.benchmarks.bert import facts as bert
from code.benchmarks.gptj import facts as gptj
from code.benchmarks.llama3_1_8b import facts as llama
from code.benchmarks.unet3d import facts as unet3d
from code.results import departures
from code.rules import metrics
from code.rules.benchmark_facts import BenchmarkFacts, RoundRules, Target, TextFacts
from code.rules.benchmarks import every_facts, facts_of
from code.rules.official_names import known_names, official_name
from code.rules.rounds import (
    CATEGORIES,
    DIVISIONS,
    EVERY_DIVISION,
    NETWORK,
    NEWEST,
    ROUNDS,
    STATUSES,
    STRICT_DIVISIONS,
)
from code.run import audit_config
from code.submission.audit import audits
from code.submission.check import power_checks
from code.submission.stage import layout
from code.systems.data import description_fields
from tests.facts import official

TABLE: dict[str, Any] = json.loads(official.TABLE.read_text(encoding="utf-8"))
OFFICIAL = TABLE["rounds"]
CONF = TABLE["loadgen"]["keys"]
EVERY = list(every_facts())


RESULTS = [
    pytest.param(name, facts, rules, target, id=f"{name}-{target.full_name}")
    for facts in EVERY
    for name, rules in facts.rounds.items()
    for target in facts.targets.values()
]
"""Every result that a round here has."""


def test_every_round_has_its_facts() -> None:
    assert set(ROUNDS) <= set(OFFICIAL) and NEWEST == list(OFFICIAL)[-1] == list(ROUNDS)[-1]
    assert list(ROUNDS) == [name for name in OFFICIAL if name in ROUNDS]


@pytest.mark.parametrize("name", ROUNDS)
def test_seeds_and_checkers(name: str) -> None:
    round_, facts = ROUNDS[name], OFFICIAL[name]
    assert dict(round_.seeds) == facts["seeds"]
    assert dict(round_.test05_seeds) == facts["test05_seeds"]
    pinned = round_.checkers[0]
    assert pinned.commit == facts["commit"]
    assert pinned.modern == (facts["file"] == official.NEW) and pinned.script == (
        "tools/submission/submission_checker/main.py" if pinned.modern else facts["file"]
    )


@pytest.mark.parametrize("name", ROUNDS)
def test_names_of_results(name: str) -> None:
    round_, facts = ROUNDS[name], OFFICIAL[name]
    assert known_names(round_) == set(facts["names"])
    for own in facts["names"]:
        assert official_name(round_, own, {}) == own
    for alias, meant in facts["aliases"].items():
        assert official_name(round_, alias, {}) == (meant if meant in facts["names"] else None)
    for facts_ in EVERY:
        ours = {target.full_name for target in facts_.targets.values()}
        assert (name in facts_.rounds) == bool(ours & set(facts["names"])) == (ours <= set(facts["names"]))


@pytest.mark.parametrize(("name", "facts", "rules", "target"), RESULTS)
def test_result(name: str, facts: BenchmarkFacts, rules: RoundRules, target: Target) -> None:
    one = OFFICIAL[name]["results"][target.full_name]
    assert dict(target.least) == pytest.approx(one["accuracy"], rel=1e-12)
    assert dict(target.most) == pytest.approx(one["accuracy_upper"] or {}, rel=1e-12)
    assert facts.samples == one["performance_samples"]
    assert {one["samples"], one["offline_samples"]} <= {facts.samples, None}
    if not rules.token_bounds:  # LoadGen bounds token latencies instead, and mlperf.conf turns the other bound off
        assert rules.server_latency_ns == one["latency_ns"].get("Server")
    assert list(rules.audits) == one["audits"]
    for category in CATEGORIES:
        assert list(rules.scenarios(category, target.full_name)) == one["required"].get(category, [])
        assert set(rules.allowed(category, target.full_name)) == {
            *one["required"].get(category, []),
            *one["optional"].get(category, []),
        }
    tokens = OFFICIAL[name]["result_keys_of"].get(target.full_name, {})
    rates = [key for scenario, key in tokens.items() if scenario != "SingleStream"]
    assert rules.counts_tokens == bool(rates) and all("tokens" in key for key in rates)
    counts = {scenario: count for scenario, count in one["min_queries"].items() if scenario != "Offline"}
    assert counts.items() <= metrics.MIN_QUERY_COUNT.items()


@pytest.mark.parametrize("name", ROUNDS)
def test_keys_that_results_are_ranked_by(name: str) -> None:
    keys = OFFICIAL[name]["result_keys"]
    assert {scenario: metric.submission_key for scenario, metric in metrics.METRICS.items()}.items() <= keys.items()
    assert audits.SCORES.items() <= keys.items()


def test_rules_of_loadgen() -> None:
    every = CONF["*"]
    for scenario, share in metrics.PERCENTILES.items():
        assert 100 * share == pytest.approx(every[f"{scenario}.target_latency_percentile"])
    assert set(metrics.PERCENTILES) == set(departures.FIELDS) == set(metrics.METRICS) - {"Offline"}
    assert every["MultiStream.samples_per_query"] == metrics.SAMPLES_PER_QUERY
    assert metrics.MIN_QUERY_COUNT["MultiStream"] == every["MultiStream.min_query_count"]
    assert {every[f"{name}.min_duration"] for name in metrics.METRICS} == {metrics.TEN_MINUTES_MS}
    assert TABLE["checker"]["limits"]["duration_ms"] == metrics.TEN_MINUTES_MS
    assert TABLE["checker"]["limits"]["offline_samples"] == metrics.OFFLINE_SAMPLES_CAP
    assert {
        key.removeprefix("*."): value for key, value in every.items() if key.startswith("*.") and "test05" not in key
    } == dict(ROUNDS[NEWEST].seeds)


@pytest.mark.parametrize("facts", EVERY, ids=lambda facts: facts.name)
def test_models_of_mlperf_conf(facts: BenchmarkFacts) -> None:
    keys = CONF[facts.loadgen_model("Offline")]
    assert keys["*.performance_sample_count_override"] in (facts.samples, 0)
    assert keys["Offline.min_query_count"] == min(facts.samples, metrics.OFFLINE_SAMPLES_CAP)
    assert facts.whole_passes == bool(keys.get("*.sample_concatenate_permutation"))
    bounds = {rules.server_latency_ns for rules in facts.rounds.values()} - {None}
    of_tokens = {
        (scenario, bound.first, bound.each) for rules in facts.rounds.values() for scenario, bound in rules.token_bounds.items()
    }
    if of_tokens:
        assert keys["Server.target_latency"] == 0 and keys["*.use_token_latencies"] == 1 and not bounds
        named = {scenario: CONF[facts.loadgen_model(scenario)] for scenario, _, _ in of_tokens}
        for scenario, first, each in of_tokens:
            assert named[scenario]["Server.ttft_latency"] * 10**6 == first
            assert named[scenario]["Server.tpot_latency"] * 10**6 == each
    else:
        assert bounds == ({keys["Server.target_latency"] * 10**6} if "Server.target_latency" in keys else set())
    assert ("Server" in facts.scenarios) == bool(bounds or of_tokens)
    assert ("MultiStream" in facts.scenarios) == (facts.name == "bert"), (
        "BERT alone is measured in MultiStream, in the open division"
    )


@pytest.mark.parametrize(
    ("test", "name", "file"),
    [
        ("TEST01", "bert", "TEST01/bert"),
        ("TEST01", "3d-unet", "TEST01/3d-unet"),
        *(("TEST04", facts.name, "TEST04") for facts in EVERY if "TEST04" in facts.audits.tests),
        *(("TEST06", facts.name, "TEST06") for facts in EVERY if "TEST06" in facts.audits.tests),
    ],
)
def test_settings_of_audits(test: str, name: str, file: str) -> None:
    official_keys = TABLE["audit_configs"]["keys"][file]
    assert audit_config.settings(test, name) == official_keys
    sampled = official_keys.get("*.accuracy_log_sampling_target")
    assert facts_of(name).audits.sampling.get(test) == sampled
    assert test in facts_of(name).audits.tests


def test_audits_that_can_be_run_are_those_that_rounds_ask_for() -> None:
    for facts in EVERY:
        newest = list(facts.rounds.values())[-1]
        assert set(newest.audits) <= set(facts.audits.tests)
        assert set(facts.audits.sampling) == {test for test in facts.audits.tests if test != "TEST04"}


def test_words_and_limits_of_the_checker() -> None:
    checker = TABLE["checker"]
    assert set(EVERY_DIVISION) == set(checker["divisions"]) and set(EVERY_DIVISION) - set(DIVISIONS) == {NETWORK}
    assert set(STRICT_DIVISIONS) == set(EVERY_DIVISION) - {"open"}
    assert list(STATUSES) == checker["statuses"]
    assert {written: layout.SCENARIOS[written] for written in checker["scenarios"]} == checker["scenarios"]
    assert set(layout.SCENARIOS.values()) == set(checker["scenarios"].values())
    assert checker["limits"]["file_megabytes"] * 2**20 == layout.FILE_LIMIT_BYTES
    assert checker["limits"]["accuracy_log_bytes"] == layout.ACCURACY_LOG_LIMIT
    files = checker["files"]
    assert list(layout.PERFORMANCE_FILES) == files["performance"] == files["audit_performance"]
    assert set(layout.ACCURACY_FILES) == set(files["accuracy"]) and layout.ACCURACY_LOG in files["accuracy"]
    assert list(layout.POWER_FILES) == files["power"] and files["power_performance"] == [layout.POWER_LOG]
    assert list(power_checks.SETTINGS) == files["power_measurements"]


@pytest.mark.parametrize("table", ["system_fields", "system_fields_old"])
def test_fields_of_systems(table: str) -> None:
    fields = TABLE["checker"][table]
    assert set(description_fields.REQUIRED) == set(fields["required"])
    assert set(description_fields.MEANINGFUL) == set(fields["answered"])
    if "network" in fields:
        assert {"is_network", *description_fields.NETWORK_FIELDS} == set(fields["network"])


def test_constants_of_the_references() -> None:
    values = TABLE["reference"]["values"]
    squad = values["language/bert/accuracy-squad.py"]
    assert (
        squad["max_seq_length"],
        squad["max_query_length"],
        squad["doc_stride"],
    ) == (bert.MAX_SEQUENCE, bert.MAX_QUESTION, bert.DOC_STRIDE)
    assert bert.FACTS.longest_input == bert.MAX_SEQUENCE
    text = values["language/gpt-j/backend_PyTorch.py"]
    assert (
        text["max_new_tokens"],
        text["min_new_tokens"],
        text["model_max_length"],
    ) == (gptj.MAX_NEW_TOKENS, gptj.MIN_NEW_TOKENS, gptj.MAX_INPUT_TOKENS)
    assert gptj.FACTS.text == TextFacts(4, gptj.MIN_NEW_TOKENS, gptj.MAX_NEW_TOKENS, gptj.MAX_INPUT_TOKENS, 50_256, "gptj"), (
        "the reference's GPTJ_BEAM_SIZE is 4 by default, and its tokenizer is GPT-2's"
    )
    kits = values["vision/medical_imaging/3d-unet-kits19/global_vars.py"]
    assert (unet3d.MEAN, unet3d.STDDEV, *unet3d.CLIP, unet3d.PADDING_VALUE, unet3d.OVERLAP) == (
        *(
            kits[name]
            for name in ("MEAN_VAL", "STDDEV_VAL", "MIN_CLIP_VAL", "MAX_CLIP_VAL", "PADDING_VAL", "SLIDE_OVERLAP_FACTOR")
        ),
    )
    assert list(unet3d.TARGET_SPACING_MM) == kits["TARGET_SPACING"] and list(unet3d.ROI) == kits["ROI_SHAPE"]
    cases = TABLE["reference"]["kits19_cases"]
    assert list(unet3d.EVALUATION_CASES) == cases["inference"] and list(unet3d.CALIBRATION_CASES) == cases["calibration"]


def test_targets_are_shares_of_the_references_scores() -> None:
    """0.99 and 0.999 of it; GPT-J's length is 0.9 of it at both, and Llama's is bounded from above, too."""
    for reference, targets in ((bert.REFERENCE_F1, bert.TARGET_F1), (unet3d.REFERENCE_DICE, unet3d.TARGET_DICE)):
        assert targets["k_99"] == pytest.approx(0.99 * reference) and targets["k_99_9"] == pytest.approx(0.999 * reference)
    assert dict(bert.TARGET_SHARES) == {"k_99": 0.99, "k_99_9": 0.999}
    assert pytest.approx((unet3d.REFERENCE_KIDNEY + unet3d.REFERENCE_TUMOR) / 2) == unet3d.REFERENCE_DICE
    for scores, result in ((llama.REFERENCE, llama.FACTS), (llama.EDGE_REFERENCE, llama.EDGE_FACTS)):
        target = result.targets["k_99"]
        assert all(target.least[name] == pytest.approx(0.99 * score) for name, score in scores.items() if name != "GEN_LEN")
        assert (target.least["GEN_LEN"], target.most["GEN_LEN"]) == pytest.approx(
            (0.9 * scores["GEN_LEN"], 1.1 * scores["GEN_LEN"])
        )
    low, high = gptj.TARGETS["k_99"], gptj.TARGETS["k_99_9"]
    for name in ("ROUGE1", "ROUGE2", "ROUGEL"):
        assert low[name] / 0.99 == pytest.approx(high[name] / 0.999)
    assert low["GEN_LEN"] == high["GEN_LEN"]


@pytest.mark.official
def test_the_table_is_what_a_checkout_states() -> None:
    """Of a clone without history, what its commit states."""
    root = os.environ.get("MLPERF_INFERENCE_DIR", "")
    if not root:
        pytest.skip("MLPERF_INFERENCE_DIR names no mlcommons/inference checkout: MLPERF_INFERENCE_DIR=… make test")
    checkout = official.Checkout(Path(root))
    for name, (commit, _) in official.CHECKERS.items():
        if checkout.has(commit):
            assert json.loads(json.dumps(official.round_facts(checkout, name))) == OFFICIAL[name], name
    for part, facts in official.PARTS.items():
        if all(checkout.has(commit) for commit in official.NEEDS[part]):
            assert json.loads(json.dumps(facts(checkout))) == TABLE[part], part

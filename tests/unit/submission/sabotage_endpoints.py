"""The rows of the sabotage table for results of MLCommons endpoints' client (code/submission/check/endpoint_checks.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code.submission.stage.endpoint import ACCURACY, PUBLISHED, SUMMARY
from tests.unit.submission.closed import ClosedTree
from tests.unit.submission.endpoints import set_in
from tests.unit.submission.sabotage import Harm, Row, gone, measured, text, unlisted

BASE = "endpoint"
SCORE = "accuracy_scores/0/score"
RUNTIME = "settings/runtime"


def changed(name: str, keys: str, value: Any = None, scenario: str = "") -> Harm:
    """A key of one of a result's files has another value; None drops it."""

    def harm(tree: ClosedTree) -> Path:
        path = (tree.result(scenario) if scenario else tree.result()) / name
        set_in(path, keys, value)
        return path

    return harm


def published(tree: ClosedTree) -> Path:
    path = tree.result() / SUMMARY
    (tree.result() / PUBLISHED).parent.mkdir()
    path.rename(tree.result() / PUBLISHED)
    return path


CLIENT: dict[str, Row] = {
    "a round without endpoints": Row(
        lambda tree: tree.result(),
        "round",
        "v6.0 does not take results of MLCommons endpoints",
        "ROUND=v6.1",
        "endpoint-v6.0",
        also=("round",),
    ),
    "no config": Row(gone("config.yaml"), "files", "missing", "--mode both", BASE),
    "a config that is no YAML": Row(text("config.yaml", "a: [1\nb: }"), "files", "cannot be read", "--mode both", BASE),
    "a config that is a list": Row(text("config.yaml", "- 1\n"), "files", "not an object", "--mode both", BASE),
    "no summary": Row(gone(SUMMARY), "files", "missing", "--mode both", BASE, also=("structure",)),
    "a summary in run_1": Row(
        published, "files", "in run_1, where the official checker does not look", "mv ", BASE, also=("forbidden",)
    ),
    "a summary that is no JSON": Row(text(SUMMARY, "{"), "files", "cannot be read", "--mode both", BASE),
    "no scores": Row(gone(ACCURACY), "files", "missing", "--mode both", BASE, also=("structure",)),
    "another kind of run": Row(
        changed("config.yaml", "type", "offline"), "scenario", "takes Server from type online", "type: online", BASE
    ),
    "a seed of another round": Row(
        changed("config.yaml", f"{RUNTIME}/dataloader_random_seed", 111),
        "seeds",
        "v6.1 requires 2747215439041700203",
        "set it",
        BASE,
    ),
    "no seed": Row(changed("config.yaml", f"{RUNTIME}/scheduler_random_seed"), "seeds", "is None", "set it", BASE),
    "a short run": Row(
        changed("config.yaml", f"{RUNTIME}/min_duration_ms", 599_999), "duration", "requires 600000 or more", "set it", BASE
    ),
    "no minimum duration at an endpoint": Row(
        changed("config.yaml", f"{RUNTIME}/min_duration_ms"), "duration", "is None", "set it", BASE
    ),
    "no tokens counted": Row(changed(SUMMARY, "tps"), "result", "no tps: the official checker", "tokenizer_name", BASE),
    "too few samples for early stopping": Row(
        changed(SUMMARY, "tpot/early_stopping_percentiles"),
        "result",
        "no tpot.early_stopping_percentiles.99",
        "662 samples",
        BASE,
    ),
    "a late first token": Row(
        changed(SUMMARY, "ttft/early_stopping_percentiles/99", 2e9), "latency", "ttft is 2000 ms", "target_qps", BASE
    ),
    "slow tokens": Row(
        changed(SUMMARY, "tpot/early_stopping_percentiles/99", 1.5e8),
        "latency",
        "Server requires less than 100 ms",
        "target_qps",
        BASE,
    ),
    "requests that failed": Row(changed(SUMMARY, "n_samples_failed", 3), "errors", "3 requests failed", "again", BASE, own=True),
    "a run that was interrupted": Row(changed(SUMMARY, "complete", False), "complete", "not complete", "again", BASE, own=True),
    "too few samples Offline": Row(
        changed(SUMMARY, "n_samples_issued", 13_367, "Offline"),
        "samples",
        "issued 13,367 samples",
        "n_samples_to_issue",
        BASE,
        own=True,
    ),
    "no score of an endpoint": Row(changed(ACCURACY, SCORE), "accuracy", "no accuracy score", "--mode both", BASE),
    "too few samples scored": Row(
        changed(ACCURACY, "accuracy_scores/0/total_samples", 64),
        "samples",
        "covers 64 samples; llama3.1-8b has 13,368",
        "both",
        BASE,
    ),
    "no count of samples": Row(
        changed(ACCURACY, "accuracy_scores/0/dataset_type", "other"), "samples", "no count of samples", "both", BASE
    ),
    "a score without a metric": Row(
        changed(ACCURACY, f"{SCORE}/rougeLsum"), "accuracy", "no ROUGELSUM", "eval_method: rouge", BASE, own=True
    ),
    "a score below the target": Row(
        changed(ACCURACY, f"{SCORE}/rouge1", "38.0"), "accuracy", "ROUGE1 is 38; the target of llama3.1-8b", "recalibrate", BASE
    ),
    "texts that are too long": Row(
        changed(ACCURACY, f"{SCORE}/gen_len", "9000000"), "accuracy", "the most that llama3.1-8b allows", "lengths", BASE
    ),
    "a field of the measurements": Row(
        measured(weight_data_types=""), "measurements", "the field weight_data_types is missing", "make stage_results", BASE
    ),
    "an open result at an endpoint": Row(
        measured(division_note="the model is the tiny one"),
        "open_only",
        "not allowed in the closed division",
        "DIVISION=open",
        BASE,
    ),
    "no page on an endpoint's result": Row(gone("README.md"), "files", "missing or empty", "make stage_results", BASE),
    "LoadGen's file beside an endpoint's scores": Row(
        text("accuracy/accuracy.txt"), "forbidden", "allowed in this folder", "rm ", BASE, own=True
    ),
    "a folder beside an endpoint's result": Row(unlisted("plots"), "stray", "nothing reads it", "move it out", BASE, own=True),
}

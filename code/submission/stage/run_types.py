"""Shapes of the files beside a run's logs: the door through which metadata.json, run.json and provenance.json of any run pass."""

from __future__ import annotations

from code.common.typed import Shape, anything, choice, flag, listing, mapping, real, record, whole, words
from code.rules.metrics import METRICS, TOKEN_METRICS
from code.rules.rounds import INTERACTIVE, ROUNDS

_NUMBER = real(-1e300, 1e300)
_COUNT = whole(0, 2**63)
_REASON = record({}, {"what": words(), "field": words(200), "suggestion": words()})
_SCORE = record({"name": words(100), "value": _NUMBER, "threshold": _NUMBER, "pass": flag()}, {"most": flag()})
_DEVICE = record(
    {"index": whole(0, 2**16), "name": words(200)}, {"samples": _COUNT, "batches": _COUNT, "busy_share": real(0, 1e6)}, keep=True
)
_POWER = record(
    {},
    {
        "watts": real(0, 1e9),
        "samples_per_joule": real(0, 1e12),
        "millijoules_per_query": real(0, 1e18),
        "compliance_problems": listing(words()),
        "dry_run": flag(),
    },
    keep=True,
)

METADATA: Shape = record(
    {
        "system_name": words(200),
        "benchmark_full": words(100),
        "scenario": choice(*METRICS, INTERACTIVE),
        "test_mode": choice("PerformanceOnly", "AccuracyOnly", "SubmissionRun"),
    },
    {
        "system_id": words(200),
        "benchmark_short": words(100),
        "config_name": words(400),
        "model_variant": words(100),
        "division_note": words(),
        "precision": words(40),
        "result_validity": choice("VALID", "INVALID"),
        "accuracy_pass": flag(),
        "simulated": flag(),
        "power": _POWER,
        "accuracy": listing(_SCORE, most=100),
        "reasons": listing(_REASON),
        "notes": listing(_REASON),
        "departures": listing(_REASON),
        "devices": listing(_DEVICE),
        "summary_string": words(),
        "loadgen_version": words(),
        "detected_system": words(1 << 16),
        **{
            key: _NUMBER for metric in (*METRICS.values(), *TOKEN_METRICS.values()) for key in (metric.key, metric.submission_key)
        },
    },
    keep=True,
)
MEASUREMENTS: Shape = record(
    {}, {"accuracy": listing(_SCORE, most=100), "engine": words(400), "division_note": words()}, keep=True
)
"""measurements.json of a tree."""
_STAGED = {"division": words(100), "submitter": words(200), "system": words(200), "benchmark": words(100), "scenario": words(100)}
STAGED: Shape = record(
    {},
    {
        "submitter": words(200),
        "results": listing(
            record({**_STAGED, "round": choice(*ROUNDS), "performance_run": words(), "accuracy_run": words()}, keep=True)
        ),
        "files": mapping(words(100), most=1 << 20),
    },
    keep=True,
)
"""The record of a staged tree."""
SPEC: Shape = record(
    {},
    {
        "engines": listing(record({}, {"backend": words(100), "folder": words(), "precision": words(40)}, keep=True)),
        "devices": listing(
            record({"index": whole(0, 2**16)}, {"cores": listing(whole(0, 2**16)), "streams": whole(0, 2**16)}, keep=True)
        ),
        "dataset": record({}, {"folder": words(), "lengths": anything(), "count": _COUNT, "input_dtype": words(40)}, keep=True),
        "batch": mapping(anything()),
        "seeds": mapping(whole(0, 2**64 - 1)),
        "record": mapping(anything()),
    },
    keep=True,
)
PROVENANCE: Shape = record(
    {},
    {
        "arguments": listing(words()),
        "commit": words(100),
        "harness_version": words(100),
        "changed": flag(),
        "engine": record(
            {},
            {"name": words(400), "model": record({}, {"file": words(), "sha256": words(200)}), "settings": mapping(anything())},
            keep=True,
        ),
        "plan": record(
            {},
            {
                "benchmark": words(100),
                "scenario": words(100),
                "config_ver": words(100),
                "values": mapping(record({}, {"origin": words()}, keep=True)),
            },
            keep=True,
        ),
    },
    keep=True,
)

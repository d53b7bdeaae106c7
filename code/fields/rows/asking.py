"""What is asked for: the request, audits and submission."""

from __future__ import annotations

from code.fields.field import Field
from code.fields.rows.limits import COUNT, SMALL
from code.fields.rows.words import request

ROWS: tuple[Field, ...] = (
    # ── the request ────────────────────────────────────────────────────────────
    request("action", "str", "What to do; the make target of the same name passes it."),
    request("benchmarks", "list", "Benchmarks to run, comma-separated, or 'all' that this version runs."),
    request("scenarios", "list", "Scenarios to run, comma-separated; default: all that the benchmark has."),
    request("config_ver", "list", "Config versions: default, high_accuracy, maxq, triton, … or all.", default=["default"]),
    request("system", "str", "Use this known system's configs instead of the detected one's."),
    request(
        "test_mode",
        "str",
        "LoadGen's mode.",
        default="PerformanceOnly",
        choices=("PerformanceOnly", "AccuracyOnly", "SubmissionRun"),
    ),
    request("fast", "bool", "A minimum duration of 60 s instead of 600 s.", default=False, aliases=("test_run",)),
    request(
        "test_query_count", "int", "A short run of this many queries; its result is for the open division only.", limits=COUNT
    ),
    request("force_build", "bool", "Build engines even when they are there.", default=False),
    request("dry_run", "bool", "Resolve and print the plan, engine names and LoadGen settings; run nothing.", default=False),
    request("strict", "bool", "Exit 5 when a result is INVALID or its accuracy fails.", default=False),
    request("name", "str", "Name of the system to add or remove."),
    request("capture", "str", "A machine's capture to read instead of this machine (capture_system: the file to write)."),
    request("yes", "bool", "Do it without asking.", default=False),
    request("write", "bool", "tune: write the values into the config class.", default=False),
    request("trials", "int", "tune: points to measure in all; those of an earlier search count.", default=24, limits=(1, 10**6)),
    request(
        "tune_duration",
        "float",
        "tune: length of a Server run that decides whether a rate is VALID.",
        unit="s",
        default=10.0,
        limits=(0.1, 86400),
    ),
    request("json", "bool", "Print machine-readable JSON where the action can.", default=False),
    # ── audits and submission ────────────────────────────────────────────────────────────
    request("submitter", "str", "Your organisation, as its folder in the submission is called."),
    request("division", "str", "Division to submit to.", choices=("closed", "open")),
    request("category", "str", "Category of the system: datacenter, edge or 'datacenter,edge'."),
    request("status", "str", "Availability of the system.", choices=("available", "preview", "rdi")),
    request("submission_file", "str", "The file to read these from; default: submission.toml in the project's root."),
    request("submission_dir", "str", "Folder of the staged tree; default: build/submission."),
    request("from_tree", "str", "Stage from this submission tree instead of from the harness's logs."),
    request("runs", "list", "Folders of runs to stage, comma-separated, although there are newer ones."),
    request("infer", "bool", "Let results stand for others where the rules allow it.", default=True),
    request("audit_test", "list", "Audit tests to run, comma-separated; default: those the round asks for."),
    request("audit_attempts", "int", "Most runs of an audit test whose performance part fails.", default=2, limits=SMALL),
    request("passphrase_file", "str", "File with the passphrase to encrypt with; default: ask on the terminal."),
    request("a", "str", "What to compare: the folder of a run, or a public result such as H100_SXM_80GBx8."),
    request("b", "str", "What to compare it with."),
    request("report_dir", "str", "Folder of the report pages; default: build/report."),
)

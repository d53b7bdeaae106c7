"""Rows: files and folders that a command line names and that are damaged, missing, or something else."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from tests.faults import made
from tests.faults.rows import Fault, Prepare

EXPLAIN = ("--action=explain", "--benchmarks=bert", "--scenarios=offline")
SIMULATED = (
    "--action=run",
    "--dry_run",
    "--benchmarks=bert",
    "--scenarios=offline",
    "--system=A100_SXM4_40GBx8",
    "--backend=simulated",
)
TABLE = {"batches": [1, 8], "lengths": [1, 384], "microseconds": [[1, 2], [3, 4]]}


def write(name: str, content: bytes | str) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return prepare


def folder(name: str) -> Prepare:
    return lambda tmp: (tmp / name).mkdir()


def pipe(name: str) -> Prepare:
    return lambda tmp: os.mkfifo(tmp / name)


def listening(name: str) -> Prepare:
    def prepare(tmp: Path) -> None:
        with socket.socket(socket.AF_UNIX) as one:
            here = Path.cwd()
            os.chdir(tmp)  # a socket's path has at most 108 bytes
            try:
                one.bind(name)
            finally:
                os.chdir(here)

    return prepare


def hidden(name: str) -> Prepare:
    return lambda tmp: (tmp / name).symlink_to(tmp / name)


DEEP = "[" * 200_000
DAMAGED: dict[str, Callable[[str], Prepare]] = {
    "is empty": lambda name: write(name, ""),
    "is cut off": lambda name: write(name, '{"format": '),
    "is nested deeply": lambda name: write(name, DEEP),
    "is not UTF-8": lambda name: write(name, b"\xff\xfe\x00"),
    "is a list": lambda name: write(name, "[]"),
    "is a number": lambda name: write(name, "5"),
    "is a number of 6,000 digits": lambda name: write(name, "9" * 6000),
    "is a pipe": pipe,
    "is a socket": listening,
    "is a folder": folder,
}
"""What a JSON file may be instead, and how it is made."""

FILES = {what: make for what, make in DAMAGED.items() if what not in ("is a folder", "is a socket")}
CAPTURES = tuple(
    Fault(f"a capture that {what}", (*EXPLAIN, "--capture={tmp}/c.json"), 2, ("c.json",), prepare=make("c.json"))
    for what, make in FILES.items()
)
UNREADABLE = (
    Fault("list_systems of a capture that is not there", ("--action=list_systems", "--capture={tmp}/c.json"), 3, ("c.json",)),
)
TABLES = tuple(
    Fault(
        f"a simulated table that {what}", (*SIMULATED, "--simulated_table={tmp}/t.json"), 2, ("t.json",), prepare=make("t.json")
    )
    for what, make in FILES.items()
) + tuple(
    Fault(
        f"a simulated table with {key} {value!r}"[:60],
        (*SIMULATED, "--simulated_table={tmp}/t.json"),
        2,
        ("t.json",),
        prepare=write("t.json", json.dumps({**TABLE, key: value})),
    )
    for key, value in (
        ("batches", []),
        ("batches", [8, 1]),
        ("batches", [0, 1]),
        ("batches", "x"),
        ("lengths", [float("nan"), 1]),
        ("microseconds", [[1, 2]]),
        ("microseconds", [[-1, 2], [3, 4]]),
        ("microseconds", [[1, float("inf")], [3, 4]]),
        ("unknown", 1),
    )
)
MISSING = (
    Fault("a capture that is not there", (*EXPLAIN, "--capture={tmp}/none.json"), 3, ("cannot read the capture",)),
    Fault("a capture that is a folder", (*EXPLAIN, "--capture={tmp}/c.json"), 2, ("not a capture",), prepare=folder("c.json")),
    Fault("a capture that is a socket", (*EXPLAIN, "--capture={tmp}/c.json"), 2, ("not a capture",), prepare=listening("c.json")),
    Fault(
        "a capture that links to itself",
        (*EXPLAIN, "--capture={tmp}/c.json"),
        3,
        ("cannot read the capture",),
        prepare=hidden("c.json"),
    ),
    Fault(
        "a table that is not there",
        ("--action=generate_engines", *SIMULATED[2:], "--simulated_table={tmp}/none.json"),
        3,
        ("cannot read",),
    ),
)


def run(tmp: Path) -> None:
    made.run_folder(tmp / "a")


def tiny(tmp: Path) -> None:
    run(tmp)
    content = json.loads((tmp / "a" / "metadata.json").read_text())
    made.run_folder(tmp / "b")
    (tmp / "b" / "metadata.json").write_text(json.dumps({**content, "model_variant": "tiny"}))


def server(tmp: Path) -> None:
    run(tmp)
    content = json.loads((tmp / "a" / "metadata.json").read_text())
    made.run_folder(tmp / "b")
    (tmp / "b" / "metadata.json").write_text(json.dumps({**content, "scenario": "Server"}))


def broken(tmp: Path) -> None:
    run(tmp)
    made.run_folder(tmp / "b")
    (tmp / "b" / "metadata.json").write_text("{")


COMPARE = ("--action=compare", "--a={tmp}/a", "--b={tmp}/b")
RESULTS = (
    Fault("compare: one side only", ("--action=compare", "--a={tmp}/a"), 2, ("two results are needed",), prepare=run),
    Fault(
        "compare: a folder without a run",
        COMPARE,
        2,
        ("is not a run folder",),
        prepare=lambda tmp: (run(tmp), folder("b")(tmp))[0],
    ),
    Fault("compare: damaged metadata", COMPARE, 2, ("is not a run folder",), prepare=broken),
    Fault("compare: another model", COMPARE, 2, ("not comparable", "the tiny model"), prepare=tiny),
    Fault("compare: another scenario", COMPARE, 2, ("different workloads",), prepare=server),
    Fault("compare: an unknown public result", ("--action=compare", "--a={tmp}/a", "--b=H100x77"), 2, ("neither",), prepare=run),
    Fault("compare: nothing that exists", ("--action=compare", "--a=x", "--b=y"), 2, ("neither",)),
    Fault("report: no runs", ("--action=report", "--log_dir={tmp}/none"), 3, ("no complete run",), absent="build/report"),
    Fault(
        "report: only a damaged run",
        ("--action=report", "--log_dir={tmp}/b", "--report_dir={tmp}/out"),
        3,
        ("is damaged", "no complete run"),
        prepare=broken,
        lines=6,
        absent="out",
    ),
    Fault("list_results: no runs", ("--action=list_results", "--log_dir={tmp}/none"), 0, ("no runs in",)),
    Fault(
        "capture_system: into a pipe",
        ("--action=capture_system", "--capture={tmp}/p"),
        4,
        ("cannot write", "not a regular file"),
        prepare=lambda folder: os.mkfifo(folder / "p"),
    ),
    Fault(
        "capture_system: into a folder",
        ("--action=capture_system", "--capture={tmp}"),
        4,
        ("cannot write", "not a regular file"),
    ),
    Fault("list_results: a file", ("--action=list_results", "--log_dir={tmp}/f"), 0, ("no runs in",), prepare=write("f", "x")),
    Fault(
        "stage: no runs",
        (
            "--action=stage_results",
            "--log_dir={tmp}/none",
            "--submitter=X",
            "--division=open",
            "--category=edge",
            "--status=available",
        ),
        3,
        ("no runs in",),
        absent="build/submission*",
    ),
    Fault(
        "pack: no tree", ("--action=pack_submission", "--submission_dir={tmp}/none"), 3, ("no result",), absent="build/*.tar.gz"
    ),
    Fault("truncate: no tree", ("--action=truncate_results", "--submission_dir={tmp}/none"), 3, ("no submission tree",)),
)

"""Rows: files and folders that a command line names and that are damaged, missing, or something else."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from code.fields.table import FIELDS
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


def case_of_pipes(tmp: Path) -> None:
    case = tmp / "cases" / "case_00000"
    case.mkdir(parents=True)
    for name in ("imaging.nii.gz", "segmentation.nii.gz"):
        os.mkfifo(case / name)


def config_pipe(tmp: Path) -> None:
    folder = tmp / "own" / "CPU_x86_64" / "Offline"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "bert.py")


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


READ_FIELDS = tuple(field for field in FIELDS if field.reads)
"""Options that name files or folders which are read."""
STREAMS: dict[str, Prepare | None] = {"{tmp}/pipe": pipe("pipe"), "/dev/zero": None, "/proc/kmsg": None, "/proc/self/task": None}
"""What a reader would wait for, or never reach the end of."""
WAITING = (
    *(
        Fault(f"{field.name} is {path}", ("--action=info", f"--{field.name}={path}"), 2, (field.name, "cannot be"), prepare=make)
        for field in READ_FIELDS
        for path, make in STREAMS.items()
    ),
    *(
        Fault(f"environment: {field.name} is {path}", ("--action=info",), 2, (field.name,), {field.environment: path}, make)
        for field in READ_FIELDS
        for path, make in STREAMS.items()
        if path in ("{tmp}/pipe", "/proc/kmsg")
    ),
    *(
        Fault(f"a capture that is {path}", (*EXPLAIN, f"--capture={path}"), 2, ("not a capture",))
        for path in ("/proc/kmsg", "/proc/self/mem", "/dev/zero", "/sys/kernel/mm")
    ),
    Fault("capture_system: into the kernel's", ("--action=capture_system", "--capture=/proc/kmsg"), 4, ("cannot write",)),
    Fault(
        "debug_accuracy against what is unknown",
        ("--action=debug_accuracy", "--benchmarks=bert", "--scenarios=offline", "--system=CPU_x86_64", "--against=foo:bar"),
        2,
        ("unknown backend or precision 'foo'",),
        absent="build/*",
    ),
    Fault(
        "debug_accuracy against two precisions",
        ("--action=debug_accuracy", "--benchmarks=bert", "--scenarios=offline", "--system=CPU_x86_64", "--against=fp32:int8"),
        2,
        ("names two of a kind: fp32 and int8",),
        absent="build/*",
    ),
    Fault("devices that no machine has", (*EXPLAIN, "--devices=0-99999999999"), 2, ("invalid devices",)),
    Fault("devices backwards", (*EXPLAIN, "--devices=5-1"), 2, ("invalid devices",)),
    Fault("numa_config of too many processors", (*EXPLAIN, "--numa_config=0:0-999999999"), 2, ("invalid numa_config",)),
    Fault("a system that is a path", (*EXPLAIN, "--system=../../etc/passwd"), 2, ("unknown system",)),
    Fault("remove_system of a path", ("--action=remove_system", "--name=../x", "--yes"), 3, ("no added system",)),
    Fault(
        "preprocess_data: a case of pipes",
        ("--action=preprocess_data", "--benchmarks=3d-unet", "--data_path={tmp}/cases"),
        4,
        ("cannot be read as NIfTI",),
        prepare=case_of_pipes,
        lines=6,
    ),
    Fault(
        "config_dir: a config file that is a pipe",
        (*EXPLAIN, "--system=CPU_x86_64", "--config_dir={tmp}/own"),
        0,
        ("not a regular file",),
        prepare=config_pipe,
    ),
)

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

"""Makes a closed tree in which nothing is wrong: two results of BERT on an edge system, with audits, made from shortened runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.common.files import write_json
from code.rules.rounds import ROUNDS, Round
from code.submission.check.tree_structure import Tree
from code.submission.stage import layout
from code.submission.stage.layout import Place
from code.submission.stage.record import digests, record_path
from tests.unit.submission import made

if TYPE_CHECKING:
    from typing_extensions import Self

SCENARIOS = ("Offline", "SingleStream")
SUBMITTER = "Example"
AUDITS = {"v6.1": ("TEST01",), "v4.1": ("TEST01", "TEST05")}


class ClosedTree:
    """A tree, and where a test finds its parts.

    Args:
        root: the tree; its record of staging lies beside it.
    """

    def __init__(self, root: Path, round_: Round, division: str = "closed") -> None:
        self.root, self.round, self.division = root, round_, division
        self.shape = Tree(root, round_).shape
        self.submitter = root / division / SUBMITTER

    def place(self, scenario: str = "Offline") -> Place:
        """The place of one of the results."""
        return Place(self.division, SUBMITTER, made.SYSTEM, "bert-99", scenario)

    def result(self, scenario: str = "Offline") -> Path:
        """The folder with accuracy/ and performance/."""
        return self.shape.results_dir(self.root, self.place(scenario))

    def log(self, scenario: str = "Offline", part: str = "performance/run_1") -> Path:
        """A detail log."""
        return self.result(scenario) / part / "mlperf_log_detail.txt"

    def audit(self, test: str = "TEST01", scenario: str = "Offline") -> Path:
        """The folder of an audit."""
        return self.shape.compliance_dir(self.root, self.place(scenario)) / test

    def measurements(self, scenario: str = "Offline") -> Path:
        """The measurements JSON."""
        return self.shape.measurements_json(self.root, self.place(scenario), "openvino")

    @property
    def system(self) -> Path:
        """The description of the system."""
        return self.shape.system_json(self.root, self.place())

    def record(self) -> None:
        """Record the tree as it is now as what was staged."""
        write_json(record_path(self.root), {"submitter": SUBMITTER, "results": [], "files": digests(self.root)})

    def copy(self, target: Path) -> Self:
        """The same tree elsewhere, to be harmed."""
        shutil.copytree(self.root, target)
        if record_path(self.root).is_file():
            shutil.copyfile(record_path(self.root), record_path(target))
        return type(self)(target, self.round, self.division)


def events(path: Path) -> list[dict[str, Any]]:
    """The events of a detail log."""
    return [json.loads(line[len(":::MLLOG") :]) for line in path.read_text().splitlines()]


def write_events(path: Path, content: list[dict[str, Any]]) -> None:
    """Write a detail log."""
    path.write_text("".join(f":::MLLOG {json.dumps(event)}\n" for event in content))


def set_keys(path: Path, values: Mapping[str, object]) -> None:
    """Give keys of a detail log other values; None drops a key. Every key must be there."""
    found, out = set(), []
    for event in events(path):
        if event["key"] in values:
            found.add(event["key"])
            event["value"] = values[event["key"]]
            if event["value"] is None:
                continue
        out.append(event)
    assert found == set(values), f"not in {path}: {set(values) - found}"
    write_events(path, out)


def add_event(path: Path, value: str, key: str = "generic_message", **flags: bool) -> None:
    """Add an event after the log's first."""
    first, *rest = events(path)
    metadata = {**first["metadata"], "is_warning": False, "is_error": False, **flags}
    write_events(path, [first, {**first, "key": key, "value": value, "metadata": metadata}, *rest])


def make(good: Path, root: Path, round_name: str, division: str = "closed") -> ClosedTree:
    """A closed tree of two results.

    Args:
        good: an open tree of the newest round with a result of each scenario.
    """
    tree = ClosedTree(root, ROUNDS[round_name], division)
    for scenario in SCENARIOS:
        _result(tree, made.result(good, scenario), scenario)
    for name in ("src", "code"):
        if tree.shape.source.endswith(name):
            (tree.submitter / name).mkdir(parents=True)
            (tree.submitter / name / "main.py").write_text("print()\n")
    (tree.submitter / "documentation").mkdir()
    (tree.submitter / "documentation/calibration.md").write_text("# Calibration\n")
    tree.system.parent.mkdir()
    described = {"submitter": SUBMITTER, "division": division, "status": "available", "system_type": "edge"}
    tree.system.write_text(json.dumps({**made.description(), **described}))
    tree.record()
    return tree


def _result(tree: ClosedTree, source: Path, scenario: str) -> None:
    folder, seeds = tree.result(scenario), {f"effective_{key}": seed for key, seed in tree.round.seeds.items()}
    shutil.copytree(source / "performance", folder / "performance")
    shutil.copytree(source / "accuracy", folder / "accuracy")
    for part in ("performance/run_1", "accuracy"):
        set_keys(folder / part / "mlperf_log_detail.txt", {**seeds})
        for key, seed in ROUNDS["v6.1"].seeds.items():
            summary = folder / part / "mlperf_log_summary.txt"
            summary.write_text(summary.read_text().replace(f"{key} : {seed}", f"{key} : {tree.round.seeds[key]}"))
    make_valid(folder / "performance/run_1", scenario)
    measured = json.loads((source / "measurements.json").read_text())
    measured.pop("division_note", None)
    measured.update(model_variant="reference", retraining="No")
    measured["accuracy"][0]["threshold"] = 89.96526
    tree.measurements(scenario).parent.mkdir(parents=True, exist_ok=True)
    tree.measurements(scenario).write_text(json.dumps(measured))
    for name in ("README.md", "user.conf"):
        shutil.copyfile(source / name, tree.measurements(scenario).parent / name)
    for test in AUDITS[tree.round.name]:
        _audit(tree, test, scenario)


def make_valid(folder: Path, scenario: str) -> None:
    """Turn a shortened run into one of ten minutes that LoadGen reports as VALID."""
    log, summary = folder / "mlperf_log_detail.txt", folder / "mlperf_log_summary.txt"
    write_events(log, [event for event in events(log) if not event["metadata"]["is_error"]])
    values: dict[str, object] = {"result_validity": "VALID", "result_min_duration_met": True, "result_min_queries_met": True}
    values["loaded_qsl_set"] = [0]  # nobody reads it of a performance run
    if scenario != "Offline":
        values["early_stopping_met"] = True
    present = {event["key"] for event in events(log)}
    set_keys(log, {key: value for key, value in values.items() if key in present})
    text = summary.read_text()
    summary.write_text(text.replace("Result is : INVALID", "Result is : VALID").replace("satisfied : NO", "satisfied : Yes"))


def _audit(tree: ClosedTree, test: str, scenario: str) -> None:
    folder, run = tree.audit(test, scenario), tree.audit(test, scenario) / "performance/run_1"
    run.mkdir(parents=True)
    for name in layout.PERFORMANCE_FILES:
        shutil.copyfile(tree.result(scenario) / "performance/run_1" / name, run / name)
    seeds = tree.round.test05_seeds if test == "TEST05" else tree.round.seeds
    set_keys(run / "mlperf_log_detail.txt", {f"effective_{key}": seed for key, seed in seeds.items()})
    set_keys(run / "mlperf_log_detail.txt", {"test_datetime": "2026-01-01T00:00:00Z"})
    add_event(run / "mlperf_log_detail.txt", "Found Audit Config file (audit.config).", is_warning=True)
    (folder / "verify_performance.txt").write_text("TEST PASS\n")
    if test == "TEST01":
        (folder / "verify_accuracy.txt").write_text("TEST PASS\n")
        (folder / "accuracy").mkdir()
        for name in ("mlperf_log_accuracy.json", "accuracy.txt"):
            shutil.copyfile(tree.result(scenario) / "accuracy" / name, folder / "accuracy" / name)

"""What is done to a closed tree in which nothing is wrong, and the finding that must come of it: a row for every check of the preflight."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.submission.pack import truncation
from code.submission.stage.layout import FILE_LIMIT_BYTES
from code.systems.data.description_fields import NETWORK_FIELDS
from tests.unit.submission import made
from tests.unit.submission.closed import ClosedTree, add_event, events, set_keys, write_events
from tests.unit.submission.made import edit

Harm = Callable[[ClosedTree], Path]


@dataclass(frozen=True)
class Row:
    """One thing that is wrong.

    Args:
        harm: does it, and returns the file or folder that the finding must name.
        check, words: the finding's check, and a part of what it says.
        step: a part of its next step.
        base: the tree that is harmed: a round's closed tree; 'open' or 'network' for one of the newest round in that division; 'power' for
            one whose Offline result has it; 'endpoint' for one of results of MLCommons endpoints.
        error: it prevents submission.
        own: in a tree of others it is only a note.
        also: checks that find something in consequence.
    """

    harm: Harm
    check: str
    words: str
    step: str = ""
    base: str = "v6.1"
    error: bool = True
    own: bool = False
    also: tuple[str, ...] = field(default=())


def key(name: str, value: object, part: str = "performance/run_1", scenario: str = "Offline") -> Harm:
    """A key of a detail log has another value; None for a log without it."""

    def harm(tree: ClosedTree) -> Path:
        set_keys(tree.log(scenario, part), {name: value})
        return tree.log(scenario, part)

    return harm


def event(value: str, part: str = "performance/run_1", **flags: bool) -> Harm:
    """A detail log has one more event."""

    def harm(tree: ClosedTree) -> Path:
        add_event(tree.log(part=part), value, **flags)
        return tree.log(part=part)

    return harm


def cut(part: str) -> Harm:
    """A detail log ends early."""

    def harm(tree: ClosedTree) -> Path:
        write_events(tree.log(part=part), events(tree.log(part=part))[:-1])
        return tree.log(part=part)

    return harm


def without_settings(tree: ClosedTree) -> Path:
    write_events(tree.log(), [event for event in events(tree.log()) if not event["key"].startswith("effective_")])
    return tree.log()


def gone(name: str) -> Harm:
    """A file of the result is missing."""

    def harm(tree: ClosedTree) -> Path:
        (tree.result() / name).unlink()
        return tree.result() / name

    return harm


def text(name: str, content: str = "x\n") -> Harm:
    """A file of the result has another content, or is there at all."""

    def harm(tree: ClosedTree) -> Path:
        path = tree.result() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return harm


def at_submitter(name: str, content: str = "x\n") -> Harm:
    """The same, below the submitter's folder."""

    def harm(tree: ClosedTree) -> Path:
        path = tree.submitter / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return harm


def parent(harm: Harm) -> Harm:
    """What is found is the folder of the file."""
    return lambda tree: harm(tree).parent


def in_summary(old: str, new: str) -> Harm:
    """The summary says something else."""

    def harm(tree: ClosedTree) -> Path:
        path = tree.log().with_name("mlperf_log_summary.txt")
        edit(path, old, new)
        return path

    return harm


def no_result_in_summary(tree: ClosedTree) -> Path:
    path = tree.log().with_name("mlperf_log_summary.txt")
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("Result is")))
    return path


def measured(**changed: Any) -> Harm:
    """Fields of the measurements JSON; None drops one."""

    def harm(tree: ClosedTree) -> Path:
        content = {**json.loads(tree.measurements().read_text()), **changed}
        tree.measurements().write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
        return tree.measurements()

    return harm


def system(**changed: Any) -> Harm:
    """Fields of the system's description; None drops one."""

    def harm(tree: ClosedTree) -> Path:
        content = {**json.loads(tree.system.read_text()), **changed}
        tree.system.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
        return tree.system

    return harm


def score(value: float, recorded: float | None = None) -> Harm:
    """accuracy.txt has another score than 95.5, and the measurements record another or the same."""

    def harm(tree: ClosedTree) -> Path:
        path = tree.result() / "accuracy/accuracy.txt"
        edit(path, '"f1": 95.5', f'"f1": {value}')
        accuracy = json.loads(tree.measurements().read_text())["accuracy"]
        accuracy[0].update(value=value if recorded is None else recorded, threshold=0.0)
        measured(accuracy=accuracy)(tree)
        return path

    return harm


def tiny_below_its_target(tree: ClosedTree) -> Path:
    accuracy = json.loads(tree.measurements().read_text())["accuracy"]
    accuracy[0]["threshold"] = 96.0
    measured(model_variant="tiny", accuracy=accuracy)(tree)
    return tree.result() / "accuracy/accuracy.txt"


def full_log_with_another_hash(tree: ClosedTree) -> Path:
    log = tree.result() / "accuracy/mlperf_log_accuracy.json"
    kept = truncation.full_results_dir().joinpath(*log.parts[-8:])
    kept.parent.mkdir(parents=True)
    kept.write_text("[]")
    return log.with_name("accuracy.txt")


def audit(name: str, content: str | None = None, test: str = "TEST01") -> Harm:
    """A file of an audit is missing, or has another content."""

    def harm(tree: ClosedTree) -> Path:
        path = tree.audit(test) / name
        if content is None:
            path.unlink()
        else:
            path.write_text(content)
        return path

    return harm


def audit_by_scores(baseline: float, compliance: float) -> Harm:
    """TEST01 by its second way: the scores of the accuracy run and of the audit."""

    def harm(tree: ClosedTree) -> Path:
        folder = tree.audit()
        (folder / "verify_accuracy.txt").write_text("TEST FAIL\n")
        for name, value in (("baseline", baseline), ("compliance", compliance)):
            (folder / f"accuracy/{name}_accuracy.txt").write_text(json.dumps({"exact_match": 80.0, "f1": value}) + "\n")
        return folder / "accuracy/compliance_accuracy.txt"

    return harm


def audit_key(name: str, value: object, test: str = "TEST01") -> Harm:
    """A key of an audit's own log."""

    def harm(tree: ClosedTree) -> Path:
        path = tree.audit(test) / "performance/run_1/mlperf_log_detail.txt"
        set_keys(path, {name: value})
        return path

    return harm


def audit_that_was_none(tree: ClosedTree) -> Path:
    path = tree.audit() / "performance/run_1/mlperf_log_detail.txt"
    write_events(path, [event for event in events(path) if "audit.config" not in str(event["value"])])
    return path


def audit_of_the_result_itself(tree: ClosedTree) -> Path:
    path = tree.audit() / "performance/run_1/mlperf_log_detail.txt"
    content = events(path)
    began = next(event["value"] for event in events(tree.log()) if event["key"] == "test_datetime")
    for one in content:
        if one["key"] == "test_datetime":
            one["value"] = began
    write_events(path, content)
    return path


def unlisted(*names: str) -> Harm:
    """A folder of the result that nothing reads."""
    return parent(text("/".join((*names, "a.txt"))))


def scenario_called(name: str) -> Harm:
    """SingleStream's folder has another name."""

    def harm(tree: ClosedTree) -> Path:
        folder = tree.result("SingleStream")
        shutil.copytree(folder, folder.with_name(name))
        return folder.with_name(name)

    return harm


def no_single_stream(tree: ClosedTree) -> Path:
    shutil.rmtree(tree.result("SingleStream"))
    return tree.result().parent


def benchmark_called(name: str) -> Harm:
    """The benchmark's folder has another name."""

    def harm(tree: ClosedTree) -> Path:
        folder = tree.result().parent
        folder.rename(folder.with_name(name))
        return folder.with_name(name)

    return harm


def no_source(tree: ClosedTree) -> Path:
    folder = tree.submitter / Path(tree.shape.source).name
    shutil.rmtree(folder)
    return folder


def no_calibration(tree: ClosedTree) -> Path:
    path = tree.submitter / "documentation/calibration.md"
    path.write_text("")
    return path


def empty_folder(tree: ClosedTree) -> Path:
    (tree.submitter / "documentation/empty").mkdir()
    return tree.submitter / "documentation/empty"


def link(tree: ClosedTree) -> Path:
    (tree.submitter / "documentation/link").symlink_to("/etc/hostname")
    return tree.submitter / "documentation/link"


def large(where: str) -> Harm:
    """A file over the limit."""

    def harm(tree: ClosedTree) -> Path:
        path = tree.submitter / "documentation" / where
        with path.open("wb") as out:
            out.truncate(FILE_LIMIT_BYTES + 1)
        return path

    return harm


def beside(name: str) -> Harm:
    """Something beside the divisions or the submitters."""

    def harm(tree: ClosedTree) -> Path:
        path = tree.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x\n")
        return path

    return harm


def other_submitter(tree: ClosedTree) -> Path:
    folder = tree.root / tree.division / "Other"
    folder.mkdir()
    (folder / "notes.md").write_text("x\n")
    return folder


def without(name: str) -> Harm:
    """A folder of the result is missing."""

    def harm(tree: ClosedTree) -> Path:
        shutil.rmtree(tree.result() / name)
        return tree.result() / name

    return harm


def settings_of_power(tree: ClosedTree, name: str, content: str = "x\n") -> Path:
    """A file of a power measurement's settings; returns the folder of the measurements."""
    (tree.measurements().parent / name).write_text(content)
    return tree.measurements().parent


def after_staging(change: Callable[[Path], object], words: str, also: tuple[str, ...] = ()) -> Row:
    """The tree is harmed after it was recorded."""

    def harm(tree: ClosedTree) -> Path:
        tree.record()
        path = tree.result() / "user.conf"
        change(path)
        return path

    return Row(harm, "unchanged", words, "make stage_results", also=also)


NETWORK = dict.fromkeys(NETWORK_FIELDS, "x")
UNKNOWN_SYSTEM = f"results/{made.SYSTEM}_old/bert-99/notes.txt"

"""populate_readme: regenerate the READMEs and calibration.md of a staged tree from its runs."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, OncePerRequest
from code.actions.stage_results import tree
from code.common import console, paths
from code.common.errors import MissingError
from code.common.files import atomic_write
from code.rules.rounds import round_named
from code.submission.stage import measurements, runs, staging
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import Identity
from code.submission.stage.layout import LAYOUTS, Place


def run(context: Context) -> int:
    """Rewrite the pages; results taken over from another tree keep their own."""
    root = tree(context.request)
    record = staging.read_record(root)
    if not record.get("results"):
        raise MissingError(f"no record of staged results in {root}", "", "run `make stage_results`")
    written = []
    described = []
    for entry in record["results"]:
        place = Place(*(entry[name] for name in ("division", "submitter", "system", "benchmark", "scenario")))
        if entry.get("endpoint"):
            console.say(f"{place.label}: measured at an endpoint; README.md left unchanged")
            continue
        round_ = round_named(entry["round"])
        ran, accuracy = (runs.read_run(Path(entry[name])) for name in ("performance_run", "accuracy_run"))
        if ran is None or accuracy is None:
            console.warn(f"{place.label}: its runs no longer exist; README.md left unchanged")
            continue
        one = Candidate(
            place.system,
            place.benchmark,
            place.scenario,
            ran.folder,
            accuracy.folder,
            ran,
            accuracy,
            measured=ran.scenario if ran.scenario != place.scenario else "",
            stands_for=ran.benchmark if ran.benchmark != place.benchmark else "",
        )
        who = Identity(place.submitter, place.division, str(record.get("category", "")), "", round_)
        path = LAYOUTS[round_.layout].measurements_dir(root, place) / "README.md"
        with atomic_write(path) as out:
            out.write(measurements.readme(one, who, round_))
        written.append(path)
        described.append((place, round_, one))
    if described:
        place, round_, _ = described[0]
        path = LAYOUTS[round_.layout].documentation_dir(root, place) / "calibration.md"
        with atomic_write(path) as out:
            out.write(measurements.calibration_page([one for *_, one in described]))
        written.append(path)
    console.say(f"wrote {len(written)} pages in {paths.shown(root)}")
    return 0


ACTION = OncePerRequest(run)

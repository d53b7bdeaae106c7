"""A result in a tree that somebody published: where its files are, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import MissingError, RunError
from code.results import loadgen_log
from code.results.loadgen_log import LoadGenLog
from code.rules.benchmarks import result_named
from code.rules.rounds import EVERY_DIVISION, ROUNDS, Round
from code.submission.stage.layout import LAYOUTS, SCENARIOS, Layout, Place

KEY = re.compile(r"^\s*(?P<model>[^\s.#]+)\.(?P<scenario>[^\s.]+)\.(?P<key>\w+)\s*=\s*(?P<value>[^\s#]+)")
BACKENDS = (("tensorrt", "tensorrt"), ("_trt", "tensorrt"), ("openvino", "openvino"), ("onnx", "onnxruntime"))
"""Part of a system's name or framework, in lower case → the backend here that is nearest to it."""
RESULTS, MEASUREMENTS = "results", "measurements"


@dataclass(frozen=True)
class PublishedResult:
    """One result.

    Args:
        root: the folder that holds the divisions.
        system: its system description; {} if there is none.
        measured: its measurements JSON; {} if there is none.
        conf: user.conf's key → its text, for this result's benchmark and scenario.
        conf_file: that file; None if there is none.
        log: the detail log of its performance run; None if it cannot be read.
    """

    root: Path
    place: Place
    layout: Layout
    system: dict[str, Any]
    measured: dict[str, Any]
    conf: dict[str, str] = field(default_factory=dict)
    conf_file: Path | None = None
    log: LoadGenLog | None = None

    @property
    def submitter(self) -> Path:
        """The submitter's folder."""
        return self.root / self.place.division / self.place.submitter

    @property
    def folder(self) -> Path:
        """The result's folder."""
        return self.layout.results_dir(self.root, self.place)

    @property
    def round(self) -> Round | None:
        """The round whose seeds its log has; None for another."""
        if self.log is None:
            return None
        seeds = self.seeds
        return next((one for one in ROUNDS.values() if dict(one.seeds) == seeds), None)

    @property
    def seeds(self) -> dict[str, int]:
        """LoadGen's seeds; {} without a log."""
        names = next(iter(ROUNDS.values())).seeds
        return {name: self.log.get(f"effective_{name}") for name in names} if self.log else {}

    @property
    def measures_power(self) -> bool:
        """Whether power was measured, which its submitter ran with the MaxQ settings."""
        return (self.folder / "performance" / "power").is_dir()

    @property
    def backend(self) -> str:
        """The nearest backend of this harness; '' if none is like it."""
        words = f"{self.place.system} {self.system.get('framework', '')}".lower()
        return next((backend for part, backend in BACKENDS if part in words), "")

    @property
    def precision(self) -> str:
        """The first precision that its weights have here; '' if it names none."""
        words = re.findall(r"[a-z]+\d+", str(self.measured.get("weight_data_types", "")).lower())
        return next((word for word in words if word in ("int8", "fp8", "fp16", "bf16", "fp32")), "")


def find(path: Path) -> list[PublishedResult]:
    """Every result in a folder: a tree, a submitter's folder, or any folder below its results/ or measurements/.

    Raises MissingError if it is not part of a submission tree, or holds no result.
    """
    path = path.absolute()
    if not path.is_dir():
        raise MissingError(f"{path} does not exist", "", "name a folder of results with FROM=…")
    root, wanted = _root(path)
    if root is None:
        raise MissingError(
            f"{path} is not in a submission tree",
            "its path has no <division>/<submitter>/results, and neither has the folder itself",
            "name the tree, or a folder in it, such as closed/<submitter>/results/<system>",
        )
    places = [place for place in LAYOUTS["beside"].places(root) if _within(place, wanted)]
    if not places:
        raise MissingError(
            f"no results in {path}",
            "a result is a folder results/<system>/<benchmark>/<scenario> of a submitter",
            "name a folder that holds one",
        )
    return [_read(root, place) for place in places]


def _root(path: Path) -> tuple[Path | None, tuple[str, ...]]:
    """The tree's root, and the folder names below it that select results: (division, submitter, system, benchmark, scenario)."""
    parts = path.parts
    for index in range(len(parts) - 1, -1, -1):
        if parts[index] not in EVERY_DIVISION:
            continue
        below = parts[index + 1 :]
        if len(below) > 1 and below[1] not in (RESULTS, MEASUREMENTS):
            continue
        root = Path(*parts[:index])
        division = root / parts[index]
        if not any((submitter / RESULTS).is_dir() for submitter in ([division / below[0]] if below else division.iterdir())):
            continue
        return root, (parts[index], *below[:1], *below[2:5])
    if any((path / division).is_dir() for division in EVERY_DIVISION):
        return path, ()
    return None, ()


def _within(place: Place, wanted: tuple[str, ...]) -> bool:
    own = (place.division, place.submitter, place.system, place.benchmark, place.parts["scenario"])
    return all(SCENARIOS.get(a, a) == SCENARIOS.get(b, b) for a, b in zip(own, wanted, strict=False))


def _read(root: Path, place: Place) -> PublishedResult:
    layout = next((one for one in LAYOUTS.values() if one.find_measurements_json(root, place)), LAYOUTS["beside"])
    conf = layout.measurements_dir(root, place) / "user.conf"
    try:
        log: LoadGenLog | None = loadgen_log.read_detail(layout.performance_dir(root, place))
    except RunError:
        log = None
    return PublishedResult(
        root,
        place,
        layout,
        _json(layout.system_json(root, place)),
        _json(layout.find_measurements_json(root, place)),
        _conf(conf, place) if conf.is_file() else {},
        conf if conf.is_file() else None,
        log,
    )


def _json(path: Path | None) -> dict[str, Any]:
    return {} if path is None else jsonfile.object_or_empty(path)


def _conf(path: Path, place: Place) -> dict[str, str]:
    """The settings that LoadGen would take from a user.conf: a line of the benchmark and scenario goes before '*'."""
    result = result_named(place.benchmark)
    models = {"*": 0, (result.name if result else place.benchmark): 2}
    scenarios = {"*": 0, place.scenario: 1}
    found: dict[str, tuple[int, str]] = {}
    for hit in _lines(path):
        rank = models.get(hit["model"], -9) + scenarios.get(hit["scenario"], -9)
        if rank >= found.get(hit["key"], (0, ""))[0] and rank >= 0:
            found[hit["key"]] = (rank, hit["value"])
    return {key: text for key, (_, text) in found.items()}


def _lines(path: Path) -> Iterator[re.Match[str]]:
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        hit = KEY.match(line)
        if hit:
            yield hit

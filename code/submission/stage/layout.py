"""Paths in a submission tree: one table per layout that rounds use.

Placeholders: division, submitter, system, benchmark (with its accuracy target), scenario, test.
Source: PATH tables of the official checker (tools/submission/submission_checker/constants.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BASE = "{division}/{submitter}"
WORKLOAD = "{system}/{benchmark}/{scenario}"
PERFORMANCE_FILES = ("mlperf_log_summary.txt", "mlperf_log_detail.txt")
ACCURACY_FILES = ("mlperf_log_summary.txt", "mlperf_log_detail.txt", "mlperf_log_accuracy.json", "accuracy.txt")
ACCURACY_LOG = "mlperf_log_accuracy.json"
POWER_FOLDERS = ("power", "ranging")
POWER_FILES = ("client.json", "client.log", "ptd_logs.txt", "server.json", "server.log")
POWER_LOG = "spl.txt"
FILE_LIMIT_BYTES = 50 * 2**20
"""Size limit of a file in a submission, in bytes."""
ACCURACY_LOG_LIMIT = 10 * 1024
"""Size limit of an accuracy log after truncation, in bytes."""
VIEWABLE = 4096
"""Bytes that truncation keeps at each end."""


SCENARIOS: dict[str, str] = {
    written: name
    for name in ("Offline", "Server", "SingleStream", "MultiStream", "Interactive")
    for written in (name, name.lower())
}
"""Name of a scenario's folder → the scenario. The official checkers take lower case, too."""


@dataclass(frozen=True)
class Place:
    """Coordinates of a result in a tree.

    Args:
        folder: the name of the scenario's folder where it is not the scenario's own ('offline').
    """

    division: str
    submitter: str
    system: str
    benchmark: str
    scenario: str
    folder: str = ""

    @property
    def parts(self) -> dict[str, str]:
        """The placeholders of a layout's paths."""
        return {**vars(self), "scenario": self.folder or self.scenario}

    @property
    def label(self) -> str:
        """The prefix of messages about it: 'bert-99 Offline on DGX'."""
        return f"{self.benchmark} {self.scenario} on {self.system}"


@dataclass(frozen=True)
class Layout:
    """One layout; every entry is a path below the tree's root."""

    results: str
    measurements: str
    measurements_file: str
    compliance: str
    source: str
    systems: str = BASE + "/systems"
    documentation: str = BASE + "/documentation"

    def results_dir(self, root: Path, place: Place) -> Path:
        """The folder with accuracy/ and performance/."""
        return root / self.results.format(**place.parts)

    def performance_dir(self, root: Path, place: Place) -> Path:
        """The folder of the performance run's logs."""
        return self.results_dir(root, place) / "performance" / "run_1"

    def accuracy_dir(self, root: Path, place: Place) -> Path:
        """The folder of the accuracy run's logs."""
        return self.results_dir(root, place) / "accuracy"

    def measurements_dir(self, root: Path, place: Place) -> Path:
        """The folder with user.conf and README.md."""
        return root / self.measurements.format(**place.parts)

    def measurements_json(self, root: Path, place: Place, implementation: str) -> Path:
        """The measurements JSON, which describes how the result was made."""
        name = self.measurements_file.format(implementation=implementation, **place.parts)
        return self.measurements_dir(root, place) / name

    def find_measurements_json(self, root: Path, place: Place) -> Path | None:
        """The measurements file for any implementation; None if there is none."""
        folder = self.measurements_dir(root, place)
        fixed = folder / self.measurements_file.format(implementation="*", **place.parts)
        if "*" not in fixed.name:
            return fixed if fixed.is_file() else None
        for pattern in (f"{place.system}*_{place.parts['scenario']}.json", f"{place.system}*.json"):
            found = sorted(folder.glob(_literal(pattern)))
            if found:
                return found[0]
        return None

    def compliance_dir(self, root: Path, place: Place) -> Path:
        """The folder of the audit tests (TEST01, …)."""
        return root / self.compliance.format(**place.parts)

    def system_json(self, root: Path, place: Place) -> Path:
        """The system description."""
        return root / self.systems.format(**place.parts) / f"{place.system}.json"

    def source_dir(self, root: Path, place: Place) -> Path:
        """The folder of the submission's code."""
        return root / self.source.format(**place.parts)

    def documentation_dir(self, root: Path, place: Place) -> Path:
        """The folder of calibration.md."""
        return root / self.documentation.format(**place.parts)

    def places(self, root: Path) -> list[Place]:
        """Every result in a tree, derived from its folders. A folder that is not called after a scenario is not one."""
        found = []
        for folder in sorted(root.glob("*/*/results/*/*/*")):
            if folder.is_dir() and not any(part.startswith(".") for part in folder.relative_to(root).parts):
                division, submitter, _, system, benchmark, named = folder.relative_to(root).parts
                scenario = SCENARIOS.get(named)
                if scenario:
                    place = Place(division, submitter, system, benchmark, scenario, named if named != scenario else "")
                    found.append(place)
        return found


def _literal(pattern: str) -> str:
    """`pattern` for glob with only `*` special: system names may contain brackets."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


LAYOUTS: dict[str, Layout] = {
    "beside": Layout(
        results=f"{BASE}/results/{WORKLOAD}",
        measurements=f"{BASE}/measurements/{WORKLOAD}",
        measurements_file="{system}_{implementation}_{scenario}.json",
        compliance=f"{BASE}/compliance/{WORKLOAD}",
        source=f"{BASE}/code",
    ),
    "inside": Layout(
        results=f"{BASE}/results/{WORKLOAD}",
        measurements=f"{BASE}/results/{WORKLOAD}",
        measurements_file="measurements.json",
        compliance=f"{BASE}/results/{WORKLOAD}",
        source=f"{BASE}/src",
    ),
}
"""Up to v5.1, results, measurements and compliance are siblings; from v6.0 the latter two are inside results."""

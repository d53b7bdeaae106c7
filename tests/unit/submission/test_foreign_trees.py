"""Trees that other tools made: what the official checks refuse is an error, a convention of this harness only a note."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from code.rules.official_names import official_name
from code.rules.rounds import CURRENT, round_named
from code.submission.check import official, report_columns, system_checks, tree_checks, tree_structure
from code.submission.check.finding import Finding, errors
from code.submission.check.tree_structure import Tree
from code.submission.stage import candidates
from code.submission.stage.layout import FILE_LIMIT_BYTES, LAYOUTS, Place
from code.systems.data.description_fields import NETWORK_FIELDS
from tests.unit.submission import made
from tests.unit.submission.made import edit_key, result

V61, V41 = round_named("v6.1"), round_named("v4.1")


def preflight(root: Path) -> list[Finding]:
    return tree_checks.preflight(root, V61, "Example")


def write(path: Path, text: str = "x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# ── conventions of this harness ──────────────────────────────────────────────────────────────


def lower_case(root: Path) -> Path:
    for scenario in ("Offline", "Server"):
        folder = result(root, scenario)
        folder.rename(folder.with_name(scenario.lower()))
    return result(root, "offline")


def submitter_root(root: Path) -> Path:
    write(root / "open/Example/docker/Dockerfile")
    write(root / "open/Example/documentation/guide.md")
    return write(root / "open/Example/Makefile")


def calibration_folder(root: Path) -> Path:
    (root / "open/Example/documentation/calibration.md").unlink()
    write(root / "open/Example/calibration/bert/README.md")
    return root / "open/Example/calibration"


def trace(root: Path) -> Path:
    write(result(root) / "accuracy/mlperf_log_trace.json")
    return write(result(root) / "performance/run_1/mlperf_log_trace.json")


def audit_config(root: Path) -> Path:
    return write(result(root) / "performance/run_1/audit.config")


def other_submitter(root: Path) -> Path:
    shutil.copytree(root / "open/Example/systems", root / "open/Other/systems")
    return root / "open/Other"


def folder_beside(root: Path) -> Path:
    return write(root / "assets/logo.svg").parent


def stray_inside(root: Path) -> Path:
    return write(result(root) / "plots/a.svg").parent


CONVENTIONS: dict[str, Callable[[Path], Path]] = {
    "lower-case scenarios": lower_case,
    "a submitter's root with its Makefile": submitter_root,
    "calibration by benchmark": calibration_folder,
    "traces": trace,
    "a leftover audit.config": audit_config,
    "another submitter": other_submitter,
    "a folder beside the divisions": folder_beside,
    "a folder that nothing reads": stray_inside,
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_convention_is_a_note(foreign: Path, name: str) -> None:
    path = CONVENTIONS[name](foreign)
    found = preflight(foreign)
    assert [(one.path, one.what) for one in errors(found)] == []
    if name != "lower-case scenarios":
        assert path in {one.path for one in found if not one.error}, [str(one.path) for one in found]


@pytest.mark.parametrize("name", [name for name in CONVENTIONS if name not in ("lower-case scenarios",)])
def test_in_a_tree_that_was_staged_here_it_is_an_error(tree: Path, name: str) -> None:
    path = CONVENTIONS[name](tree)
    assert path in {one.path for one in errors(preflight(tree))}


def test_lower_case_results_are_checked_all_the_same(foreign: Path) -> None:
    folder = lower_case(foreign)
    edit_key(folder / "performance/run_1/mlperf_log_detail.txt", "effective_qsl_rng_seed", 1)
    assert [(one.check, one.path.parents[2]) for one in errors(preflight(foreign))] == [("seeds", folder)]
    found = LAYOUTS["inside"].places(foreign)
    assert {(place.scenario, place.folder) for place in found} >= {("Offline", "offline"), ("SingleStream", "")}
    rows = {row["Scenario"]: row for row in report_columns.rows(foreign, V61)}
    assert rows["Offline"]["Location"].endswith("bert-99/offline/performance/run_1")


def test_lower_case_results_can_be_staged(foreign: Path) -> None:
    lower_case(foreign)
    found, findings = candidates.from_tree(foreign)
    assert {one.scenario for one in found} == set(made.SETTINGS) and not findings
    assert all(set(one.tree_files) >= {"measurements", "system"} for one in found)


# ── what the official checks refuse ──────────────────────────────────────────────────────────


def with_key(key: str, value: object) -> Callable[[Path], Path]:
    def sabotage(root: Path) -> Path:
        path = result(root) / "performance/run_1/mlperf_log_detail.txt"
        edit_key(path, key, value)
        return path

    return sabotage


def without_key(key: str) -> Callable[[Path], Path]:
    def sabotage(root: Path) -> Path:
        path = result(root) / "performance/run_1/mlperf_log_detail.txt"
        lines = [line for line in path.read_text().splitlines() if f'"key": "{key}"' not in line]
        path.write_text("\n".join(lines) + "\n")
        return path

    return sabotage


def in_system(**changed: object) -> Callable[[Path], Path]:
    def sabotage(root: Path) -> Path:
        path = root / "open/Example/systems" / f"{made.SYSTEM}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
        return path

    return sabotage


def stray(where: str) -> Callable[[Path], Path]:
    def sabotage(root: Path) -> Path:
        return write(root / "open/Example/results" / where / "notes.txt").parent

    return sabotage


def stray_benchmark(root: Path) -> Path:
    """With a scenario in it; one without is passed over by the checkers since v6.0."""
    write(root / "open/Example/results" / made.SYSTEM / "tmp/Offline/notes.txt")
    return root / "open/Example/results" / made.SYSTEM / "tmp"


def bad_mapping(root: Path) -> Path:
    return write(root / "open/Example/model_mapping.json", "{'a': 1}")


def bad_nameplate(root: Path) -> Path:
    """The checker loads it for a result with power only, and for the first system's path in any case."""
    return write(root / "open/Example/systems" / f"{made.SYSTEM}_power.yaml", "a: [1\nb: }")


def space(root: Path) -> Path:
    return write(root / "open/Example/src/a file")


def large(root: Path) -> Path:
    path = root / "open/Example/src/large.bin"
    with path.open("wb") as out:
        out.truncate(FILE_LIMIT_BYTES + 1)
    return path


def link(root: Path) -> Path:
    path = root / "open/Example/src/link"
    path.symlink_to("/etc/hostname")
    return path


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "another seed": (with_key("effective_qsl_rng_seed", 1), "seeds"),
    "nine minutes": (with_key("effective_min_duration_ms", 540000), "duration"),
    "no minimum duration": (without_key("effective_min_duration_ms"), "settings"),
    "a duration in words": (with_key("effective_min_duration_ms", "ten minutes"), "readable"),
    "no sample count": (without_key("effective_performance_sample_count"), "settings"),
    "an unknown scenario": (with_key("effective_scenario", "Backwards"), "readable"),
    "is_network as a bool": (in_system(is_network=True), "system"),
    "is_network without its fields": (in_system(is_network="false"), "system"),
    "a number of nodes in words": (in_system(number_of_nodes="two"), "system"),
    "a stray system": (stray("logs"), "stray"),
    "a stray benchmark": (stray_benchmark, "round"),
    "a stray scenario": (stray(f"{made.SYSTEM}/bert-99/OfflineOld"), "stray"),
    "an upper-case scenario": (stray(f"{made.SYSTEM}/bert-99/OFFLINE"), "stray"),
    "a mapping that does not parse": (bad_mapping, "mapping"),
    "a nameplate that does not parse": (bad_nameplate, "system"),
}
BY_REPOSITORY_CHECKS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a name with a space": (space, "structure"),
    "a file over the limit": (large, "size"),
    "a link": (link, "structure"),
}
"""What repository_checks.sh finds, not the checker itself."""


@pytest.mark.parametrize("name", [*REFUSED, *BY_REPOSITORY_CHECKS])
def test_what_is_refused_stays_an_error(foreign: Path, name: str) -> None:
    sabotage, check = {**REFUSED, **BY_REPOSITORY_CHECKS}[name]
    path = sabotage(foreign)
    wrong = errors(preflight(foreign))
    assert {(one.check, one.path) for one in wrong} == {(check, path)}, [(str(o.path), o.what) for o in wrong]
    assert all(one.next_step for one in wrong)


def checkout() -> Path:
    root = os.environ.get("MLPERF_INFERENCE_DIR", "")
    if not root or not (Path(root) / CURRENT.script).is_file():
        pytest.skip("MLPERF_INFERENCE_DIR names no mlcommons/inference checkout")
    return Path(root)


@pytest.mark.official
@pytest.mark.parametrize("name", ["nothing", *REFUSED, *CONVENTIONS])
def test_the_official_checker_agrees(foreign: Path, tmp_path: Path, name: str) -> None:
    place = checkout()
    if name != "nothing":
        {**{key: one for key, (one, _) in REFUSED.items()}, **CONVENTIONS}[name](foreign)
    report = official.check(foreign, V61, "Example", tmp_path / "summary.csv", place, CURRENT)
    assert report.passed is not bool(errors(preflight(foreign))), report.output[-3000:]


def test_a_log_without_a_duration_costs_itself_alone(foreign: Path) -> None:
    path = without_key("effective_min_duration_ms")(foreign)
    edit_key(path, "effective_qsl_rng_seed", 1)
    edit_key(path, "effective_samples_per_query", 5)
    found = [one for one in preflight(foreign) if one.path == path]
    assert [one.check for one in found if one.error] == ["settings", "seeds"]
    assert any(one.check == "valid" and "INVALID" in one.what for one in found), "the reasons of an INVALID run need it, too"


def test_a_mapped_name_counts_as_its_benchmark(foreign: Path) -> None:
    folder = result(foreign).parent
    folder.rename(folder.with_name("my-network"))
    assert [one.check for one in errors(preflight(foreign))] == ["round"]
    write(foreign / "open/Example/model_mapping.json", '{"my-network": "bert-99"}')
    assert errors(preflight(foreign)) == []
    assert {row["MlperfModel"] for row in report_columns.rows(foreign, V61)} == {"bert-99"}
    assert official_name(V61, "my-bert-99.9-pruned", {}) == "bert-99.9" and official_name(V61, "my-3d-unet-99", {}) is None


def test_a_benchmark_that_is_not_here_is_left_to_the_official_checker(foreign: Path) -> None:
    folder = result(foreign).parent
    shutil.copytree(folder, folder.with_name("resnet50"))
    found = preflight(foreign)
    assert errors(found) == []
    assert [one.check for one in found if "only the official checker" in one.what] == ["round"]


# ── the network, in closed and open ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("division", "value", "round_", "wrong"),
    [
        ("closed", None, "v6.1", 0),
        ("closed", "true", "v4.1", 2),
        ("closed", "false", "v4.1", 0),
        ("closed", "false", "v6.1", 1),
        ("network", "false", "v4.1", 1),
        ("network", "True", "v4.1", 1),
        ("open", "true", "v4.1", 1),
        ("open", False, "v4.1", 1),
    ],
)
def test_is_network(division: str, value: object, round_: str, wrong: int) -> None:
    """One finding for the division, one for the fields that such a system needs."""
    system = {**made.description(), "submitter": "Example", "division": division, "status": "rdi", "system_type": "edge"}
    if value is not None:
        system["is_network"] = value
    found = list(
        system_checks.check(Path("x.json"), system, Place(division, "Example", "x", "bert-99", "Offline"), round_named(round_))
    )
    assert len(found) == wrong, [one.what for one in found]


def test_a_network_system_has_it_in_the_name_of_its_sut(foreign: Path) -> None:
    in_system(is_network="true", **dict.fromkeys(NETWORK_FIELDS, "x"))(foreign)
    assert {one.check for one in errors(preflight(foreign))} == {"network"}
    for path in foreign.rglob("run_1/mlperf_log_detail.txt"):
        edit_key(path, "sut_name", "Network SUT of ours")
    assert errors(preflight(foreign)) == []


# ── rounds before v6.0 ───────────────────────────────────────────────────────────────────────


def test_the_older_script_compares_files_with_a_list(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    run = root / "closed/Example/results/s/bert-99/Offline/performance/run_1"
    for name in ("mlperf_log_summary.txt", "mlperf_log_detail.txt", "mlperf_log_trace.json", "audit.config", "notes.txt"):
        write(run / name)
    write(root / "closed/Example/measurements/s/audit.config")
    (root / "closed/Example/empty").mkdir()
    write(root / "stray.bin")
    write(root / "README.md")
    for round_, refused in ((V41, {"audit.config", "notes.txt", "empty", "stray.bin"}), (V61, set())):
        found = [one for one in tree_structure.check(Tree(root, round_)) if not one.own]
        assert {one.path.name for one in found if one.path.name not in ("code", "src")} == refused
    (run.parent / "power").mkdir()
    found = [one for one in tree_structure.check(Tree(root, V61)) if not one.own and one.check == "forbidden"]
    assert {one.path.name for one in found} == {"audit.config", "notes.txt"}, "every checker lists the files of a run with power"

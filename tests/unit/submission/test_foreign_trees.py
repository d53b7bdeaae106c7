"""Trees that other tools made: what the official checks refuse is an error, a convention of this harness only a note."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from code.actions import Context, check_submission
from code.common.errors import MissingError
from code.plan.request import parse
from code.rules.official_names import official_name
from code.rules.rounds import CURRENT, round_named
from code.submission.check import audit_checks, official, report_columns, system_checks, tree_checks, tree_structure
from code.submission.check.finding import Finding, errors
from code.submission.check.log_checks import Claim
from code.submission.check.official import Checked
from code.submission.check.tree_structure import Tree
from code.submission.stage import candidates, staging
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


# ── audits ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def audited(good: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A folder with a TEST01 that is as it should be, and the folder of its result's log."""
    source = result(good) / "performance/run_1"
    folder = tmp_path / "audits" / "TEST01"
    run = folder / "performance/run_1"
    shutil.copytree(source, run)
    log = run / "mlperf_log_detail.txt"
    lines = log.read_text().splitlines()
    event = json.loads(lines[-1][len(":::MLLOG") :])
    event.update(key="generic_message", value="Found Audit Config file (audit.config).")
    event["metadata"] = {**event["metadata"], "is_warning": True, "is_error": False}
    log.write_text("\n".join([lines[0], ":::MLLOG " + json.dumps(event), *lines[1:]]) + "\n")
    edit_key(log, "test_datetime", "2026-01-01T00:00:00Z")
    for name in ("verify_accuracy.txt", "verify_performance.txt"):
        write(folder / name, "TEST PASS \n")
    write(folder / "accuracy/mlperf_log_accuracy.json", "[]")
    return folder.parent, source


def audit_findings(audited: tuple[Path, Path], division: str = "open") -> list[tuple[str, str]]:
    folder, source = audited
    claim = Claim("bert-99", "Offline", division, "edge", V61)
    return [(one.check, one.what) for one in audit_checks.check(folder, claim, source) if one.error]


def test_a_good_audit(audited: tuple[Path, Path]) -> None:
    assert audit_findings(audited) == []


@pytest.mark.parametrize(
    ("key", "value", "check"),
    [
        ("effective_qsl_rng_seed", 1, "seeds"),
        ("effective_min_duration_ms", 60000, "duration"),
        ("effective_performance_sample_count", 64, "samples"),
        ("effective_scenario", "Server", "scenario"),
        ("effective_min_duration_ms", None, "readable"),
    ],
)
def test_the_audits_own_log_meets_the_rules(audited: tuple[Path, Path], key: str, value: object, check: str) -> None:
    edit_key(audited[0] / "TEST01/performance/run_1/mlperf_log_detail.txt", key, value)
    found = audit_findings(audited)
    assert check in {one for one, _ in found} and all(what.startswith("TEST01: ") for _, what in found)


def test_a_short_query_in_a_closed_audit(audited: tuple[Path, Path]) -> None:
    edit_key(audited[0] / "TEST01/performance/run_1/mlperf_log_detail.txt", "effective_samples_per_query", 100)
    assert "samples" in {one for one, _ in audit_findings(audited, "closed")}


def test_an_audit_that_was_none(audited: tuple[Path, Path]) -> None:
    log = audited[0] / "TEST01/performance/run_1/mlperf_log_detail.txt"
    log.write_text("\n".join(line for line in log.read_text().splitlines() if "audit.config" not in line) + "\n")
    assert [what for _, what in audit_findings(audited)] == [
        "TEST01: LoadGen ran without an audit.config, so this is not an audit run"
    ]


@pytest.mark.parametrize("edited", [False, True])
def test_the_results_own_log_again(audited: tuple[Path, Path], edited: bool) -> None:
    log = audited[0] / "TEST01/performance/run_1/mlperf_log_detail.txt"
    shutil.copyfile(audited[1] / "mlperf_log_detail.txt", log)
    if edited:
        edit_key(log, "effective_print_timestamps", True)
    assert any("the log of the result itself" in what for _, what in audit_findings(audited))


def test_a_stray_file_beside_an_audits_logs(audited: tuple[Path, Path]) -> None:
    write(audited[0] / "TEST01/performance/run_1/audit.config")
    write(audited[0] / "TEST01/performance/run_1/mlperf_log_trace.json")
    assert audit_findings(audited) == [("audit", "not one of the files allowed in this folder")]


def test_scores_decide_where_responses_vary(audited: tuple[Path, Path]) -> None:
    folder = audited[0] / "TEST01"
    write(folder / "verify_accuracy.txt", "TEST FAIL\n")
    assert any("there is no baseline_accuracy.txt" in what for _, what in audit_findings(audited))
    write(folder / "accuracy/baseline_accuracy.txt", '{"exact_match": 80.0, "f1": 90.0}\n')
    write(folder / "accuracy/compliance_accuracy.txt", '{"exact_match": 80.0, "f1": 90.5}\n')
    assert audit_findings(audited) == []
    write(folder / "accuracy/compliance_accuracy.txt", '{"exact_match": 80.0, "f1": 91.5}\n')
    assert any("the scores differ too much" in what for _, what in audit_findings(audited))


# ── who is asked ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A stand-in of the official checker, which finds nothing wrong; the submitters that it was asked about."""
    calls: list[str] = []

    def check(root: Path, round_: object, submitter: str, *more: object) -> Checked:
        calls.append(submitter)
        return Checked(True, (), (), ("SUMMARY: submission looks OK",), "", "")

    monkeypatch.setattr(official, "checkout", lambda known: (tmp_path, CURRENT))
    monkeypatch.setattr(official, "check", check)
    return calls


def check_action(root: Path, *words: str) -> int:
    return check_submission.run(
        Context(parse(["--action=check_submission", f"--submission_dir={root}", "--round=v6.1", *words], {}))
    )


def test_the_official_checker_is_asked_whatever_the_preflight_found(
    foreign: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with_key("effective_qsl_rng_seed", 1)(foreign)
    assert check_action(foreign) == 4 and asked == ["Example"]
    assert "Preflight for v6.1: 1 errors" in capsys.readouterr().out
    assert check_action(foreign, "--preflight=only") == 4 and asked == ["Example"]
    assert check_action(foreign, "--preflight=off") == 0 and asked == ["Example", "Example"]


def test_several_submitters_are_all_checked(foreign: Path, asked: list[str]) -> None:
    shutil.copytree(foreign / "open/Example", foreign / "open/Other")
    for path in (foreign / "open/Other/systems").glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "submitter": "Other"}))
    assert check_action(foreign) == 0 and asked == [""]


def test_without_a_preflight_the_checker_has_to_be_there(foreign: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLPERF_INFERENCE_DIR", str(tmp_path))
    assert check_action(foreign) == 0
    with pytest.raises(MissingError):
        check_action(foreign, "--preflight=off")


def test_the_closed_logs_of_v4_1_have_no_error(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real audits: seeds of TEST05, durations and query counts of each."""
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    shutil.copytree(shared / "data/mlperf_logs/closed", tmp_path / "tree/closed")
    place = next(p for p in LAYOUTS["beside"].places(tmp_path / "tree") if (p.benchmark, p.scenario) == ("bert-99", "Offline"))
    claim = Claim("bert-99", "Offline", "closed", "datacenter", V41)
    shape = LAYOUTS["beside"]
    folder, run = shape.compliance_dir(tmp_path / "tree", place), shape.performance_dir(tmp_path / "tree", place)
    assert [one.what for one in audit_checks.check(folder, claim, run)] == []
    log = folder / "TEST05/performance/run_1/mlperf_log_detail.txt"
    log.parent.chmod(0o755)
    log.chmod(0o644)
    edit_key(log, "effective_qsl_rng_seed", V41.seeds["qsl_rng_seed"])
    assert [one.check for one in audit_checks.check(folder, claim, run)] == ["seeds"]


def test_rows_of_a_tree_without_power_are_one_each(foreign: Path, tmp_path: Path) -> None:
    report_columns.write(tmp_path, report_columns.rows(foreign, V61))
    with (tmp_path / "summary.csv").open() as source:
        assert [row["Scenario"] for row in csv.DictReader(source)] == sorted(made.SETTINGS)
    assert not staging.read_record(foreign)

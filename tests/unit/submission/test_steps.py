"""From runs to the tarball, each step as an action in this process."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

from code.common.paths import build_dir
from code.submission.stage import staging
from tests.unit.acting import Act
from tests.unit.submission import endpoints, made

WHO = ("--submitter=Example", "--division=open", "--category=edge", "--status=available")


def test_from_runs_to_the_tarball(logs: Path, tmp_path: Path, act: Act) -> None:
    root = staging.submission_dir()
    status, said = act("pack_submission")
    assert status == 3 and "stage_results" in said, "there is no tree yet"
    status, said = act("stage_results", *WHO)
    assert status == 0 and "Next: make truncate_results" in said, said
    assert all(scenario in said for scenario in made.SETTINGS) and "open division only: the model is the tiny one" in said
    status, said = act("check_submission", *WHO, "--preflight=only")
    assert status == 4 and "not truncated" in said and "make truncate_results" in said
    status, said = act("truncate_results", *WHO)
    assert status == 0 and said.count("truncated") == len(made.SETTINGS), said
    status, said = act("truncate_results", *WHO)
    assert status == 0 and "nothing to truncate" in said
    readme = made.result(root) / "README.md"
    before = readme.read_text()
    readme.unlink()
    assert act("populate_readme", *WHO)[0] == 0 and readme.read_text() == before
    status, said = act("check_submission", *WHO, "--preflight=only")
    assert status == 0 and "Preflight for v6.1: no errors, 4 notes" in said, said
    status, said = act("pack_submission", *WHO)
    tarball = next(build_dir().rglob("mlperf_submission.tar.gz"))
    assert status == 0 and "mlperf_submission.tar.gz" in said
    with tarfile.open(tarball) as archive:
        names = set(archive.getnames())
    assert names == {path.relative_to(root).as_posix() for path in root.rglob("*")}
    if shutil.which("openssl"):
        (tmp_path / "pass").write_text("secret\n")
        status, said = act("encrypt_submission", f"--passphrase_file={tmp_path}/pass")
        assert status == 0 and "openssl enc -d" in said and tarball.with_name("mlperf_submission.tar.gz.enc").is_file()


def test_a_pair_that_cannot_be_staged_is_status_4(logs: Path, act: Act) -> None:
    (made.run_folder(logs, "Server", "AccuracyOnly") / "accuracy.txt").unlink()
    status, said = act("stage_results", *WHO)
    assert status == 4 and "no accuracy.txt" in said and "--test_mode=AccuracyOnly" in said
    staged = json.loads(staging.record_path(staging.submission_dir()).read_text())
    assert {entry["scenario"] for entry in staged["results"]} == set(made.SETTINGS) - {"Server"}


def test_who_submits_must_be_given(logs: Path, act: Act) -> None:
    status, said = act("stage_results")
    assert status == 3 and "submitter, division, category, status must be given" in said
    status, said = act("stage_results", *WHO[:1], "--division=opn", *WHO[2:])
    assert status == 2 and "open" in said
    assert not staging.submission_dir().exists()


def test_closed_takes_no_tiny_result(logs: Path, act: Act) -> None:
    status, said = act("stage_results", WHO[0], "--division=closed", *WHO[2:])
    assert status == 2 and "nothing could be staged" in said and "not allowed in closed" in said


def test_results_of_an_endpoint_are_staged_beside_the_runs(logs: Path, tmp_path: Path, act: Act) -> None:
    toml = tmp_path / "submission.toml"
    tables = (("system", endpoints.DESCRIBED), ("measurements", endpoints.MEASURED))
    lines = [[f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())] for name, table in tables]
    toml.write_text("\n".join(line for table in lines for line in table) + "\n")
    folder = endpoints.write(tmp_path / "online")
    told = (*WHO, f"--endpoint_results={folder}", f"--system={endpoints.SYSTEM}", f"--submission_file={toml}")
    status, said = act("stage_results", *told)
    assert status == 0 and "llama3.1-8b" in said and "bert-99" in said, said
    status, said = act("populate_readme", *WHO)
    assert (
        status == 0 and "llama3.1-8b Server on Example_GPUx1_Endpoint: measured at an endpoint; README.md left unchanged" in said
    )
    assert act("truncate_results", *WHO)[0] == 0
    status, said = act("check_submission", *WHO, "--preflight=only")
    assert status == 0 and "no errors" in said, said
    assert act("pack_submission", *WHO)[0] == 0
    rows = json.loads((build_dir() / "summary.json").read_text())
    assert {row["Model"] for row in rows} == {"bert-99", "llama3.1-8b"}
    for alone in ("--benchmarks=llama3.1-8b", f"--log_dir={tmp_path / 'none'}"):
        status, said = act("stage_results", *told, alone)
        assert status == 0 and "llama3.1-8b" in said and "bert-99" not in said, said

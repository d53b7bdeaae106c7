"""What can be known of a system before anybody has it: each command works for systems of every kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from code.systems import custom

pytestmark = [pytest.mark.e2e, pytest.mark.cpp, pytest.mark.timeout(600)]

KINDS = {
    "A100_SXM4_40GBx8": "standard_nd96asr_v4",
    "ND_H100_v5": "nd_h100_v5",
    "CPU_x86_64": "cpu_x86_64",
    "seven_slices": "a100_mig_1g_5gb",
    "six_L40S": "",
}
"""System → a capture of such a machine; those without a config of the project are added from their capture."""
ADDED = "six_L40S"


@pytest.fixture(scope="module", autouse=True)
def built(project: Path) -> None:
    if not (Path(os.environ.get("BUILD_DIR", project / "build")) / "bin" / "harness").is_file():
        pytest.skip("the C++ harness is not built; run `make build`")


@pytest.fixture
def capture(project: Path, tmp_path: Path) -> Path:
    """A machine with six L40S, of which nobody has published a result."""
    content = json.loads((project / "tests/captures/l40sx4.json").read_text())
    gpus = content["probes"]["nvml"]["gpus"]
    content["probes"]["nvml"]["gpus"] = [{**gpus[0], "index": i, "uuid": f"GPU-{i}"} for i in range(6)]
    file = tmp_path / f"{ADDED}.json"
    file.write_text(json.dumps(content))
    return file


def call(project: Path, definitions: Path, action: str, *words: str, status: int = 0) -> str:
    """What an action printed. Systems are added below `definitions`, and nothing is read from elsewhere."""
    definitions.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "code.main", f"--action={action}", *words]
    environment = {**os.environ, custom.DEFINITION_PATH: str(definitions)}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def add(project: Path, definitions: Path, name: str, capture: Path, *words: str) -> dict[str, Any]:
    """The report of adding a system, whose description is removed again."""
    given = (f"--name={name}", f"--capture={capture}", "--benchmarks=bert", "--scenarios=offline,server")
    description = project / "systems" / f"{name}.json"
    try:
        found: dict[str, Any] = json.loads(call(project, definitions, "add_system", *given, "--yes", "--json", *words))
    finally:
        description.unlink(missing_ok=True)
    return found


@pytest.mark.full
def test_a_rate_that_could_not_be_valid_is_not_proposed(project: Path, capture: Path, tmp_path: Path) -> None:
    report = add(project, tmp_path / "definitions", ADDED, capture)
    simulated = {one["benchmark"]: one for one in report["simulated"]}
    assert simulated.keys() == {"bert-99", "bert-99.9"}
    assert all(one["valid"] for one in simulated.values()), "the rates that are written were simulated"
    text = (tmp_path / "definitions/custom_configs/bert/Server/custom.py").read_text()
    assert "the highest rate that is VALID in a simulation" in text
    assert f"server_target_qps = {simulated['bert-99']['rate']:.0f}" in text


@pytest.mark.full
@pytest.mark.parametrize("system", KINDS)
def test_every_command_works_for_every_kind_of_system(system: str, project: Path, capture: Path, tmp_path: Path) -> None:
    definitions = tmp_path / "definitions"
    given = ("--benchmarks=bert", "--scenarios=offline,server", f"--system={system}")
    known = system in ("A100_SXM4_40GBx8", "ND_H100_v5", "CPU_x86_64")
    machine = project / "tests/captures" / f"{KINDS[system]}.json" if KINDS[system] else capture
    report = add(project, definitions, "of_a_capture" if known else system, machine)
    assert [Path(path).name for path in report["written"]] == ["custom_list.py", "custom.py", "custom.py"]
    offline, server = json.loads(call(project, definitions, "simulate", *given, "--json"))
    assert offline["result"] > 0 and offline["low"]["result"] <= offline["result"] <= offline["high"]["result"]
    # A processor is taken to compute ten samples a second, too few for the bound.
    assert system == "CPU_x86_64" or server["highest_valid"]["rate"] > 0
    models = json.loads(call(project, definitions, "list_models", "--json"))
    assert system == "CPU_x86_64" or any(one["name"] == f"{system}-bert-99" for one in models)
    plan = json.loads(
        call(project, definitions, "plan_submission", f"--systems={system}", "--category=datacenter", "--round=v6.1", "--json")
    )
    assert {one["system"] for one in plan["tests"]} == {system} and all(one["command"] for one in plan["tests"])
    assert "bert-99" in call(project, definitions, "tune", *given, "--dry_run")

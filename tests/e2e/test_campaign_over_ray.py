"""A campaign and a fleet on the nodes of a real local Ray cluster. Needs `make cluster`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.test_nodes import INSTALLED, Run, kill, require_nothing_left, running

__all__ = ["running"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.full,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not INSTALLED, reason="Ray is not installed; run `make cluster`"),
]
FILE = """
name = "NAME"
args = "--model_variant=tiny --share_devices --min_duration=100 --test_query_count=8"
repeats = 2
MORE
[[workload]]
benchmarks = ["bert"]
scenarios = ["offline", "singlestream"]
"""


def words(tmp_path: Path, name: str, more: str = "") -> tuple[str, ...]:
    file = tmp_path / "campaign.toml"
    file.write_text(FILE.replace("NAME", f"{name}-{os.getpid()}").replace("MORE", more))
    return (f"--campaign_file={file}", f"--campaign_dir={tmp_path / 'state'}", "--campaign_ray=local:2")


def results_of(tmp_path: Path) -> dict[Path, str]:
    """What the campaign's state has of each run that is done."""
    return {path: path.read_text() for path in (tmp_path / "state").glob("*/runs/*/result.json")}


def complete(tmp_path: Path) -> list[Path]:
    """The results of runs that came to their end."""
    return [one for one in (tmp_path / "results").rglob("metadata.json") if not one.with_name("INCOMPLETE").exists()]


def test_every_run_is_made_once_also_when_a_node_is_lost(
    tmp_path: Path, running: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "results"))
    given = words(tmp_path, "ray")
    run = running(*given, action="campaign")
    run.wait_for(lambda: list((tmp_path / "state").glob("*/runs/*/result.json")))
    everything = run.processes()
    kill("ray::Node")(run)
    printed = run.end()
    assert run.process.returncode == 0 and "4 of 4 runs are done" in printed and "was lost" in printed, printed
    found = results_of(tmp_path)
    assert len(found) == len(complete(tmp_path)) == 4
    require_nothing_left(everything)
    again = running(*given, action="campaign")
    printed = again.end()
    assert again.process.returncode == 0 and "4 of 4 runs are done" in printed, printed
    assert results_of(tmp_path) == found and len(complete(tmp_path)) == 4, "a run was made twice"


def test_every_node_of_a_fleet_makes_its_runs(
    tmp_path: Path, running: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "results"))
    run = running(*words(tmp_path, "fleet", "nodes = 2"), action="campaign")
    everything = run.wait_for(run.processes)
    printed = run.end()
    assert run.process.returncode == 0 and "8 of 8 runs are done" in printed and "make fleet FILE=" in printed, printed
    nodes = Counter(path.parts[-4] for path in (tmp_path / "state").glob("*/nodes/*/runs/*/result.json"))
    assert sorted(nodes.values()) == [4, 4]
    require_nothing_left(everything)

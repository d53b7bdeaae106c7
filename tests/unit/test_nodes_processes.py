"""What nodes do on their machine, without Ray: processes, folders, copies of engines, and whether the head is near."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from code.run.nodes import proof, ray_node
from code.run.nodes.cluster import Cluster
from tests.unit.test_nodes import HEAD, NODE


def test_an_engine_that_a_node_of_the_same_devices_lacks_is_copied_there(tmp_path: Path) -> None:
    without = {**NODE, "engines": {}}
    assert proof.lacking(HEAD, without) == ["bert-1"] and proof.differences(HEAD, [without], before_copies=True) == []
    assert proof.lacking(HEAD, NODE) == [] and proof.lacking(HEAD, {"name": "n", "error": "x"}) == []
    other = {**without, "devices": [{"kind": "A100"}]}
    assert proof.lacking(HEAD, other) == [] and len(proof.differences(HEAD, [other], before_copies=True)) == 2
    damaged = {**NODE, "engines": {"bert-1": "engine.plan was changed"}}
    assert proof.lacking(HEAD, damaged) == [] and len(proof.differences(HEAD, [damaged], before_copies=True)) == 1
    source, target = tmp_path / "here" / "bert-1", tmp_path / "there" / "bert-1"
    (source / "inner").mkdir(parents=True)
    (source / "engine.json").write_text("{}")
    (source / "inner" / "engine.plan").write_bytes(b"\0\1")
    ray_node.write_folder(target, ray_node.content_of(source))
    assert ray_node.content_of(target) == ray_node.content_of(source)
    ray_node.write_folder(target, {"engine.json": b"other"})
    assert (target / "engine.json").read_text() == "{}", "one that is there stays"
    assert [path.name for path in target.parent.iterdir()] == ["bert-1"]
    (tmp_path / "file").touch()
    assert "file" in ray_node.Node("", "", []).receive({str(tmp_path / "file" / "bert-1"): {"a": b""}})


def test_a_harness_process_that_ends_or_falls_silent_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    node = ray_node.Node(str(tmp_path), "python3", [])
    said = node.serve(["/nowhere/harness"], {}, {}, 5)
    assert "/nowhere/harness" in said["error"]["why"]
    assert node.watch().startswith("its harness process ended: /nowhere/harness")
    program = tmp_path / "harness"
    program.write_text('#!/bin/bash\necho \'{"endpoints": [["tcp://h:1"]]}\' >&$HARNESS_PROGRESS_FD\nsleep 60\n')
    program.chmod(0o755)
    node = ray_node.Node(str(tmp_path), "python3", [])
    assert node.serve([str(program)], {}, {}, 5) == {"endpoints": [["tcp://h:1"]]}
    monkeypatch.setattr(ray_node, "SILENCE_S", 0.1)
    assert "has reported nothing" in node.watch()
    node.stop()
    assert len(list(tmp_path.glob("mlperf-node-*"))) == 1, "that of the first node, which was never stopped"


def test_what_a_driver_that_hangs_has_started_ends_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    program = f"sleep 60 & echo $! > {mark}; sleep 60"
    process = subprocess.Popen(["bash", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    cluster = Cluster(process)
    while not (mark.exists() and mark.read_text().strip()):
        assert process.poll() is None
        time.sleep(0.01)
    cluster.close(0.1)
    end = time.monotonic() + 20
    while (left := alive(int(mark.read_text()))) and time.monotonic() < end:
        time.sleep(0.05)
    assert process.returncode == -9 and not left


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return str(psutil.Process(pid).status()) != psutil.STATUS_ZOMBIE
    return False


def test_only_a_node_that_reads_what_the_head_wrote_here_is_near(tmp_path: Path) -> None:
    mark, words = tmp_path / "head", f"secret {ray_node.BOOT.read_text().strip()}"
    assert not ray_node.near(str(mark), words), "another machine, container or account"
    mark.write_text("other")
    assert not ray_node.near(str(mark), words)
    mark.write_text(words)
    assert ray_node.near(str(mark), words)
    mark.write_text("secret another-boot")
    assert not ray_node.near(str(mark), "secret another-boot"), "another machine that shares the folder"
    assert not ray_node.near(str(mark), "")


def test_the_folder_of_a_killed_actor_is_removed_by_the_next(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, alive = (tmp_path / f"mlperf-node-{pid}-x" for pid in (ended.pid, os.getpid()))
    for folder in (left, alive):
        folder.mkdir()
    own = Path(ray_node.own_folder(ray_node.FOLDER, tmp_path))
    assert own.parent == tmp_path and own.is_dir() and alive.is_dir() and not left.exists()

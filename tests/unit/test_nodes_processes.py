"""What nodes do on their machine, without Ray: processes, folders, copies of engines, and whether the head is near."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from code.backends.store import TEMPORARY
from code.common.paths import project_root
from code.harness.schema import node_variables
from code.run.nodes import proof, ray_copy, ray_errors, ray_node
from code.run.nodes.cluster import Cluster
from tests.unit.test_nodes import HEAD, NODE

HELLO = hashlib.sha256(b"hello").hexdigest()


def test_an_engine_that_a_node_of_the_same_devices_lacks_is_copied_there(tmp_path: Path) -> None:
    without = {**NODE, "engines": {}}
    assert proof.lacking(HEAD, without) == ["bert-1"] and proof.differences(HEAD, [without], before_copies=True) == []
    assert proof.lacking(HEAD, NODE) == [] and proof.lacking(HEAD, {"name": "n", "error": "x"}) == []
    other = {**without, "devices": [{"kind": "A100"}]}
    assert proof.lacking(HEAD, other) == [] and len(proof.differences(HEAD, [other], before_copies=True)) == 2
    damaged = {**NODE, "engines": {"bert-1": "engine.plan was changed"}}
    assert proof.lacking(HEAD, damaged) == [] and len(proof.differences(HEAD, [damaged], before_copies=True)) == 1


class Ray:
    """Ray's two calls on objects that are here."""

    def put(self, value: object) -> object:
        return value

    def get(self, references: list[str], timeout: float) -> list[str]:
        return references


def actor(node: ray_node.Node, there: Path) -> SimpleNamespace:
    """A node as Ray's actor, whose folders are in `there`."""
    return SimpleNamespace(
        receive=SimpleNamespace(remote=lambda folder, *rest: node.receive(str(there / Path(folder).name), *rest)),
        keep=SimpleNamespace(remote=lambda folder, digests: node.keep(str(there / Path(folder).name), digests)),
    )


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """An engine's folder, whose plan travels in three parts."""
    folder = tmp_path / "here" / "bert-1"
    (folder / "inner").mkdir(parents=True)
    (folder / "engine.json").write_text("{}")
    (folder / "empty").touch()
    (folder / "inner" / "engine.plan").write_bytes(b"0123456789")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_engine_is_copied_in_parts(tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_copy, "PART", 4)
    assert [(name, len(part)) for name, part in ray_copy.parts(engine)] == [
        ("empty", 0), ("engine.json", 2), ("inner/engine.plan", 4), ("inner/engine.plan", 4), ("inner/engine.plan", 2)
    ]  # fmt: skip
    places = [tmp_path / "a", tmp_path / "b"]
    nodes = {place.name: actor(ray_node.Node("", "", []), place) for place in places}
    assert ray_copy.copied(Ray(), nodes, engine) is None
    for place in places:
        assert content(place / "bert-1") == content(engine) and [path.name for path in place.iterdir()] == ["bert-1"]
    (engine / "engine.json").write_text("{...}")
    assert ray_copy.copied(Ray(), nodes, engine) is None
    assert (places[0] / "bert-1" / "engine.json").read_text() == "{}", "one that is there stays"
    assert [path.name for path in places[0].iterdir()] == ["bert-1"]


def test_a_copy_that_fails_names_the_node_and_leaves_nothing(tmp_path: Path, engine: Path) -> None:
    (tmp_path / "file").touch()
    good, bad = ray_node.Node("", "", []), ray_node.Node("", "", [])
    nodes = {"n0": actor(good, tmp_path / "a"), "n1": actor(bad, tmp_path / "file")}
    found = ray_copy.copied(Ray(), nodes, engine)
    assert found is not None and found[0] == "n1" and "file" in found[1]
    (beside,) = (tmp_path / "a").iterdir()
    assert TEMPORARY.sub(r"\1", beside.name) == "bert-1", "the engine store clears it, should the node be killed"
    good.stop()
    assert not list((tmp_path / "a").iterdir())


@pytest.mark.parametrize("digests", [{"engine.json": "0" * 64}, {"engine.json": HELLO, "more": HELLO}])
def test_a_file_that_did_not_arrive_as_it_was_sent_is_not_kept(tmp_path: Path, digests: dict[str, str]) -> None:
    node, folder = ray_node.Node("", "", []), tmp_path / "bert-1"
    assert node.receive(str(folder), "engine.json", b"hel") == node.receive(str(folder), "engine.json", b"lo") == ""
    assert node.keep(str(folder), digests) == f"{folder / list(digests)[-1]} did not arrive as it was sent"
    assert not list(tmp_path.iterdir())
    node.receive(str(folder), "engine.json", b"hello")
    assert node.keep(str(folder), {"engine.json": HELLO}) == "" and content(folder) == {"engine.json": b"hello"}


def test_every_side_has_the_same_names_of_variables() -> None:
    header = (project_root() / "code" / "harness" / "cpp" / "core" / "remote.h").read_text()
    assert sorted(re.findall(r'"(HARNESS_\w+)"', header)) == sorted(node_variables.NAMES.values())
    program = "import json, sys; print(json.dumps({'serving': [json.loads(sys.stdin.readline())]}), flush=True)"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    (asked,) = Cluster(process).serve(["harness"], [{"a": 1}], "libzmq.so", 5)
    process.wait()
    assert asked == {
        "do": "serve", "command": ["harness"], "runs": [{"a": 1}], "library": "libzmq.so", "names": node_variables.NAMES, "patience_s": 5
    }  # fmt: skip


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


class ActorDiedError(Exception):
    """Ray's, by its name."""


def test_a_cluster_that_cannot_be_reached_is_three_lines() -> None:
    what, why, step = ray_errors.unreachable("h:1", ConnectionError("one\n two \n"))
    assert what == "no Ray cluster answers at h:1" and why == "two"
    assert all(word in step for word in ("ray start --head", "--ray_address", "RAY_AUTH_MODE=token", "local:2"))
    assert ray_errors.unreachable("h:1", ConnectionError())[1] == "ConnectionError"


def test_what_a_call_to_a_lost_node_says() -> None:
    class Failing:
        """Ray's call, which raises what it is asked for."""

        def get(self, reference: object, timeout: float) -> object:
            if isinstance(reference, Exception):
                raise reference
            return reference

    assert ray_errors.outcome(Failing(), "it is silent") == "it is silent" and ray_errors.failure(Failing(), 1.0) == ""
    lost = ActorDiedError("The actor died.\nMore")
    assert (
        ray_errors.outcome(Failing(), lost)
        == ray_errors.failure(Failing(), lost)
        == "its actor or its raylet died (ActorDiedError)"
    )
    assert ray_errors.failure(Failing(), ValueError("a\nb")) == "ValueError: b"
    assert ray_errors.last_line(ValueError("x" * 400)) == "x" * 300

"""A campaign over the nodes of a Ray cluster, without Ray: who makes what, nodes that are lost, and what is refused."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from code.actions import Context
from code.actions import campaign as action
from code.campaign import over_ray, plan
from code.campaign.estimate import Estimate
from code.campaign.opened import Campaign
from code.campaign.over_ray import Duty, duties, hand_out, wanted
from code.campaign.state import CampaignState
from code.common.errors import HarnessError, RunError, UsageError
from code.plan.request import parse
from code.run.nodes import ray_node, ray_tasks
from code.run.nodes.cluster import Ended, Member
from code.run.nodes.wanted import Wanted

FILE = """
name = "many"
repeats = 2
[[workload]]
benchmarks = ["bert"]
scenarios = ["offline", "singlestream"]
"""


class Nodes:
    """Nodes that end what they do when they are asked, the oldest first; `lost` are those that are lost in doing it."""

    def __init__(self, count: int, lost: Sequence[int] = (), status: int = 0) -> None:
        self.members = tuple(Member(f"n{i}", "host", "127.0.0.1", ()) for i in range(count))
        self.begun: list[tuple[int, str, list[str], dict[str, str], Path]] = []
        self._under_way: list[tuple[int, str]] = []
        self._lost, self._status = lost, status

    def begin(self, number: int, task: str, command: Sequence[str], variables: Mapping[str, str], output: Path) -> None:
        assert number not in [one for one, _ in self._under_way], "a node does one thing at a time"
        self.begun.append((number, task, list(command), dict(variables), output))
        self._under_way.append((number, task))

    def ended(self) -> Ended | None:
        if not self._under_way:
            return None
        number, task = self._under_way.pop(0)
        return Ended(task, None, "it died") if number in self._lost else Ended(task, self._status, "")


def campaign(tmp_path: Path, more: str = "") -> Campaign:
    file = tmp_path / "campaign.toml"
    file.write_text(more + FILE)
    return Campaign(plan.read(file), CampaignState(tmp_path / "state"), {})


def done(campaign: Campaign, names: Sequence[str]) -> None:
    """Give these runs a result."""
    for name in names:
        run = campaign.state.share().run(name)
        run.folder.mkdir(parents=True)
        run.succeed({"seconds": 1.0})


def test_each_run_is_made_once_by_whichever_node_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_DIR", "/logs")
    monkeypatch.delenv("PYTHON3", raising=False)
    todo = duties(campaign(tmp_path), ["n0", "n1"])
    names = [one.name for one in todo]
    assert len(set(names)) == 4 and all(one.words == (f"--campaign_run={one.name}",) and one.only is None for one in todo)
    nodes = Nodes(2)
    hand_out(nodes, todo, ["make"], tmp_path, lambda: False)
    assert [task for _, task, *_ in nodes.begun] == names
    assert [number for number, *_ in nodes.begun] == [0, 1, 0, 1]
    _, task, command, variables, output = nodes.begun[1]
    assert command == ["make", f"--campaign_run={task}"] and output == tmp_path / "n1.txt"
    assert variables["LOG_DIR"] == "/logs" and "PYTHON3" not in variables and set(variables) <= set(over_ray.HANDED_ON)


def test_what_is_done_is_not_made_again(tmp_path: Path) -> None:
    one = campaign(tmp_path)
    done(one, [one.plan.runs[0].name])
    assert [duty.name for duty in duties(one, ["n0"])] == [run.name for run in one.plan.runs[1:]]


@pytest.mark.parametrize(
    ("more", "count", "words"),
    [
        ("", 2, "2 nodes of the Ray cluster auto make them side by side: about 3 min 00 s."),
        ("", 9, "9 nodes of the Ray cluster auto make them side by side: about 2 min 00 s."),
        ("nodes = 3\n", 3, "Each of 3 nodes of the Ray cluster auto makes all runs, side by side."),
    ],
)
def test_a_dry_run_says_how_long_the_nodes_take(tmp_path: Path, more: str, count: int, words: str) -> None:
    found = campaign(tmp_path, more)
    names = [run.name for run in found.plan.runs]
    found = Campaign(found.plan, found.state, {name: Estimate(120.0, "") for name in names})
    if not more:
        done(found, names[:1])
        assert over_ray.outlook(found, Wanted(count, "auto")) == words
        done(found, names[1:])
        words = f"{count} nodes of the Ray cluster auto make them side by side: about 0 s."
    assert over_ray.outlook(found, Wanted(count, "auto")) == words


def test_every_node_of_a_fleet_makes_its_own(tmp_path: Path) -> None:
    todo = duties(campaign(tmp_path, "nodes = 2\n"), ["a", "b"])
    assert todo == [Duty("a", ("--node=a",), 0), Duty("b", ("--node=b",), 1)]
    nodes = Nodes(2)
    hand_out(nodes, list(reversed(todo)), ["make"], tmp_path, lambda: False)
    assert sorted((number, task) for number, task, *_ in nodes.begun) == [(0, "a"), (1, "b")]
    with pytest.raises(UsageError, match="node"):
        duties(campaign(tmp_path, 'nodes = ["a", "b"]\n'), ["a", "c"])


def test_what_a_lost_node_did_another_one_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = Nodes(2, lost=[0])
    hand_out(nodes, [Duty(name, ()) for name in "xyz"], ["make"], tmp_path, lambda: False)
    assert [(number, task) for number, task, *_ in nodes.begun] == [(0, "x"), (1, "y"), (1, "x"), (1, "z")]
    assert "node n0 was lost (it died): another one makes x" in "".join(capsys.readouterr())


def test_without_a_node_that_is_left_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="3 of 3 are left, and no node for them") as caught:
        hand_out(Nodes(2, lost=[0, 1]), [Duty(name, ()) for name in "xyz"], ["make"], tmp_path, lambda: False)
    assert "goes on at what is missing" in caught.value.next_step


def test_a_fleet_goes_on_without_a_lost_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = Nodes(2, lost=[1], status=4)
    hand_out(nodes, [Duty("a", (), 0), Duty("b", (), 1)], ["make"], tmp_path, lambda: False)
    printed = capsys.readouterr()
    assert len(nodes.begun) == 2 and "node n1 was lost (it died): its runs are missing" in "".join(printed)
    assert "n0: a: ended with status 4" in "".join(printed)


def test_a_stop_begins_nothing_more_and_waits_for_what_goes_on(tmp_path: Path) -> None:
    nodes = Nodes(1)
    hand_out(nodes, [Duty(name, ()) for name in "xyz"], ["make"], tmp_path, lambda: bool(nodes.begun))
    assert [task for _, task, *_ in nodes.begun] == ["x"]


@pytest.mark.parametrize(
    ("address", "count", "nodes", "found"),
    [
        ("auto", 2, 0, Wanted(2, "auto")),
        ("auto", None, 3, Wanted(3, "auto")),
        ("auto", 2, 3, Wanted(2, "auto")),
        ("local:2", None, 0, Wanted(2, "local:2")),
        ("local:2", None, 2, Wanted(2, "local:2")),
    ],
)
def test_how_many_nodes_are_used(address: str, count: int | None, nodes: int, found: Wanted) -> None:
    assert wanted(address, count, nodes) == found


@pytest.mark.parametrize(
    ("address", "count", "nodes", "words"),
    [
        ("auto", None, 0, "nothing says how many"),
        ("local:2", 3, 0, "3 nodes are asked for"),
        ("local:2", None, 3, "3 nodes are asked for"),
        ("nowhere", 2, 0, "RAY cannot be 'nowhere'"),
    ],
)
def test_what_says_no_number_of_nodes_is_an_error(address: str, count: int | None, nodes: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        wanted(address, count, nodes)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--campaign_nodes=2",), "NODES is set, and RAY is not"),
        (("--campaign_ray=local:2", "--node=n1"), "NODE and RAY are given together"),
        (("--campaign_ray=local:2", "--campaign_run=1"), "--campaign_run and RAY are given together"),
        (("--campaign_ray=auto",), "nothing says how many"),
    ],
)
def test_options_that_contradict_are_refused(given: tuple[str, ...], words: str, tmp_path: Path) -> None:
    file = tmp_path / "campaign.toml"
    file.write_text(FILE)
    request = parse(["--action=campaign", f"--campaign_file={file}", f"--campaign_dir={tmp_path / 'state'}", *given], {})
    with pytest.raises(HarnessError, match=words):
        action.run(Context(request))
    assert not (tmp_path / "state").exists()


def test_a_campaign_over_ray_ends_with_what_its_state_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "campaign.toml"
    file.write_text(FILE)
    words = (f"--campaign_file={file}", f"--campaign_dir={tmp_path / 'state'}", "--campaign_ray=local:2")
    asked: list[Any] = []

    def make(found: Campaign, nodes: Wanted, handed: list[str], logs: Path) -> None:
        asked.append((nodes, handed, logs))
        for run in found.plan.runs[: len(found.plan.runs) - failing]:
            state = found.state.share().run(run.name)
            state.folder.mkdir(parents=True, exist_ok=True)
            state.succeed({"seconds": 1.0, "results": [{"verdict": "INVALID", "shown": "1"}]})

    monkeypatch.setattr(over_ray, "make_runs", make)
    failing = 1
    assert action.run(Context(parse(["--action=campaign", *words], {}))) == 4
    assert "3 of 4 runs are done" in "".join(capsys.readouterr())
    failing = 0
    assert action.run(Context(parse(["--action=campaign", *words], {}))) == 0
    assert action.run(Context(parse(["--action=campaign", *words, "--strict"], {}))) == 5
    assert asked[0] == (Wanted(2, "local:2"), [f"--campaign_dir={tmp_path / 'state'}"], tmp_path / "state" / "many" / "ray")
    before = len(asked)
    capsys.readouterr()
    assert action.run(Context(parse(["--action=campaign", *words, "--dry_run"], {}))) == 0 and len(asked) == before
    assert "2 nodes of the Ray cluster local:2 make them side by side: about 0 s." in "".join(capsys.readouterr())
    assert action.run(Context(parse(["--action=campaign", *words, "--dry_run", "--json"], {}))) == 0
    assert "side by side" not in "".join(capsys.readouterr())


def test_a_node_carries_out_commands_and_ends_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    node = ray_node.Node(str(tmp_path), sys.executable, sorted(os.sched_getaffinity(0))[:1])
    output = tmp_path / "logs" / "n0.txt"
    code = "import os; print(os.getcwd(), os.environ['A'], 'CUDA_VISIBLE_DEVICES' in os.environ, len(os.sched_getaffinity(0)))"
    assert node.execute([sys.executable, "-c", code], {"A": "b"}, str(output)) == 0
    assert node.execute([sys.executable, "-c", "import sys; sys.exit(3)"], {}, str(output)) == 3
    assert output.read_text().split() == [str(tmp_path), "b", "False", "1"]
    found: list[int] = []
    worker = threading.Thread(target=lambda: found.append(node.execute(["sleep", "60"], {}, str(output))))
    worker.start()
    while not node._commands or not psutil.pid_exists(node._commands[-1].pid) or len(node._commands) < 3:
        time.sleep(0.01)
    node.stop()
    worker.join(20)
    assert found == [-signal.SIGTERM]


def test_what_a_node_did_is_said_or_that_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_tasks, "PING_EVERY_S", 0.01)
    said: list[dict[str, Any]] = []

    class Ray:
        """Ray's two calls, with references that are functions."""

        answers = True

        def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
            (one,) = references
            done = one() if one is work else self.answers
            return (references, []) if done else ([], references)

        def get(self, reference: Any, timeout: float) -> int:
            if isinstance(failure, Exception):
                raise failure
            return 7

    ray, looks = Ray(), [0]
    failure: Exception | None = None

    def work() -> bool:
        looks[0] += 1
        return looks[0] > 3 and ray.answers

    node = SimpleNamespace(execute=SimpleNamespace(remote=lambda *asked: work), ping=SimpleNamespace(remote=lambda: "ping"))

    def follow() -> dict[str, Any]:
        said.clear()
        ray_tasks.follow(ray, node, ("command", {}, "file"), lambda error: f"died: {error}", said.append, "one")
        while not said:
            time.sleep(0.005)
        return dict(said[0]["ended"])

    assert follow() == {"task": "one", "status": 7, "why": ""} and looks[0] == 4
    failure = RuntimeError("gone")
    assert follow() == {"task": "one", "status": None, "why": "died: gone"}
    ray.answers = False
    assert "has not answered for 10 s" in follow()["why"]

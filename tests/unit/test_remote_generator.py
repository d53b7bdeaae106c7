"""Text generators over nodes, without Ray: who gets a request, what travels, what is counted, and nodes that are lost."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Event, Generation, texts
from code.backends.generators.remote import Node, RemoteGenerator, RemoteUsage, capacity_of
from code.backends.generators.wire import READY, Answer, packed_request, request_of
from code.common.errors import RunError
from code.harness.python.serving_node import Serving
from code.harness.schema.options import RemoteOptions

HOW = Generation(1, 1, 8, False, 0)


def ids(*values: int) -> Any:
    return np.asarray(values, dtype=np.int32)


class Pipe:
    """Both ends of a connection in this process."""

    def __init__(self) -> None:
        self.messages: deque[bytes] = deque()

    def send(self, message: bytes) -> None:
        self.messages.append(message)

    def receive(self, wait_s: float = 0.0) -> bytes | None:
        return self.messages.popleft() if self.messages else None


class Open:
    """A door that never makes wait."""

    knocks = 0
    closed = False

    def wait(self, seconds: float) -> None:
        pass

    def knock(self) -> None:
        self.knocks += 1

    def close(self) -> None:
        self.closed = True


class Backwards:
    """A generator whose text is its prompt backwards; it reports the first token of a text in the step before the last."""

    def __init__(self, capacity: int, first: bool = False) -> None:
        self.capacity, self._first = capacity, first
        self.asked: list[tuple[int, Any]] = []

    def submit(self, request: int, prompt: Any) -> None:
        self.asked.append((request, prompt))

    def advance(self, wait_s: float) -> list[Event]:
        if self._first:
            self._first = False
            return [Event(request, prompt[-1:], False) for request, prompt in self.asked]
        found = [Event(request, prompt[::-1], True) for request, prompt in self.asked[: self.capacity]]
        del self.asked[: self.capacity]
        return found

    def close(self) -> None:
        pass


class There:
    """A node in this process."""

    def __init__(self, name: str, capacity: int, ahead: int = 0, lost: str = "", first: bool = False) -> None:
        requests, answers = Pipe(), Pipe()
        self.generator = Backwards(capacity, first)
        self.serving = Serving(self.generator, requests, answers)
        self.node = Node(name, requests, answers, capacity, ahead, lost)

    def work(self, steps: int = 1) -> None:
        while self.node.requests.receive.__self__.messages:  # type: ignore[attr-defined]
            self.serving.receive(0)
        for _ in range(steps):
            self.serving.step(0)


def given(node: Node) -> list[int]:
    return list(node.running)


def test_messages_are_read_as_they_were_written() -> None:
    number, prompt = request_of(packed_request(7, ids(3, 2, 1)))
    assert number == 7 and prompt.tolist() == [3, 2, 1] and prompt.dtype == np.int32
    answer = Answer.of(Answer(9, True, 1234, ids(5, -6)).packed())
    assert (answer.request, answer.finished, answer.held_ns, answer.tokens.tolist()) == (9, True, 1234, [5, -6])
    assert answer.tokens.flags.writeable and request_of(packed_request(0, ids()))[1].tolist() == []


@pytest.mark.parametrize("message", [b"", b"1234567", b"1" * 9, b"1" * 10])
def test_a_message_of_another_form_is_an_error(message: bytes) -> None:
    with pytest.raises(RunError, match=f"has {len(message)} bytes"):
        request_of(message)
    with pytest.raises(RunError, match="bytes"):
        Answer.of(message)
    with pytest.raises(RunError, match="bytes"):
        Answer.of(Answer(1, True, 0, ids(1)).packed()[:-1])


def test_the_nodes_answer_every_request_and_share_the_work() -> None:
    nodes = [There("n0", 2), There("n1", 3)]
    door = Open()
    generator = RemoteGenerator([one.node for one in nodes], door, 8)
    assert generator.capacity == 5
    prompts = [ids(i, i + 1) for i in range(20)]
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            for one in nodes:
                one.work()

    worker = threading.Thread(target=work)
    worker.start()
    found = texts(generator, prompts)
    stop.set()
    worker.join()
    assert [text.tolist() for text in found] == [[i + 1, i] for i in range(20)]
    assert door.knocks == 20 and sum(usage.finished for usage in generator.usage) == 20
    assert all(usage.finished > 3 and usage.running == 0 for usage in generator.usage)
    generator.close()
    assert door.closed


def test_a_request_goes_to_the_node_with_the_fewest_outstanding_tokens() -> None:
    nodes = [There(f"n{i}", 4).node for i in range(2)]
    generator = RemoteGenerator(nodes, Open(), 8)
    for number, length in enumerate((92, 1, 2, 3)):
        generator.submit(number, np.zeros(length, dtype=np.int32))
    generator.advance(0)
    (long,) = [node for node in nodes if 0 in node.running]
    (other,) = [node for node in nodes if node is not long]
    assert given(long) == [0] and given(other) == [1, 2, 3]
    assert long.outstanding == 100 and other.outstanding == 6 + 24


def test_equal_nodes_take_turns() -> None:
    nodes = [There(f"n{i}", 4) for i in range(3)]
    generator = RemoteGenerator([one.node for one in nodes], Open(), 8)
    took = []
    for number in range(6):
        generator.submit(number, ids(1))
        generator.advance(0)
        took += [i for i, one in enumerate(nodes) if number in one.node.running]
        for one in nodes:
            one.work()
        assert [event.request for event in generator.advance(0)] == [number]
    assert sorted(took[:3]) == sorted(took[3:]) == [0, 1, 2]


def test_some_wait_at_a_node_only_while_many_wait_here() -> None:
    nodes = [There(f"n{i}", 2, ahead=1) for i in range(2)]
    generator = RemoteGenerator([one.node for one in nodes], Open(), 8)
    for number in range(5):
        generator.submit(number, ids(number))
    generator.advance(0)
    assert [len(one.node.running) for one in nodes] == [2, 2], "one is left: it goes where there is room first"
    for number in range(5, 10):
        generator.submit(number, ids(number))
    generator.advance(0)
    assert [len(one.node.running) for one in nodes] == [3, 3] and len(generator._waiting) == 4


def test_without_room_a_request_waits_here() -> None:
    one = There("n0", 1)
    generator = RemoteGenerator([one.node], Open(), 8)
    for number in range(3):
        generator.submit(number, ids(number))
    generator.advance(0)
    assert given(one.node) == [0]
    one.work()
    assert [event.request for event in generator.advance(0)] == [0] and given(one.node) == [1]


def test_a_lost_nodes_requests_go_to_the_others_first(tmp_path: Path) -> None:
    mark = tmp_path / "lost-node-0"
    lost, other = There("n0", 2, lost=str(mark), first=True), There("n1", 2)
    generator = RemoteGenerator([lost.node, other.node], Open(), 8)
    for number in range(6):
        generator.submit(number, ids(number, 10 + number))
    generator.advance(0)
    had = given(lost.node)
    lost.work()
    firsts = generator.advance(0)
    assert [(event.request, event.finished, event.tokens.tolist()) for event in firsts] == [(n, False, [10 + n]) for n in had]
    mark.touch()
    generator.advance(0)
    assert lost.node.gone and lost.node.outstanding == 0 and lost.node.usage.running == 0 and lost.node.usage.finished == 0
    assert [number for number, _ in list(generator._waiting)[:2]] == had
    other.generator._first = True
    found: list[Event] = []
    for _ in range(8):
        other.work()
        found += generator.advance(0)
    done = [event for event in found if event.finished]
    assert sorted(event.request for event in done) == list(range(6))
    assert all(event.tokens.tolist() == [10 + event.request, event.request] for event in done)
    assert not [event for event in found if not event.finished and event.request in had], "a first token is reported once"
    assert other.node.usage.finished == 6


def test_an_answer_that_was_not_asked_for_is_an_error_with_the_node() -> None:
    one = There("n0", 2)
    generator = RemoteGenerator([one.node], Open(), 8)
    one.node.answers.send(Answer(3, True, 0, ids(1)).packed())
    with pytest.raises(RunError, match="node n0 answered a request that it does not have"):
        generator.advance(0)


def test_what_the_network_took_is_counted_for_each_text(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    node = There("n0", 2).node
    node.give(1, ids(1, 2), 10)
    now[0] = 103.0
    message = Answer(1, True, 2_000_000_000, ids(5)).packed()
    event = node.take(message)
    assert (event.request, event.finished, event.tokens.tolist()) == (1, True, [5])
    assert node.usage.extra() == {"network_s": 0.5, "received_bytes": len(message)}
    assert node.usage.busy_s() == 3.0 and node.outstanding == 0
    usage = RemoteUsage(2)
    usage.answered(-1.0, 5)
    usage.answered(1.0, 6)
    assert usage.extra() == {"network_s": 0.5, "received_bytes": 11}
    usage.reset()
    assert usage.extra() == {"network_s": 0.0, "received_bytes": 0} and usage.finished == 0


def test_a_node_says_first_how_much_it_takes() -> None:
    one = There("n0", 7)
    one.serving.greet()
    options = RemoteOptions("", "n0", ("ipc:///a", "ipc:///b"), "k")
    assert capacity_of(options, one.node.answers) == 7
    with pytest.raises(RunError, match="node n0 is not ready at ipc:///b") as caught:
        capacity_of(options, one.node.answers)
    assert "nothing came in 60 s" in caught.value.why
    for wrong in (Answer(0, False, 0, ids(7)), Answer(READY, False, 0, ids(7, 7)), Answer(READY, False, 0, ids(0))):
        one.node.answers.send(wrong.packed())
        with pytest.raises(RunError, match="not ready") as caught:
            capacity_of(options, one.node.answers)
        assert "another" in caught.value.why


def test_a_node_is_watched_while_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    one = There("n0", 1)
    serving = one.serving
    assert not serving.pending() and serving.answers() == 0 and serving.longest_busy_s(5.0) == 0
    one.node.give(4, ids(1, 2), 10)
    serving.receive(0)
    serving.receive(0)
    assert serving.pending() and "1 are under way" in serving.describe(0)
    busy: list[float] = []
    advance = one.generator.advance

    def slow(wait_s: float) -> list[Event]:
        busy.append(serving.longest_busy_s(time.monotonic() + 5))
        return advance(wait_s)

    monkeypatch.setattr(one.generator, "advance", slow)
    before = time.monotonic_ns()
    serving.step(0)
    assert 5 <= busy[0] < 60 and serving.longest_busy_s(5.0) == 0
    assert not serving.pending() and serving.answers() == 1 and "finished 1 texts" in serving.describe(0)
    answer = Answer.of(one.node.answers.receive() or b"")
    assert (answer.request, answer.finished, answer.tokens.tolist()) == (4, True, [2, 1])
    assert 0 < answer.held_ns < time.monotonic_ns() - before + 60e9

"""The generators of several nodes as one: each request goes to the node with the fewest outstanding tokens that has room for it.

Requests wait here and not at the nodes, so that each node's share follows its speed and none has a backlog while another is idle.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from code.backends.base import EngineSpec
from code.backends.generators.base import Event, GeneratorSpec, Usage
from code.backends.generators.wire import READY, Answer, Link, ZeroMq, packed_request
from code.common.errors import RunError
from code.harness.schema import node_variables
from code.harness.schema.options import RemoteOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

READY_S = 60.0
"""Until a node's first answer."""


class RemoteUsage(Usage):
    """Usage of a node, with what the way there and back took.

    Args:
        capacity: texts that run there at the same time: their waits are averaged over so many.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity
        self._network_s, self._received = 0.0, 0

    def answered(self, network_s: float, received: int) -> None:
        """Count an answer: the time of its request and itself on the way, and its bytes."""
        self._network_s += max(0.0, network_s)
        self._received += received

    def extra(self) -> dict[str, float]:
        """network_s and received_bytes of devices.json."""
        return {"network_s": round(self._network_s / self._capacity, 6), "received_bytes": self._received}

    def reset(self) -> None:
        """Reset the counters."""
        super().reset()
        self._network_s, self._received = 0.0, 0


@dataclass(frozen=True)
class Request:
    """A request that a node has.

    Args:
        prompt: its token ids, int32 [length].
        tokens: the most that prompt and text have together.
        sent: when it was sent, monotonic seconds.
    """

    prompt: NDArray[np.int32]
    tokens: int
    sent: float


@dataclass
class Node:
    """A node as its head sees it.

    Args:
        name: in messages.
        requests, answers: the connections to it.
        capacity: requests that it runs concurrently.
        ahead: further ones that may wait there while many wait here.
        lost: a file that says that it is lost and others take its requests; '': none.
    """

    name: str
    requests: Link
    answers: Link
    capacity: int
    ahead: int = 0
    lost: str = ""
    running: dict[int, Request] = field(default_factory=dict)
    outstanding: int = 0
    gone: bool = False

    def __post_init__(self) -> None:
        self.usage = RemoteUsage(self.capacity)

    def give(self, number: int, prompt: NDArray[np.int32], tokens: int) -> None:
        """Send it a request."""
        self.running[number] = Request(prompt, tokens, time.monotonic())
        self.outstanding += tokens
        self.usage.began()
        self.requests.send(packed_request(number, prompt))

    def take(self, message: bytes) -> Event:
        """What an answer says. RunError for one that was not asked for."""
        answer = Answer.of(message)
        request = self.running.get(answer.request)
        if request is None:
            raise RunError(
                f"node {self.name} answered a request that it does not have",
                f"its number is {answer.request}",
                "see that every node runs the same commit: make nodes",
            )
        if answer.finished:
            del self.running[answer.request]
            self.outstanding -= request.tokens
            self.usage.ended(1)
            self.usage.answered(time.monotonic() - request.sent - answer.held_ns / 1e9, len(message))
        return Event(answer.request, answer.tokens, answer.finished)

    def lose(self) -> list[tuple[int, NDArray[np.int32]]]:
        """It is lost: the requests that it had."""
        self.gone = True
        left = [(number, request.prompt) for number, request in self.running.items()]
        self.usage.ended(len(left))
        self.usage.finished -= len(left)
        self.running, self.outstanding = {}, 0
        return left


class Door(Protocol):
    """Where the driving thread waits for news."""

    def wait(self, seconds: float) -> None:
        """Until a node has answered, `knock` was called, or the time is over."""

    def knock(self) -> None:
        """End the wait; any thread may."""

    def close(self) -> None:
        """Close all connections."""


class RemoteGenerator:
    """The nodes' generators as one TextGenerator.

    Args:
        nodes: connected.
        door: where it waits for them.
        new_tokens: the most that a text has.
    """

    def __init__(self, nodes: Sequence[Node], door: Door, new_tokens: int) -> None:
        self._nodes, self._door, self._new_tokens = nodes, door, new_tokens
        self._waiting: deque[tuple[int, NDArray[np.int32]]] = deque()
        self._lock = threading.Lock()
        self._begun: set[int] = set()
        self._last = 0
        self.capacity = sum(node.capacity for node in nodes)
        self.usage = [node.usage for node in nodes]
        """Usage of each node."""

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Queue it; `advance` sends it at once where a node has room."""
        with self._lock:
            self._waiting.append((request, prompt))
        self._door.knock()

    def advance(self, wait_s: float) -> list[Event]:
        """What the nodes have answered; waits at most `wait_s` for the first answer or request."""
        self._door.wait(wait_s)
        events: list[Event] = []
        for node in self._here():
            while (message := node.answers.receive()) is not None:
                event = node.take(message)
                if event.finished or event.request not in self._begun:
                    events.append(event)
                (self._begun.discard if event.finished else self._begun.add)(event.request)
        self._notice_losses()
        self._hand_out()
        return events

    def close(self) -> None:
        """Close the connections; requests still running are abandoned."""
        self._door.close()

    def _here(self) -> list[Node]:
        return [node for node in self._nodes if not node.gone]

    def _notice_losses(self) -> None:
        for node in self._here():
            if node.lost and Path(node.lost).exists():
                with self._lock:
                    self._waiting.extendleft(reversed(node.lose()))

    def _hand_out(self) -> None:
        with self._lock:
            while self._waiting and (node := self._free()) is not None:
                number, prompt = self._waiting.popleft()
                node.give(number, prompt, len(prompt) + self._new_tokens)

    def _free(self) -> Node | None:
        """The node that gets the next request; None where none has room. At the end of a query nothing waits at a node."""
        here = self._here()
        many = len(self._waiting) > sum(node.capacity for node in here)
        turn = [(self._last + 1 + i) % len(self._nodes) for i in range(len(self._nodes))]
        room = [i for i in turn if self._has_room(self._nodes[i], many)]
        if not room:
            return None
        self._last = min(room, key=lambda i: self._nodes[i].outstanding / self._nodes[i].capacity)
        return self._nodes[self._last]

    @staticmethod
    def _has_room(node: Node, many: bool) -> bool:
        return not node.gone and len(node.running) < node.capacity + (node.ahead if many else 0)


class ZeroMqDoor:
    """Waits for the answers of several nodes over ZeroMQ."""

    def __init__(self, sockets: Sequence[ZeroMq]) -> None:
        self._sockets = sockets
        self._inner, self._outer = os.pipe()
        os.set_blocking(self._inner, False)
        os.set_blocking(self._outer, False)
        self._poller: Any = sockets[0].poller()
        self._poller.register(self._inner)

    def watch(self, socket: Any) -> None:
        """Wait for this socket, too."""
        self._poller.register(socket)

    def wait(self, seconds: float) -> None:
        """Until one of them has a message, `knock` was called, or the time is over."""
        if self._inner in dict(self._poller.poll(int(1000 * seconds))):
            os.read(self._inner, 65536)

    def knock(self) -> None:
        """End the wait."""
        try:
            os.write(self._outer, b"\0")
        except BlockingIOError:
            return  # it is full of knocks

    def close(self) -> None:
        """Close all sockets."""
        for one in self._sockets:
            one.close()
        os.close(self._inner)
        os.close(self._outer)


class Remote:
    """The nodes of a run over several machines."""

    engines_differ = True
    """Each device has an engine entry of its own."""

    def load(self, folder: Path, spec: EngineSpec) -> RemoteGenerator:
        """The generator of one node."""
        return self.load_devices(folder, [spec])

    def load_devices(self, _folder: Path, specs: Sequence[EngineSpec]) -> RemoteGenerator:
        """Connect to every node. RunError for one that does not answer."""
        asked = [GeneratorSpec.require(spec) for spec in specs]
        options = [_options(spec) for spec in asked]
        zeromq = ZeroMq(options[0].library, os.environ.get(node_variables.KEYS, ""))
        door = ZeroMqDoor([zeromq])
        try:
            nodes = []
            for one in options:
                sending = zeromq.connected(True, one.endpoints[0], one.server_key)
                receiving = zeromq.connected(False, one.endpoints[-1], one.server_key)
                door.watch(receiving.socket)
                nodes.append(Node(one.node, sending, receiving, capacity_of(one, receiving), one.ahead - 1, one.lost))
        except BaseException:
            zeromq.close()
            raise
        return RemoteGenerator(nodes, door, asked[0].generation.max_new_tokens)


def capacity_of(options: RemoteOptions, answers: Link) -> int:
    """How many requests a node runs concurrently, which its first answer says. RunError where it does not come."""
    message = answers.receive(READY_S)
    ready = None if message is None else Answer.of(message)
    if ready is None or ready.request != READY or ready.tokens.shape != (1,) or ready.tokens[0] < 1:
        raise RunError(
            f"node {options.node} is not ready at {options.endpoints[-1]}",
            f"nothing came in {READY_S:.0f} s" if ready is None else "its first message is another",
            "open the ports between head and nodes, and see that every node runs the same commit: make nodes",
        )
    return int(ready.tokens[0])


def _options(spec: EngineSpec) -> RemoteOptions:
    if not isinstance(spec.options, RemoteOptions):
        raise TypeError(f"a node is reached with RemoteOptions, not with {type(spec.options).__name__}")
    return spec.options


BACKEND = Remote()

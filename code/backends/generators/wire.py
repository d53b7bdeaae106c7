"""Prompts and texts on the way between a head and the generators of its nodes: the messages, and the ZeroMQ sockets that carry them.

ZeroMQ is that of `make cluster`: its package is imported from there, because the harness's own environment has none.
"""

from __future__ import annotations

import importlib
import itertools
import os
import stat
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from code.common.errors import MissingError, RunError, UsageError
from code.harness.schema import node_variables

if TYPE_CHECKING:
    from numpy.typing import NDArray

REQUEST = struct.Struct("<q")
"""The number of a request; its prompt's token ids follow, int32 each."""
ANSWER = struct.Struct("<q?q")
"""A request's number, whether its text is complete, and how long the node had it in ns; tokens follow, int32 each."""
READY = -1
"""The number of a node's first answer, whose only token is how many requests it runs concurrently."""
LOCAL = "ipc://"
TOKEN_BYTES = 4


@dataclass(frozen=True)
class Answer:
    """What a node says of a request.

    Args:
        request: its number.
        finished: whether `tokens`, int32 [n], are the whole text; else they are its first.
        held_ns: from the request's arrival at the node to this answer.
    """

    request: int
    finished: bool
    held_ns: int
    tokens: NDArray[np.int32]

    def packed(self) -> bytes:
        """The message."""
        return ANSWER.pack(self.request, self.finished, self.held_ns) + _bytes(self.tokens)

    @classmethod
    def of(cls, message: bytes) -> Answer:
        """The answer in a message. RunError where it is none."""
        _require_whole(message, ANSWER.size)
        number, finished, held_ns = ANSWER.unpack_from(message)
        return cls(number, finished, held_ns, _tokens(message, ANSWER.size))


def packed_request(number: int, prompt: NDArray[np.int32]) -> bytes:
    """The message with a prompt, int32 [length]."""
    return REQUEST.pack(number) + _bytes(prompt)


def request_of(message: bytes) -> tuple[int, NDArray[np.int32]]:
    """The number and the prompt in a message. RunError where it is none."""
    _require_whole(message, REQUEST.size)
    return REQUEST.unpack_from(message)[0], _tokens(message, REQUEST.size)


def _bytes(tokens: NDArray[np.int32]) -> bytes:
    return np.ascontiguousarray(tokens, dtype="<i4").tobytes()


def _tokens(message: bytes, begin: int) -> NDArray[np.int32]:
    return np.frombuffer(message, dtype="<i4", offset=begin).astype(np.int32)


def _require_whole(message: bytes, least: int) -> None:
    if len(message) < least or (len(message) - least) % TOKEN_BYTES:
        raise RunError(
            f"a message between head and node has {len(message)} bytes",
            "its form is another version's",
            "see that every node runs the same commit: make nodes",
        )


class Link(Protocol):
    """One end of a connection. Only one thread may use it."""

    def send(self, message: bytes) -> None:
        """Send a message."""

    def receive(self, wait_s: float = 0.0) -> bytes | None:
        """The next message; None where none came within `wait_s`."""


class ZeroMqLink:
    """A ZeroMQ socket, PUSH or PULL, as a Link.

    Args:
        owner: kept as long as the socket is: without its gatekeeper nobody may connect.
    """

    def __init__(self, zmq: Any, socket: Any, owner: ZeroMq) -> None:
        self._zmq, self.socket, self.owner = zmq, socket, owner

    def send(self, message: bytes) -> None:
        """Send a message; waits for the other end. RunError where that fails."""
        try:
            self.socket.send(message)
        except self._zmq.ZMQError as error:
            raise RunError(
                "a message between head and node could not be sent", str(error), "run the same command again"
            ) from error

    def receive(self, wait_s: float = 0.0) -> bytes | None:
        """The next message; None where none came within `wait_s`."""
        if not self.socket.poll(int(1000 * wait_s)):
            return None
        return bytes(self.socket.recv(self._zmq.DONTWAIT))

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return str(self.socket.last_endpoint.decode())


class ZeroMq:
    """ZeroMQ's sockets of one process.

    Args:
        library: the ZeroMQ library in the environment of `make cluster`; its package is beside it.
        keys: CURVE's, 'public secret'.
        admitted: the public key that may connect; '': nobody has to.

    Raises:
        MissingError: the package cannot be imported.
        UsageError: there are no keys.
    """

    def __init__(self, library: str, keys: str, admitted: str = "") -> None:
        words = keys.split(" ")
        if [len(word) for word in words] != [40, 40]:
            raise UsageError(
                f"the variable {node_variables.KEYS} has no CURVE keys",
                "a run over several nodes sets it",
                'start it through `make run RUN_ARGS="… --num_nodes=2"`',
            )
        self._public, self._secret = (word.encode() for word in words)
        self._zmq = imported(library)
        self._context = self._zmq.Context()
        self._numbers = itertools.count()
        self._gatekeeper: Any = None
        if admitted:
            self._gatekeeper = self._zmq.auth.thread.ThreadAuthenticator(self._context)
            self._gatekeeper.start()
            self._gatekeeper.configure_curve_callback(credentials_provider=_Only(admitted.encode()))

    def pushing(self, host: str, folder: str) -> ZeroMqLink:
        """A socket that listens and sends; arguments as for `pulling`."""
        return self._listening(self._zmq.PUSH, host, folder)

    def pulling(self, host: str, folder: str) -> ZeroMqLink:
        """A socket that listens and receives: over TCP, or with a Unix socket in a folder that only this account may enter.

        Args:
            host: the address that it listens on, if `folder` is ''.
        """
        return self._listening(self._zmq.PULL, host, folder)

    def connected(self, sends: bool, endpoint: str, server_key: str) -> ZeroMqLink:
        """A socket to where another one listens.

        Args:
            sends: whether this end does.
            server_key: the other's public key; not used by a Unix socket.
        """
        socket = self._open(self._zmq.PUSH if sends else self._zmq.PULL, encrypted=not endpoint.startswith(LOCAL))
        if not endpoint.startswith(LOCAL):
            socket.curve_serverkey = server_key.encode()
        socket.connect(endpoint)
        return ZeroMqLink(self._zmq, socket, self)

    def poller(self) -> Any:
        """What waits for several sockets and file descriptors."""
        return self._zmq.Poller()

    def close(self) -> None:
        """Close all sockets; what was not sent is dropped."""
        if self._gatekeeper is not None:
            self._gatekeeper.stop()
        self._context.destroy(linger=0)

    def _open(self, kind: int, encrypted: bool) -> Any:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = 0
        if encrypted:
            socket.curve_publickey, socket.curve_secretkey = self._public, self._secret
        return socket

    def _listening(self, kind: int, host: str, folder: str) -> ZeroMqLink:
        socket = self._open(kind, encrypted=not folder)
        if folder:
            _require_private(Path(folder))
            socket.bind(f"{LOCAL}{folder}/{os.getpid()}-{next(self._numbers)}")
        else:
            socket.curve_server = True
            socket.bind(f"tcp://{host}:*")
        return ZeroMqLink(self._zmq, socket, self)


class _Only:
    """Answers ZeroMQ's question whether a peer may connect: only the one key may."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def callback(self, _domain: str, key: bytes) -> bool:
        """pyzmq's function of that name."""
        return key == self._key


def _require_private(folder: Path) -> None:
    found = folder.stat() if folder.is_dir() else None
    if found is None or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UsageError(
            f"cannot listen in {folder}",
            "it is not a directory that only this account may enter",
            "run the same command again",
        )


def imported(library: str) -> Any:
    """The package zmq of the environment that has a ZeroMQ library. MissingError where it cannot be imported."""
    packages = str(Path(library).parent.parent)
    sys.path.append(packages)  # last: nothing there hides a package of this environment
    try:
        zmq = importlib.import_module("zmq")
        importlib.import_module("zmq.auth.thread")
        return zmq
    except ImportError as error:
        raise MissingError(
            "ZeroMQ's Python package cannot be imported", f"{packages}: {error}", "run `make cluster` with the same Python"
        ) from error
    finally:
        sys.path.remove(packages)

"""Stands in for a time server: answers NTP with this machine's own clock (RFC 5905, "Packet Header Variables")."""

from __future__ import annotations

import socket
import struct
import threading
import time
from types import TracebackType

from code.power.ask import EPOCH

ROOT = b"LOCL"
"""A local clock, as a reference identifier."""


def stamp(now: float) -> bytes:
    """Seconds since 1970 as a time stamp of NTP."""
    whole = int(now)
    return struct.pack("!II", whole + EPOCH, int((now - whole) * 2**32))


def reply(request: bytes, received: float) -> bytes:
    """The answer to a request that came at a time in s."""
    version = request[0] >> 3 & 7
    head = struct.pack("!BBbbII4s", version << 3 | 4, 1, request[2] % 128, -20, 0, 0, ROOT)
    return head + stamp(received) + request[40:48] + stamp(received) + stamp(time.time())


class Clock:
    """Answers on a UDP port of loopback while it is open. PermissionError where the port is for root alone, OSError where it is taken.

    Args:
        port: 0 for any that is free.
    """

    def __init__(self, port: int) -> None:
        self._wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._wire.bind(("127.0.0.1", port))
        except OSError:
            self._wire.close()
            raise
        self.port = int(self._wire.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._open = True

    def __enter__(self) -> Clock:
        self._wire.settimeout(0.2)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open = False
        self._thread.join()
        self._wire.close()

    def _serve(self) -> None:
        while self._open:
            try:
                request, address = self._wire.recvfrom(512)
            except TimeoutError:
                continue
            if len(request) >= 48:
                self._wire.sendto(reply(request, time.time()), address)

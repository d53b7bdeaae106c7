"""What can be asked of a time server and of power-dev's server before a run.

Sources: RFC 5905, "Packet Header Variables"; ptd_client_server/lib/common.py of power-dev (one command a line, one answer a line).
"""

from __future__ import annotations

import socket
import struct
import time

NTP_PORT = 123
EPOCH = 2_208_988_800
"""Seconds from 1900, where NTP's time begins, to 1970."""
MAGIC = "mlcommons/power client v3"
ANSWER = "mlcommons/power server v3"
CLOCKS_S = 0.4
"""power-dev refuses a measurement where clocks are further apart."""


class SilentError(OSError):
    """A server answered nothing, or something else."""


def time_offset(host: str, port: int = NTP_PORT, timeout: float = 5.0) -> float:
    """How far a time server's clock is ahead of this machine's, in s. OSError where it does not answer."""
    request = struct.pack("!B47x", 4 << 3 | 3)  # version 4, client
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as wire:
        wire.settimeout(timeout)
        sent = time.time()
        wire.sendto(request, address)
        answer = wire.recv(512)
        got = time.time()
    if len(answer) < 48:
        raise SilentError(f"{host} sent {len(answer)} bytes, which is no answer of NTP")
    received, replied = (_seconds(answer[at : at + 8]) for at in (32, 40))
    return ((received - sent) + (replied - got)) / 2


def _seconds(stamp: bytes) -> float:
    whole, part = struct.unpack("!II", stamp)
    return float(whole - EPOCH + part / 2**32)


def server_offset(host: str, port: int, timeout: float = 5.0) -> float:
    """How far the clock of power-dev's server is ahead, in s. OSError where no such server listens there."""
    with socket.create_connection((host, port), timeout) as wire:
        lines = wire.makefile("rw", encoding="utf-8", newline="\r\n")
        lines.write(f"{MAGIC}\r\n")
        lines.flush()
        answer = lines.readline().strip()
        if answer != ANSWER:
            raise SilentError(f"it answers {answer!r} where power-dev's server answers {ANSWER!r}")
        lines.write("time\r\n")
        lines.flush()
        sent = time.time()
        try:
            theirs = float(lines.readline())
        except ValueError as error:
            raise SilentError(f"its answer to 'time' is not a number: {error}") from error
        return theirs - (sent + time.time()) / 2

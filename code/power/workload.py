"""The workload that power-dev's client starts: asks the command that started the client to run the test, and waits for it.

It runs by itself, without this project's packages, so that nothing of theirs reaches the client. Its argument is the name of an abstract
Unix socket (unix(7)). Exit status: what the other side answers, 1 where it is gone.
"""

from __future__ import annotations

import socket
import sys


def main(name: str) -> int:
    """Connect, and return the number that is answered once the test has ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        try:
            wire.connect(f"\0{name}")
            answer = wire.recv(16).decode(errors="replace").strip()
        except OSError:
            return 1
    return int(answer) if answer.isdigit() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

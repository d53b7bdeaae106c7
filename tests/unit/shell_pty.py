"""A shell on a pseudo-terminal, to press the Tab key in."""

from __future__ import annotations

import os
import pty
import re
import select
import time
from collections.abc import Mapping
from pathlib import Path

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07|[\r\x07\x0f]|.\x08")
END = "<<end>>"


class Shell:
    """A shell on a pseudo-terminal of 100 columns.

    Args:
        command: the shell with its arguments.
        folder: where it starts.
        environment: its variables.
    """

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, {**environment, "TERM": "xterm", "COLUMNS": "100", "LINES": "50"})

    def send(self, text: str) -> None:
        """Type text."""
        os.write(self.fd, text.encode())

    def until(self, word: str, seconds: float = 60) -> str:
        """What the terminal shows until `word` came; AssertionError where it does not."""
        out = b""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    out += os.read(self.fd, 65536)
                except OSError:
                    break
            if word in ESCAPES.sub("", out.decode(errors="replace")):
                return ESCAPES.sub("", out.decode(errors="replace"))
        raise AssertionError(f"{word!r} did not come: {out.decode(errors='replace')!r}")

    def quiet(self, seconds: float = 0.5) -> str:
        """What the terminal shows until nothing comes any more for so long."""
        out = b""
        while select.select([self.fd], [], [], seconds)[0]:
            try:
                out += os.read(self.fd, 65536)
            except OSError:
                break
        return ESCAPES.sub("", out.decode(errors="replace"))

    def close(self) -> None:
        """End the shell."""
        os.close(self.fd)
        os.waitpid(self.pid, 0)

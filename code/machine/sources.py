"""Sources of facts about a machine: files, commands, environment variables and a few library calls.

`LiveMachine` queries this machine. `RecordingMachine` does too and records every answer in a capture. `CapturedMachine`
answers from a capture, so that detection, matching and preflight run on any machine as they would on that one.
"""

from __future__ import annotations

import os
import re
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import MissingError, UsageError
from code.common.files import write_json
from code.machine.answers import checked
from code.machine.probes import PROBES

FORMAT = "mlperf-machine-capture/1"
COMMAND_TIMEOUT_S = 20.0
SIZE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Ran:
    """A command's exit status and output."""

    status: int
    stdout: str
    stderr: str = ""


class Machine(ABC):
    """Interface to one machine. Anything missing is None or empty, never an exception."""

    live = False

    @abstractmethod
    def text(self, path: str) -> str | None:
        """A file's text, without trailing white space and NULs; None if it cannot be read."""

    @abstractmethod
    def entries(self, path: str) -> list[str]:
        """The names in a folder, sorted."""

    @abstractmethod
    def command(self, *argv: str) -> Ran | None:
        """A command's answer in the C locale; None if the command does not exist or timed out."""

    @abstractmethod
    def environ(self, name: str) -> str | None:
        """An environment variable."""

    @abstractmethod
    def probe(self, name: str, argument: str = "") -> Any:
        """The result of a library call listed in `probes.py`."""


class LiveMachine(Machine):
    """This machine. Library calls, some of which load a driver, are made once per object."""

    live = True

    def __init__(self) -> None:
        self._probed: dict[str, Any] = {}

    def text(self, path: str) -> str | None:
        try:
            with Path(path).open("rb") as source:
                return source.read(SIZE_LIMIT).decode("utf-8", "replace").rstrip("\0\n \t")
        except OSError:
            return None

    def entries(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(path))  # noqa: PTH208 - names, not paths
        except OSError:
            return []

    def command(self, *argv: str) -> Ran | None:
        environment = {**os.environ, "LC_ALL": "C", "LANG": "C"}
        try:
            done = subprocess.run(
                argv, capture_output=True, timeout=COMMAND_TIMEOUT_S, env=environment, stdin=subprocess.DEVNULL, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return Ran(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def environ(self, name: str) -> str | None:
        return os.environ.get(name)

    def probe(self, name: str, argument: str = "") -> Any:
        key = _probe_key(name, argument)
        if key not in self._probed:
            self._probed[key] = PROBES[name](argument)
        return self._probed[key]


def _probe_key(name: str, argument: str) -> str:
    return f"{name}:{argument}" if argument else name


class RecordingMachine(Machine):
    """Wraps another machine and records the answers."""

    def __init__(self, source: Machine) -> None:
        self.source = source
        self.live = source.live
        self.answers: dict[str, dict[str, Any]] = {"files": {}, "folders": {}, "commands": {}, "environment": {}, "probes": {}}

    def text(self, path: str) -> str | None:
        return self._keep("files", path, self.source.text(path))  # type: ignore[no-any-return]

    def entries(self, path: str) -> list[str]:
        return self._keep("folders", path, self.source.entries(path))  # type: ignore[no-any-return]

    def command(self, *argv: str) -> Ran | None:
        ran = self.source.command(*argv)
        self._keep("commands", " ".join(argv), None if ran is None else vars(ran))
        return ran

    def environ(self, name: str) -> str | None:
        return self._keep("environment", name, self.source.environ(name))  # type: ignore[no-any-return]

    def probe(self, name: str, argument: str = "") -> Any:
        return self._keep("probes", _probe_key(name, argument), self.source.probe(name, argument))

    def _keep(self, section: str, key: str, answer: Any) -> Any:
        self.answers[section][key] = answer
        return answer

    def write(self, path: Path, description: str) -> None:
        """Write the capture: every non-empty answer, anonymised."""
        sections: dict[str, Any] = {
            section: {key: answer for key, answer in sorted(answers.items()) if answer not in (None, [], {})}
            for section, answers in self.answers.items()
        }
        write_json(path, scrubbed({"format": FORMAT, "description": description, **sections}))


class CapturedMachine(Machine):
    """A machine replayed from a capture."""

    def __init__(self, content: dict[str, Any], origin: str) -> None:
        self.content = content
        self.origin = origin
        self.misfits: list[str] = []
        """What in the answers of probes was dropped, because it is not what the probe answers."""
        self._probed: dict[str, Any] = {}

    @classmethod
    def read(cls, path: Path) -> CapturedMachine:
        """Read a capture. Raises MissingError if it does not exist, UsageError if it is not a capture."""
        next_step = "write one with: make capture_system CAPTURE=<file>"
        try:
            content = jsonfile.read(Path(path))
        except FileNotFoundError as error:
            raise MissingError(f"cannot read the capture {path}", "the file does not exist", next_step) from error
        except OSError as error:
            raise MissingError(f"cannot read the capture {path}", error.strerror or str(error), next_step) from error
        except ValueError as error:
            line = getattr(error.__cause__, "lineno", 1)
            raise UsageError(f"{path} is not a capture", str(error), next_step, f"{path}:{line}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise UsageError(f"{path} is not a capture", f'its "format" is not "{FORMAT}"', next_step, f"{path}:1")
        return cls(content, str(path))

    def _section(self, name: str) -> dict[str, Any]:
        section = self.content.get(name, {})
        if not isinstance(section, dict):
            raise UsageError(f'"{name}" in the capture {self.origin} is not an object', "captures map queries to answers",
                             "write a new one with: make capture_system CAPTURE=<file>", self.origin)  # fmt: skip
        return section

    def text(self, path: str) -> str | None:
        answer = self._section("files").get(path)
        return answer if isinstance(answer, str) else None

    def entries(self, path: str) -> list[str]:
        answer = self._section("folders").get(path)
        return [str(name) for name in answer] if isinstance(answer, list) else []

    def command(self, *argv: str) -> Ran | None:
        answer = self._section("commands").get(" ".join(argv))
        if isinstance(answer, str):
            return Ran(0, answer)
        if not isinstance(answer, dict):
            return None
        status, stdout, stderr = answer.get("status", 0), answer.get("stdout", ""), answer.get("stderr", "")
        if not isinstance(status, int) or not isinstance(stdout, str) or not isinstance(stderr, str):
            return None
        return Ran(status, stdout, stderr)

    def environ(self, name: str) -> str | None:
        answer = self._section("environment").get(name)
        return answer if isinstance(answer, str) else None

    def probe(self, name: str, argument: str = "") -> Any:
        key = _probe_key(name, argument)
        if key not in self._probed:
            self._probed[key] = checked(name, self._section("probes").get(key), self.misfits)
        return self._probed[key]


_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_LONG_HEX = re.compile(r"\b(?=[0-9]*[a-f])[0-9a-f]{16,}\b", re.IGNORECASE)  # an identifier; digits alone are a number
_SERIAL = re.compile(r"(serial[^:\n]*:\s*)(\S+)", re.IGNORECASE)
_NUMBERED = "00000000-0000-0000-0000-{:012d}"


def scrubbed(content: dict[str, Any]) -> dict[str, Any]:
    """Anonymise a capture: host name, UUIDs, serial numbers and container IDs are replaced.

    The same identifier gets the same replacement everywhere, including keys, so that references stay valid.
    """
    seen: dict[str, str] = {}
    host = os.uname().nodename

    def uuid(found: re.Match[str]) -> str:
        return seen.setdefault(found.group(0).lower(), _NUMBERED.format(len(seen)))

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            value = _UUID.sub(uuid, value)
            value = _LONG_HEX.sub("0" * 16, value)
            value = _SERIAL.sub(r"\g<1>(removed)", value)
            return re.sub(rf"\b{re.escape(host)}\b", "host", value) if len(host) > 2 else value
        if isinstance(value, list):
            return [clean(item) for item in value]
        if isinstance(value, dict):
            return {clean(key): clean(item) for key, item in value.items()}
        return value

    cleaned = clean(content)
    assert isinstance(cleaned, dict)
    return cleaned

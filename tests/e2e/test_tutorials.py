"""Each tutorial runs as it is written: block by block, in a clone, and prints what the page shows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.owned import owned
from tests.unit.pages import ROOT, Block, Page

pytestmark = [pytest.mark.full, pytest.mark.long, pytest.mark.timeout(7200)]
TUTORIALS = sorted((ROOT / "documentation" / "tutorials").glob("*.md"))
OF_ONE_BLOCK_S = 3000
"""An upper bound on a machine that other work shares; gptj's two passes over 13,368 articles take most of it there."""


def repository(folder: Path) -> Path:
    """A repository with the project as it is here, whether committed or not."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
            (folder / name).chmod((ROOT / name).stat().st_mode)
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "all"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


class Reader:
    """Somebody who types the blocks of a page one after the other into one shell, and stops at the first that fails.

    Args:
        folder: where they begin.
        environment: their variables.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.state = folder / ".shell"
        self.state.write_text(f"cd {folder}\n")
        self.environment = environment

    def type(self, block: Block) -> str:
        """Run a block; what it prints. AssertionError where a command of it fails."""
        script = f'. "{self.state}"\nset -e\n{block.text}\n{{ export -p; printf "cd %q\\n" "$PWD"; }} > "{self.state}"\n'
        with owned(
            ["bash", "-c", script], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as shell:
            try:
                output, _ = shell.communicate(timeout=OF_ONE_BLOCK_S)
            except BaseException:
                os.killpg(shell.pid, signal.SIGTERM)
                raise
        assert shell.returncode == 0, f"line {block.line}: {block.text}\n{output[-4000:]}"
        return output


def shows(output: str, expected: str) -> str:
    """The first line of what the page shows that the output does not have, in this order; '' where it has all. … is anything."""
    lines = output.splitlines()
    for wanted in filter(None, (line.strip() for line in expected.splitlines())):
        if wanted == "…":
            continue
        pattern = re.compile(".*".join(re.escape(" ".join(part.split())) for part in wanted.split("…")))
        number = next((n for n, line in enumerate(lines) if pattern.search(" ".join(line.split()))), None)
        if number is None:
            return wanted
        lines = lines[number + 1 :]
    return ""


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs_block_by_block(path: Path, tmp_path: Path) -> None:
    page = Page(path)
    source = repository(tmp_path / "source")
    folder = tmp_path / "reader"
    folder.mkdir()
    venv = os.environ.get("VENV") or str(ROOT / ".venv")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MLPINF_", "MLPERF_", "PYTEST"))}
    kept = {k: v for k, v in kept.items() if k not in ("RUN_ARGS", "BUILD_DIR", "LOG_DIR")}
    clones = any("git clone" in block.text for block in page.blocks)
    reader = Reader(folder if clones else source, {**kept, "REPOSITORY": str(source), "VENV": venv, "NO_COLOR": "1"})
    output = ""
    for block in page.blocks:
        if block.language == "sh":
            output = reader.type(block)
        elif block.language == "text":
            missing = shows(output, block.text)
            assert not missing, f"{page.name}:{block.line}: not printed: {missing}\n{output[-4000:]}"


def test_the_comparison_sees_what_is_missing() -> None:
    assert shows("a b\nc  d 5 e\n", "a b\nc d … e") == ""
    assert shows("a b\n", "a b\nc") == "c" and shows("b\na\n", "a\nb") == "b"


def test_there_are_four_and_each_has_output() -> None:
    assert len(TUTORIALS) >= 4
    for path in TUTORIALS:
        languages = [block.language for block in Page(path).blocks]
        assert "sh" in languages and "text" in languages

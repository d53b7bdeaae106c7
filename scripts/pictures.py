"""`make pictures`: the pictures of the README from a real run on this machine: the terminal as SVG, the report as PNG.

The terminal is recorded on a pseudo-terminal of 100 columns. Chromium draws the report page, where it is installed; nothing is fetched.
"""

from __future__ import annotations

import argparse
import io
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

from code.common.paths import build_dir, project_root

COLUMNS = 100
COMMAND = 'make run RUN_ARGS="--benchmarks=bert --scenarios=offline --fast"'
FOLDER = project_root() / "documentation" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LEFT_OUT = re.compile(r"\r[^\n]*(?=\r)|\x1b\[[0-9;?]*[A-HJKSTfhlsu]")
"""What a live bar drew over itself, and movements of the cursor."""
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img"
  aria-label="make run, from the command to the verdict">
<style>.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; font-variant-east-asian: full-width; }} {styles}</style>
<defs>{lines}</defs>
<rect fill="#1b1e24" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})"><g class="{unique_id}-matrix">{matrix}</g></g>
{backgrounds}</svg>
"""
"""rich's own template fetches a font."""


def recorded(command: str, columns: int = COLUMNS) -> str:
    """What a command prints on a terminal of so many columns, with its colours. RuntimeError where it fails."""
    process, terminal = pty.fork()
    if process == 0:
        for name in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS"):  # of the make that called: a make below it names its folders
            os.environ.pop(name, None)
        os.environ.update(TERM="xterm-256color", COLUMNS=str(columns), LINES="40")
        os.execvp("bash", ["bash", "-c", f"stty cols {columns}; {command}"])
    out = b""
    while select.select([terminal], [], [], 600)[0]:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        out += chunk
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status:
        raise RuntimeError(f"{command} ended with {status}:\n{out.decode(errors='replace')}")
    return out.decode(errors="replace")


def svg(command: str, output: str) -> str:
    """A terminal with a command and its output, as SVG without anything from elsewhere."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "green"), command))
    for line in LEFT_OUT.sub("", output.replace("\r\n", "\n")).split("\n"):
        shown = Text.from_ansi(line.rpartition("\r")[2].rstrip())
        if "━" not in shown.plain and (shown.plain or not line.strip()):  # live bars are gone at the end
            console.print(shown, soft_wrap=False)
    return console.export_svg(title="", code_format=SVG, unique_id="terminal")


def screenshot(page: Path, picture: Path, width: int = 1100, height: int = 760) -> bool:
    """Draw a page as PNG; whether there was a browser to draw it."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        return False
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"]
    command = [browser, *options, f"--window-size={width},{height}", f"--screenshot={picture}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return True


def main(arguments: list[str]) -> int:
    """Run, record, draw; returns 0, or 3 where there is no browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", default=COMMAND, help="what the terminal shows")
    given = parser.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "terminal.svg").write_text(svg(given.command, recorded(given.command)), encoding="utf-8")
    print(f"wrote {FOLDER / 'terminal.svg'}")
    recorded("make report")
    pages = sorted((build_dir() / "report").glob("*.html"), key=lambda path: (path.name != "index.html", path.name))
    if not screenshot(pages[-1], FOLDER / "report.png"):
        print("error: there is no Chromium\n  why:  it draws the report page\n  next: apt-get install chromium", file=sys.stderr)
        return 3
    print(f"wrote {FOLDER / 'report.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

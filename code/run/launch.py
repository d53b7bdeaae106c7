"""Run a harness process: start it, show its progress, translate its exit into a result or an error."""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from code.common import console, jsonfile, paths
from code.common.errors import HarnessError, Interrupted, MissingError, RunError, UsageError
from code.harness.python.progress import PIPE_VARIABLE
from code.harness.python.watch import PATIENCE
from code.harness.schema.run_spec import RunSpec
from code.run.forecast import Forecast, forecast, remaining_s
from code.run.language import binary
from code.run.placement import environment_of
from code.run.places import THIS_MACHINE, Place, Process

RUN_FILE = "run.json"
STDOUT_FILE = "stdout.txt"
GRACE_S = 10.0
EXIT_S = 120.0
"""Time for a process to unload its runtime after it closed the pipe."""
AFTERWARDS = ("numpy", "rich.console", "rich.table", "rich.text")
"""What the results need, imported while the harness loads its engine and warms up."""
PREPARING = {"load": "loading the engine", "warmup": "warming up"}
Take = Callable[[Mapping[str, Any]], None]
"""Gets each report of a harness process."""
BY_STATUS: dict[int, type[HarnessError]] = {2: UsageError, 3: MissingError, 4: RunError, 130: Interrupted}


def harness_command(language: str) -> list[str]:
    """The command line of the harness in a language; MissingError if it is not built."""
    if language == "python":
        return [sys.executable, "-m", "code.harness.python"]
    if not binary().is_file():
        raise MissingError(f"the C++ harness is not built: no {binary()}", "", "run `make build`, or use --harness_lang=python")
    return [str(binary())]


def run(
    spec: RunSpec,
    label: str,
    language: str,
    place: Place | None = None,
    needed: Forecast | None = None,
    watch: Take | None = None,
) -> None:
    """One LoadGen test. Raises the error that the process reports, or what its end means.

    Args:
        place: where it runs; None: on this machine.
        needed: what LoadGen waits for; None: by its own defaults.
        watch: gets each report of the process, and ends it by raising.
    """
    folder = Path(spec.output_dir)
    waited = needed or forecast(spec, {})
    run_file = folder / RUN_FILE
    spec.write(run_file)
    with (folder / STDOUT_FILE).open("wb") as stdout, console.Progress(label, None, "samples") as bar:
        command = [*harness_command(language), str(run_file)]

        def take(line: Mapping[str, Any]) -> None:
            _show(bar, spec, waited, line)
            if watch is not None:
                watch(line)

        _process(place or THIS_MACHINE, spec, command, stdout, take, AFTERWARDS if spec.warmup_s > 0 else ())


def probe(spec: RunSpec, label: str, language: str, folder: Path, place: Place = THIS_MACHINE) -> dict[str, float]:
    """What the harness measures of its devices (code/harness/python/probe.py); `place` as for `run`."""
    answer: dict[str, float] = {}
    run_file = folder / "probe.json"
    spec.write(run_file)
    with (folder / "probe.txt").open("wb") as stdout, console.Progress(label, None, "") as bar:

        def take(line: Mapping[str, Any]) -> None:
            answer.update(line.get("probe", {}))
            bar.update(0, PREPARING.get(str(line.get("phase")), "measuring"))

        command = [*harness_command(language), "--probe", str(run_file)]
        _process(place, spec, command, stdout, take)
    if not answer:
        raise RunError("the probe returned no result", "", f"see {paths.shown(folder / 'probe.txt')}")
    return answer


def background(spec: RunSpec, take: Callable[[Mapping[str, Any]], None], place: Place) -> None:
    """Load devices until somebody ends the process, always in the Python harness. Raises the error that the process reports.

    Args:
        take: called with each line of its progress.
    """
    folder = Path(spec.output_dir)
    run_file = folder / RUN_FILE
    spec.write(run_file)
    with (folder / STDOUT_FILE).open("wb") as stdout:
        _process(place, spec, [*harness_command("python"), "--background", str(run_file)], stdout, take)


def simulate(spec: RunSpec, label: str) -> None:
    """One test in virtual time, by the C++ harness, which writes simulation.json. Raises the error that the process reports."""
    folder = Path(spec.output_dir)
    run_file = folder / RUN_FILE
    spec.write(run_file)
    with (folder / STDOUT_FILE).open("wb") as stdout, console.Progress(label, None, "") as bar:
        bar.update(0, "simulating")
        _process(THIS_MACHINE, spec, [*harness_command("cpp"), "--simulate", str(run_file)], stdout, lambda _: None)


def _process(
    place: Place, spec: RunSpec, command: list[str], stdout: IO[bytes], take: Take, meanwhile: Sequence[str] = ()
) -> None:
    """Run a command to its end; it sees no other GPUs than those that run.json names.

    Args:
        meanwhile: modules to import once it has started; one that cannot be is reported where it is used.
    """
    reading, writing = os.pipe()
    output = Path(stdout.name)
    own = {PIPE_VARIABLE: str(writing), "PYTHONPATH": str(paths.project_root())}
    visible = environment_of([device.name for device in spec.devices])
    error: HarnessError | None = None
    with os.fdopen(reading, "rb", buffering=0) as lines:
        try:
            child = place.start(command, stdout, writing, {**visible, **own})
        finally:
            os.close(writing)
        try:
            for name in meanwhile:
                with contextlib.suppress(ImportError):
                    vars(importlib.import_module(name))  # also of one that waits for its first use
            for line in _lines(lines.fileno(), PATIENCE * spec.watchdog_s):
                content = _read(line)
                if "error" in content:
                    error = _reported(content["error"])
                else:
                    take(content)
            status = child.wait(EXIT_S)
        except KeyboardInterrupt:
            _end(child)
            raise Interrupted(
                "interrupted", f"the logs in {paths.shown(output.parent)} are marked INCOMPLETE", "run the same command again"
            ) from None
        except subprocess.TimeoutExpired:
            _end(child)
            raise RunError(
                f"the harness did not exit within {EXIT_S:.0f} s after its last report", "", f"see {paths.shown(output)}"
            ) from None
        except BaseException:
            _end(child)
            raise
    if error is not None:
        raise error
    if status != 0:
        raise _by_status(status, output)


def _lines(descriptor: int, silence_s: float) -> Iterator[bytes]:
    """The lines of a pipe until every writer has closed it. A process that is alive writes one several times a second.

    Args:
        silence_s: RunError after this many seconds without any; 0: never.
    """
    waiting = b""
    while True:
        if not select.select([descriptor], [], [], silence_s or None)[0]:
            raise RunError(
                f"the harness is stuck: it reported nothing for {silence_s:,.0f} s",
                "it is stopped, or a call into the runtime does not end",
                "run again; if it hangs again, rebuild the engine with --force_build or try another backend",
            )
        read = os.read(descriptor, 1 << 16)
        if not read:
            return
        *lines, waiting = (waiting + read).split(b"\n")
        yield from lines


def _read(line: bytes) -> Mapping[str, Any]:
    try:
        content = jsonfile.parse(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _reported(content: Mapping[str, Any]) -> HarnessError:
    kind = BY_STATUS.get(int(content.get("status", 4)), RunError)
    return kind(str(content.get("what", "")), str(content.get("why", "")), str(content.get("next_step", "")))


def _by_status(status: int, output: Path) -> HarnessError:
    """The error for a process that exited without reporting one."""
    try:
        tail = [line for line in output.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()][-1]
    except (OSError, IndexError):
        tail = "it printed nothing"
    how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    kind = BY_STATUS.get(status, RunError)
    return kind(f"the harness exited: {how}", tail, f"see its output in {paths.shown(output)}")


def _end(child: Process) -> None:
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _show(bar: console.Progress, spec: RunSpec, needed: Forecast, line: Mapping[str, Any]) -> None:
    """Progress in samples, of the query in Offline and of the data set in accuracy runs, with the time that is left."""
    phase = line.get("phase")
    if phase in PREPARING:
        bar.update(0, PREPARING[str(phase)])
        return
    if phase != "run":
        return
    completed, issued, elapsed = float(line["completed"]), float(line["issued"]), float(line["elapsed_s"])
    per_second = completed / elapsed if elapsed > 0 else 0.0
    rate = f"{per_second:{',.0f' if per_second >= 100 else '.3g'}} samples/s" if per_second else "waiting for the first answer"
    left = remaining_s(spec, needed, line)
    if spec.test_mode == "AccuracyOnly":
        bar.total = float(spec.dataset.count)
    else:
        bar.total = (issued or None) if spec.scenario == "Offline" else None
    bar.update(completed, f"{rate}, until LoadGen has enough queries" if left == 0 and bar.total is None else rate, left)

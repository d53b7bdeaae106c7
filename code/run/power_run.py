"""Measured power: a LoadGen test run twice under power-dev, whose second run becomes the result.

The logs of the result are the harness's own. power-dev's client copies them, and records the SHA-1 of its copies, which is compared.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from code.common import console
from code.common.errors import RunError, UsageError
from code.common.files import sha256, write_json
from code.fields.consumer import Consumer, Readable
from code.power import session, tools
from code.power.session import Meter, address
from code.results import power_log
from code.results.loadgen_log import LoadGenLog
from code.run.resolved import Resolved

READS = Consumer("measured power", ("power", "power_server", "ntp_server"))
RANGING = "ranging_run"
"""Folder of the ranging run's own logs, until its result is complete."""
COMPARED = ("mlperf_log_summary.txt", "mlperf_log_detail.txt")
NOT_KEPT = "ptd_out.txt"


def meter(request: Readable) -> Meter | None:
    """Where the request measures power; None where it does not. UsageError for an incomplete one."""
    read = READS.of(request)
    server, ntp = read["power_server"] or "", read["ntp_server"] or ""
    if not read["power"]:
        if server or ntp:
            given = "--power_server" if server else "--ntp_server"
            raise UsageError(f"{given} is given without --power", "power is measured where --power asks for it", "add --power")
        return None
    for name, value, what in (
        ("--power_server", server, "the machine beside the analyser, where power-dev's server runs"),
        ("--ntp_server", ntp, "the time server of both machines"),
    ):
        if not value:
            raise UsageError(f"--power needs {name}", f"it names {what}", f"add {name}=HOST (documentation/power.md)")
    return Meter(*address(server), ntp)


def measured(job: Resolved, where: Meter) -> Callable[[str, Path, str], LoadGenLog]:
    """The test of a job under power-dev: ranging, then testing, whose log is returned.

    It leaves spl.txt, power/ and ranging/ beside the logs of the test. UsageError for a test whose power is not measured, MissingError
    without power-dev, RunError where the measurement fails.
    """
    if not job.backend.computes:
        raise UsageError(f"{job.label} draws no power", "a simulated engine uses no device", "name a real --backend")
    checkout = tools.checkout()

    def test(mode: str, folder: Path, label: str) -> LoadGenLog:
        logs: list[LoadGenLog] = []

        def run(phase: str) -> None:
            console.say(f"{label}: power: {phase} run")
            into = folder if phase == "testing" else folder / RANGING
            into.mkdir(exist_ok=True)
            logs.append(job.test(mode, into, f"{label} {phase}"))

        console.say(f"{label}: power is measured by {where.host}:{where.port}, clocks by {where.ntp}")
        with _beside(folder) as out, _utc():
            session.measure(checkout, where, folder, out, run)
            compliance = tools.compliance(checkout, out)
            take(out, folder)
        shutil.rmtree(folder / RANGING)
        for problem in compliance.problems:
            console.warn(f"{label}: power-dev's check: {problem}")
        content = {
            "server": f"{where.host}:{where.port}",
            "ntp_server": where.ntp,
            "power_dev_commit": compliance.commit,
            "compliance_passed": compliance.passed,
            "compliance_problems": list(compliance.problems),
            **({"dry_run": True} if where.stand_in else {}),
        }
        write_json(folder / power_log.SESSION, content)
        return logs[-1]

    return test


def figures(folder: Path, log: LoadGenLog, samples: int | None) -> dict[str, Any] | None:
    """metadata.json's `power` of the run in `folder`; None where its power was not measured. RunError where its samples cannot be read."""
    try:
        return power_log.described(folder, log, samples)
    except (OSError, ValueError, IndexError) as error:
        raise RunError(
            f"the power of the run in {folder} cannot be read",
            str(error),
            "look at spl.txt and power/ptd_logs.txt there; a run has to last several seconds",
        ) from error


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A path beside a folder for the client to write to, removed afterwards."""
    parent = Path(tempfile.mkdtemp(prefix=f".{folder.name}-power-", dir=folder.parent))
    try:
        yield parent / "out"
    finally:
        shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def _utc() -> Iterator[None]:
    """UTC for LoadGen's logs, in which power-dev reads times as UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before


def take(out: Path, folder: Path) -> None:
    """Move what was measured beside the test's logs. RunError where the client's copies of these are not the same."""
    for name in COMPARED:
        if sha256(out / "run_1" / name) != sha256(folder / name):
            raise RunError(
                f"power-dev took another {name} than this run's",
                f"the one in {folder} differs from its copy",
                "run again; nothing else may write to that folder",
            )
    (out / "run_1" / NOT_KEPT).unlink(missing_ok=True)
    shutil.move(out / "run_1" / power_log.SAMPLES_LOG, folder / power_log.SAMPLES_LOG)
    for name in ("power", "ranging"):
        shutil.move(out / name, folder / name)


__all__ = ["Meter", "figures", "measured", "meter", "take"]

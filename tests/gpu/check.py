"""What a few minutes on a GPU should answer, most valuable first: `scripts/gpu_check.sh [--out FILE] [--seconds 600] [--steps a,b]`.

Each step (tests/gpu/steps.py) is a process of its own with its own limit, so that one that crashes, hangs or lacks something costs
itself alone. The results are JSON, written anew whenever a step reports something: what is known when the time ends is there.

    {"format": "gpu-check/1", "machine": {…}, "steps": [{"step": "load", "status": "done", "seconds": 3.1, "result": {…}}, …]}

A status is "done", "failed" (see "error"), "timeout" (what it had reported is there), "needs" (see "needs": nothing was measured) or
"not reached". `--stand_in` rehearses the steps that a machine without a GPU can run, on tests/cuda_stand_in: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code.common.files import write_json
from tests.gpu.bench import Bench, NeedsError
from tests.owned import owned

ROOT = Path(__file__).resolve().parents[2]
FORMAT = "gpu-check/1"
LEAST_S = 5.0
"""A step with less time left is not begun."""
GRACE_S = 5.0
"""What a step that is told to end has before it is killed."""


def main(arguments: Sequence[str]) -> int:
    """Run the steps; 0, or 4 if one failed."""
    from tests.gpu.steps import STEPS

    parser = argparse.ArgumentParser(
        prog="gpu_check.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("build/gpu_check.json"), help="the results")
    parser.add_argument("--seconds", type=float, default=600.0, help="limit of all steps together")
    parser.add_argument("--steps", default="", help=f"some of: {', '.join(STEPS)}")
    parser.add_argument("--harness", type=Path, default=None, help="the C++ harness, built with TensorRT (build/bin/harness)")
    parser.add_argument("--old_harness", type=Path, default=None, help="another build of it, which Server is compared with")
    parser.add_argument("--stand_in", action="store_true", help="rehearse on tests/cuda_stand_in, without a GPU")
    parser.add_argument("--work", type=Path, default=None, help="folder for engines and logs, kept; default: a temporary one")
    parser.add_argument("--run", default="", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.run:
        return _run_step(given.run, given.work, given.out)
    chosen = [word for word in given.steps.split(",") if word] or list(STEPS)
    unknown = [word for word in chosen if word not in STEPS]
    if unknown:
        parser.error(f"unknown step {unknown[0]!r}; there are {', '.join(STEPS)}")
    work = given.work or Path(tempfile.mkdtemp(prefix="gpu-check-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        bench = Bench(work.resolve(), harness_of(given.harness, given.stand_in), given.old_harness, given.stand_in)
        bench.save()
        return _all_steps(chosen, given, bench)
    finally:
        if given.work is None:
            shutil.rmtree(work, ignore_errors=True)


def harness_of(given: Path | None, stand_in: bool) -> Path:
    """The C++ harness that the steps run."""
    if given is not None:
        return given.resolve()
    build = Path(os.environ.get("BUILD_DIR", ROOT / "build"))
    return build / "cmake" / "bin" / "harness_stand_in" if stand_in else build / "bin" / "harness"


def _all_steps(chosen: Sequence[str], given: argparse.Namespace, bench: Bench) -> int:
    from tests.gpu.steps import STEPS

    end = time.monotonic() + given.seconds
    rows = [{"step": name, "title": STEPS[name].title, "status": "not reached"} for name in chosen]
    report: dict[str, Any] = {"format": FORMAT, "stand_in": bench.stand_in, "machine": machine(), "steps": rows}

    def keep() -> None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(given.out, report)

    keep()
    for row in rows:
        left = end - time.monotonic()
        if left < LEAST_S:
            break
        print(f"{row['step']}: {row['title']} …", flush=True)
        for news in step_process(str(row["step"]), bench, min(STEPS[str(row["step"])].seconds, left)):
            row.update(news)
            keep()
        print(f"  {row['status']}: {row.get('error') or row.get('needs') or json.dumps(row.get('result'))[:400]}", flush=True)
    print(f"results: {given.out}")
    return 4 if any(row["status"] in ("failed", "timeout") for row in rows) else 0


def step_process(name: str, bench: Bench, limit_s: float) -> Any:
    """Run a step in a process and yield what is known of it: while it runs, what it has reported; then how it ended."""
    file = bench.work / f"{name}.result.json"
    file.unlink(missing_ok=True)
    log = bench.work / f"{name}.log"
    begin = time.monotonic()
    command = [sys.executable, "-m", "tests.gpu.check", "--run", name, "--work", str(bench.work), "--out", str(file)]
    with log.open("w", encoding="utf-8") as out:
        process = owned(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        known: Mapping[str, Any] = {}
        while process.poll() is None:
            if time.monotonic() - begin > limit_s:
                _end(process)
                yield {
                    "status": "timeout",
                    "seconds": round(time.monotonic() - begin, 1),
                    **_read(file),
                    "limit_s": round(limit_s, 1),
                }
                return
            time.sleep(0.1)
            found = _read(file)
            if found != known:
                known = found
                yield {"status": "running", **known}
        _end(process)  # what it started and left behind
    found = dict(_read(file))
    status = found.pop("status", "failed")
    if process.returncode != 0:
        status = "failed"
        found.setdefault("error", f"it ended with status {process.returncode}: {log.read_text(errors='replace')[-1500:].strip()}")
    yield {"status": status, "seconds": round(time.monotonic() - begin, 1), **found}


def _end(process: subprocess.Popen[Any]) -> None:
    """End a step's process group, kindly first."""
    for sign, wait in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait)
        if process.returncode is not None and not _group_exists(process.pid):
            return


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _read(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _run_step(name: str, work: Path, file: Path) -> int:
    """The step's process: its result, and what it reports meanwhile, are in `file`."""
    from tests.gpu.steps import STEPS

    result: dict[str, Any] = {}

    def report(**news: Any) -> None:
        result.update(news)
        write_json(file, {"result": result})

    try:
        STEPS[name].run(Bench.read(work), report)
    except NeedsError as error:
        write_json(file, {"status": "needs", "needs": str(error), **({"result": result} if result else {})})
        return 0
    except Exception as error:
        write_json(file, {"status": "failed", "error": f"{type(error).__name__}: {error}"[-3000:], "result": result})
        raise
    write_json(file, {"status": "done", "result": result})
    return 0


def machine() -> dict[str, Any]:
    """The GPU, its driver and the versions of what the steps use; whatever cannot be found is absent."""
    import importlib.metadata

    found: dict[str, Any] = {"host": platform.platform(), "processors": os.cpu_count()}
    query = "name,driver_version,memory.total,power.limit,clocks.max.sm"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        found["gpus"] = done.stdout.strip().splitlines()
    for package in ("tensorrt", "tensorrt-cu12", "tensorrt-cu13", "cuda-bindings", "torch", "numpy", "onnx"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

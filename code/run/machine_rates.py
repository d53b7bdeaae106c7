"""How fast this machine reads and copies memory, and LoadGen with an engine that takes no time."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from code.common import console, paths
from code.harness.schema import datasets, run_spec
from code.harness.schema.options import NoOptions
from code.results import loadgen_log
from code.run.language import binary

BYTES = 256 << 20
"""Memory that each core reads or copies: beyond every cache."""
BANDWIDTH_S = 0.5
LOADGEN_MS = 1000
LOADGEN_TIMEOUT_S = 60.0


def bandwidth(cores: int) -> dict[str, float]:
    """Bytes per second that all cores together read, and copy (read and write counted), from and to memory, in 10^9."""
    source = [np.ones(BYTES // 4, dtype=np.int32) for _ in range(cores)]
    target = [np.empty_like(one) for one in source]

    def run(work: Callable[[int], Any]) -> float:
        """Turns per second of all cores."""
        counts = [0] * cores
        for core in range(cores):
            work(core)  # the first touch maps the pages
        end = time.perf_counter() + BANDWIDTH_S

        def turns(core: int) -> None:
            while time.perf_counter() < end:
                work(core)
                counts[core] += 1

        threads = [threading.Thread(target=turns, args=(core,), name="bandwidth") for core in range(cores)]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / (time.perf_counter() - begin)

    copied = run(lambda core: np.copyto(target[core], source[core]))
    read = run(lambda core: source[core].max())
    return {"copy_gb_per_s": 2 * BYTES * copied / 1e9, "read_gb_per_s": BYTES * read / 1e9}


def loadgen_ceiling(model: str) -> dict[str, float]:
    """Samples per second of LoadGen and the C++ harness with an engine that takes no time, Offline; {} where the run failed."""
    parent = paths.build_dir() / "probes"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="loadgen-", dir=parent))
    try:
        conf = {"target_qps": 2e6, "min_duration": LOADGEN_MS}
        (folder / "user.conf").write_text("".join(f"{model}.Offline.{key} = {value:.9g}\n" for key, value in conf.items()))
        run_spec.RunSpec(
            benchmark=model,
            scenario="Offline",
            test_mode="PerformanceOnly",
            output_dir=str(folder),
            user_conf=str(folder / "user.conf"),
            audit_conf="",
            engines=(run_spec.EngineEntry("null", "", "fp32", NoOptions()),),
            devices=(run_spec.DeviceEntry(0, "device 0", 0, (), 1, 0),),
            batch=run_spec.BatchSettings(16, 0.0, 1.0),
            dataset=datasets.of_benchmark({"kind": "synthetic", "count": 10_000, "lengths": [1], "outputs": ["output"]}),
            log=run_spec.LogSettings(copy_summary_to_stdout=False),
        ).write(folder / "run.json")
        command = [str(binary()), str(folder / "run.json")]
        done = subprocess.run(command, capture_output=True, timeout=LOADGEN_TIMEOUT_S, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            console.warn(f"LoadGen's own rate was not measured: {os.fsdecode(done.stderr).strip().splitlines()[-1:]}")
            return {}
        value = loadgen_log.read_detail(folder / "mlperf_log_detail.txt").value
        return {} if not value else {"loadgen_samples_per_second": float(value)}
    except subprocess.TimeoutExpired:
        console.warn(f"LoadGen's own rate was not measured: the run took over {LOADGEN_TIMEOUT_S:g} s")
        return {}
    finally:
        shutil.rmtree(folder, ignore_errors=True)

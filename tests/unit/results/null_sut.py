"""Runs the real LoadGen on a system under test that does nothing, in a process of its own (LoadGen reads one user.conf per
process). The argument is a JSON object; see `loadgen_run` in conftest.py."""

import json
import os
import signal
import sys
import time

import mlperf_loadgen as lg
import numpy as np

job = json.loads(sys.argv[1])
answer = np.zeros(2, np.float32)
held: list[int] = []
issued = 0


def complete(ids: list[int]) -> None:
    lg.QuerySamplesComplete([lg.QuerySampleResponse(i, answer.ctypes.data, answer.nbytes, 4) for i in ids])


def issue(samples: list[lg.QuerySample]) -> None:
    global issued
    issued += 1
    if job["kill_at"] and issued == job["kill_at"]:
        time.sleep(0.2)  # LoadGen's log thread polls every 10 ms
        os.kill(os.getpid(), signal.SIGKILL)
    ids = [sample.id for sample in samples]
    if job["hold"]:
        held.extend(ids)
        return
    if job["tokens"]:
        lg.FirstTokenComplete([lg.QuerySampleResponse(i, answer.ctypes.data, answer.nbytes) for i in ids])
    pause = job["sleep_s"] + job["sample_s"] * len(ids)
    if pause:
        time.sleep(pause)
    complete(ids)


def flush() -> None:
    if held:
        complete(held)


settings = lg.TestSettings()
settings.scenario = getattr(lg.TestScenario, job["scenario"])
settings.mode = getattr(lg.TestMode, job["mode"])
for _ in range(2 if job["conf_twice"] else 1):
    settings.FromConfig("user.conf", job["model"], job["scenario"])
logging = lg.LogSettings()
logging.enable_trace = False
sut = lg.ConstructSUT(issue, flush)
qsl = lg.ConstructQSL(job["total"], job["in_memory"], lambda samples: None, lambda samples: None)
lg.StartTestWithLogSettings(sut, qsl, settings, logging, "audit.config")
lg.DestroyQSL(qsl)
lg.DestroySUT(sut)

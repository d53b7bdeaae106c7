"""Runs the real LoadGen on a system under test that answers every query at once, in a process of its own. The response to a sample
is float32 [2]: its index, and a half more. The argument is a JSON object; see `loadgen` in conftest.py."""

import json
import sys
import time

import mlperf_loadgen as lg
import numpy as np

job = json.loads(sys.argv[1])
answers = np.stack([np.arange(job["samples"]), np.arange(job["samples"]) + 0.5], axis=1).astype(np.float32)


def issue(samples: list[lg.QuerySample]) -> None:
    if (job["scenario"], job["mode"]) == ("MultiStream", "PerformanceOnly"):  # a query takes longer than its samples
        for sample in samples:
            answer = answers[sample.index]
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, answer.ctypes.data, answer.nbytes)])
            time.sleep(0.0001)
        return
    lg.QuerySamplesComplete(
        [lg.QuerySampleResponse(s.id, answers[s.index].ctypes.data, answers[s.index].nbytes) for s in samples]
    )


settings = lg.TestSettings()
settings.scenario = getattr(lg.TestScenario, job["scenario"])
settings.mode = getattr(lg.TestMode, job["mode"])
settings.FromConfig("user.conf", "bert", job["scenario"], 1)
for name, seed in job["seeds"].items():
    setattr(settings, name, seed)
logging = lg.LogSettings()
logging.enable_trace = False
sut = lg.ConstructSUT(issue, lambda: None)
qsl = lg.ConstructQSL(job["samples"], job["samples"], lambda samples: None, lambda samples: None)
lg.StartTestWithLogSettings(sut, qsl, settings, logging, job["audit"])
lg.DestroyQSL(qsl)
lg.DestroySUT(sut)

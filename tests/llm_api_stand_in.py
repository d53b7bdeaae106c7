"""A stand-in for TensorRT-LLM's LLM API, which accepts nothing that the table of its names does not have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FACTS = Path(__file__).resolve().parent / "facts" / "tensorrt_llm_api.json"
TABLE: dict[str, Any] = json.loads(FACTS.read_text(encoding="utf-8"))

STAND_IN = f'''
import asyncio
import json
import os
from pathlib import Path
from types import SimpleNamespace

TABLE = json.loads(Path({str(FACTS)!r}).read_text(encoding="utf-8"))


def _class(name):
    def init(self, **given):
        strange = set(given) - set(TABLE["parameters"][name])
        if strange:
            raise TypeError(f"{{name}} takes no {{strange}}")
        self.given = given
    return type(name, (), {{"__init__": init}})


KvCacheConfig, SchedulerConfig, CudaGraphConfig, SamplingParams = map(
    _class, ("KvCacheConfig", "SchedulerConfig", "CudaGraphConfig", "SamplingParams")
)
CapacitySchedulerPolicy = SimpleNamespace(**{{name: name for name in TABLE["members"]["CapacitySchedulerPolicy"]}})


class _Output:
    """The text of a prompt is its length, then 5, 6, …; one of more than 90 tokens fails, of 80 ends when aborted, of 70 is cancelled."""

    def __init__(self, prompt, most, streaming):
        self._prompt, self._most, self._streaming = prompt, most, streaming
        self.outputs = [SimpleNamespace(token_ids=[], finish_reason=None, stop_reason=None)]
        self._aborted = asyncio.Event()
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        self._text = [len(prompt), *(int(one.removeprefix("GPU-")) for one in seen.split(",") if one), 5, 6, 7][:most]

    def _step(self):
        if len(self._prompt) > 90:
            raise ValueError("first line\\nthe prompt is too long")
        best = self.outputs[0]
        best.token_ids = self._text[: len(best.token_ids) + 1]
        if best.token_ids == self._text:
            best.finish_reason = "cancelled" if len(self._prompt) == 70 else "length"

    async def _wait(self):
        if len(self._prompt) != 80:
            return await asyncio.sleep(0)
        await self._aborted.wait()
        self.outputs[0].finish_reason = "cancelled"

    def abort(self):
        self._aborted.set()

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.outputs[0].finish_reason:
            raise StopAsyncIteration
        await self._wait()
        if not self.outputs[0].finish_reason:
            self._step()
        while not self._streaming and not self.outputs[0].finish_reason:
            self._step()
        return self


class LLM(_class("LLM")):
    made = []

    def __init__(self, **given):
        super().__init__(**given)
        if given["max_batch_size"] == 13:
            raise RuntimeError("first line\\nCUDA out of memory")
        self.ended = False
        LLM.made.append(self)

    def generate_async(self, inputs, sampling_params, streaming):
        asyncio.get_running_loop()
        assert isinstance(sampling_params, SamplingParams) and all(type(token) is int for token in inputs)
        return _Output(inputs, sampling_params.given["max_tokens"], streaming)

    def shutdown(self):
        self.ended = True
'''


def install(root: Path, version: str) -> Path:
    """Write the package below a folder; returns what belongs on the path."""
    place = root / f"site-{version}"
    package = place / "tensorrt_llm"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "llmapi.py").write_text(STAND_IN, encoding="utf-8")
    (place / f"tensorrt_llm-{version}.dist-info").mkdir()
    (place / f"tensorrt_llm-{version}.dist-info" / "METADATA").write_text(f"Name: tensorrt-llm\nVersion: {version}\n")
    return place

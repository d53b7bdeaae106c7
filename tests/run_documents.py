"""Contents of run.json: good ones of every kind, and what becomes of them when one thing is changed at any depth."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

SEQUENCE = {
    "kind": "sequence",
    "folder": "/data",
    "count": 3,
    "arrays": {"input_ids": "input_ids.npy", "input_mask": "input_mask.npy"},
    "lengths": "lengths.npy",
    "outputs": ["start", "end"],
    "input_dtype": "int64",
    "pad_to_multiple_of": 16,
}
VOLUME = {
    "kind": "volume",
    "folder": "/data",
    "count": 2,
    "cases": ["case_0", "case_1"],
    "roi": [8, 8, 16],
    "overlap": 0.5,
    "sigma": 0.125,
    "windows_per_batch": 4,
    "input": "input",
    "output": "output",
}
SYNTHETIC = {"kind": "synthetic", "count": 100, "lengths": [40, 384], "outputs": ["s", "e"]}
PROMPTS = {
    "kind": "prompts",
    "folder": "/data",
    "count": 5,
    "tokens": "tokens.npy",
    "offsets": "offsets.npy",
    "lengths": "lengths.npy",
    "positions": 2048,
    "generation": {
        "num_beams": 4,
        "min_new_tokens": 30,
        "max_new_tokens": 128,
        "early_stopping": True,
        "eos": 50256,
        "also_ends": [],
    },
    "use_token_latencies": False,
    "enable_sort": True,
    "num_sort_segments": 1,
}
TENSORRT = {
    "use_graphs": True,
    "graphs_max_seqlen": 240,
    "graphs_max_memory": 2048,
    "gpu_copy_streams": 2,
    "use_spin_wait": True,
    "start_from_device": False,
    "sliding_window_on_device": None,
    "version_compatible": False,
    "plugin_libs": ["libplugin.so"],
}
SIMULATED = {
    "batches": [1, 16],
    "lengths": [1, 384],
    "microseconds": [[10.5, 20], [100, 200]],
    "slowdown": [1.0, 2.5],
    "fault": "",
    "fault_after": 0,
    "load_s": 0.0,
    "at_once": 2,
}
REMOTE = {
    "library": "libzmq.so.5",
    "node": "n1",
    "endpoints": ["tcp://10.0.0.1:4001", "tcp://10.0.0.1:4002"],
    "server_key": "k" * 40,
    "lost": "",
    "ahead": 4,
    "io_threads": 1,
}
GENAI = {"kv_cache_gb": 1.5, "kv_cache_precision": "u8", "max_num_tokens": None, "prompt_lookup": 5}
TRTLLM_API = {"trtllm_batch_sched_policy": "max_util", "kvcache_free_gpu_mem_frac": None}
TRTLLM = {"trtllm_batching_mode": "IFB", "trtllm_batch_sched_policy": None, "kvcache_free_gpu_mem_frac": 0.9}


def engine(backend: str, options: dict[str, Any]) -> dict[str, Any]:
    """One of a document's engines."""
    return {"backend": backend, "folder": "/engines/a", "precision": "fp32", "options": options}


def device(index: int, engine_: int = 0) -> dict[str, Any]:
    """One of a document's devices."""
    return {"index": index, "name": f"device {index}", "engine": engine_, "cores": [index], "streams": 2, "threads": 0, "pci": ""}


def document(dataset: dict[str, Any], *engines: dict[str, Any]) -> dict[str, Any]:
    """A whole run.json with a device for each engine."""
    return copy.deepcopy(
        {
            "schema": 4,
            "benchmark": "bert",
            "scenario": "Offline",
            "test_mode": "PerformanceOnly",
            "output_dir": "/logs",
            "user_conf": "/logs/user.conf",
            "audit_conf": "",
            "engines": list(engines),
            "devices": [device(number, number) for number in range(len(engines))],
            "batch": {"max_samples": 16, "timeout_us": 0.0, "padding": 0.25},
            "dataset": dataset,
            "seeds": {"qsl_rng_seed": (1 << 64) - 1, "schedule_rng_seed": 1},
            "log": {
                "enable_trace": False,
                "copy_summary_to_stdout": True,
                "copy_detail_to_stdout": False,
                "mode": "AsyncPoll",
                "async_poll_interval_ms": 1000,
            },
            "server": {"issue_threads": 0, "soft_drop": 1.0},
            "warmup_s": 0.7,
            "watchdog_s": 120,
            "expects": {"min_duration_ms": 600000, "samples_per_query": 8},
            "record": {"anything": [1, {"at": None}]},
        }
    )


TRITON = {
    "library": "/opt/tritonserver/lib/libtritonserver.so",
    "backends": "/opt/tritonserver/backends",
    "repository": "/build/triton/repositories/bert",
    "models": ["bert_0"],
    "region_prefix": "harness-triton-1-",
    "log": "/logs/triton.txt",
    "statistics": "",
    "buffer_threads": 0,
}
BOTH = {
    "sequence": document(SEQUENCE, engine("openvino", {}), engine("openvino", {})),
    "volume": document(VOLUME, engine("tensorrt", TENSORRT), engine("tensorrt_rtx", TENSORRT)),
    "synthetic": document(SYNTHETIC, engine("simulated", SIMULATED), engine("null", {})),
    "remote": document(SEQUENCE, engine("remote", REMOTE)),
    "triton": document(SEQUENCE, engine("triton_in_process", TRITON)),
}
"""Documents that both harnesses read."""
PYTHON = {
    "onnxruntime": document(SEQUENCE, engine("onnxruntime", {})),
    "openvino_genai": document(PROMPTS, engine("openvino_genai", GENAI)),
    "tensorrt_llm": document(PROMPTS, engine("tensorrt_llm", TRTLLM)),
    "tensorrt_llm_api": document(PROMPTS, engine("tensorrt_llm_api", TRTLLM_API)),
    "texts_of_nodes": document(PROMPTS, engine("remote", REMOTE)),
}
"""Documents whose backend or data set the C++ harness does not have."""

OTHER_VALUES = [None, "text", "", 1.5, True, -1, 10**30, [], {}]


def paths(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value; what `record` holds is nobody's."""
    if at:
        yield at
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inside:
        if at[:1] != ("record",):
            yield from paths(value, (*at, key))


def at(content: Any, path: tuple[Any, ...]) -> Any:
    """The value at a place."""
    for key in path:
        content = content[key]
    return content


def changed(good: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(label, document) for each way of dropping a key, adding one, or putting another value in some place."""
    for path in list(paths(good)):
        where = ".".join(map(str, path))
        if isinstance(path[-1], str):
            dropped = copy.deepcopy(good)
            del at(dropped, path[:-1])[path[-1]]
            yield f"no {where}", dropped
        for value in OTHER_VALUES:
            other = copy.deepcopy(good)
            at(other, path[:-1])[path[-1]] = value
            yield f"{where} = {value!r}", other
    for path in [(), *paths(good)]:
        if isinstance(at(good, path), dict):
            more = copy.deepcopy(good)
            at(more, path)["surprise"] = 1
            yield f"{'.'.join(map(str, path))} with a surprise", more

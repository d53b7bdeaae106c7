"""TensorRT-LLM's LLM API: what is asked of the package, which checkpoint is loaded, and texts from a stand-in.

The package runs on NVIDIA GPUs only. So what the code asks of it is compared with the package where it is installed, else with a table of
its names (tests/facts/tensorrt_llm_api.json), and the stand-in accepts nothing that the table does not have.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Event, Generation, GeneratorSpec, texts
from code.backends.generators.noted import FILE
from code.backends.generators.tensorrt_llm_api import backend as api
from code.backends.generators.tensorrt_llm_api.backend import BACKEND
from code.backends.generators.tensorrt_llm_api.generator import whole
from code.backends.generators.tensorrt_llm_package import API_REQUIREMENT
from code.benchmarks.llama3_1_8b import tiny
from code.common.errors import MissingError, RunError, UsageError
from code.harness.schema.options import TensorRtLlmApiOptions
from tests.empty import some
from tests.llm_api_stand_in import TABLE, install

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = sorted(some((PROJECT / "code/backends/generators/tensorrt_llm_api").glob("*.py")))
OBJECTS = {"self._llm": "LLM", "result": "RequestOutput", "update": "RequestOutput", "best": "CompletionOutput"}
"""Expression in the code → the package's class of it."""

GREEDY = Generation(1, 2, 4, False, 9, (8,))
BEAMS = Generation(4, 2, 4, True, 9)

Installed = Callable[..., None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    """Puts the stand-in with some version on the path, for this process and those that it spawns."""
    yield lambda version="1.2.1": monkeypatch.syspath_prepend(str(install(tmp_path, version)))
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorrt_llm"]:
        del sys.modules[name]


def engine(folder: Path, **changed: Any) -> Path:
    """An engine of the tiny model, with some of its settings changed."""
    folder.mkdir()
    BACKEND.build(tiny.MODEL, {"benchmark": "llama3.1-8b", "precision": "bf16", "max_batch": 8}, folder)
    content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    (folder / FILE).write_text(json.dumps({**content, **changed}), encoding="utf-8")
    return folder


def spec(
    how: Generation = GREEDY, device: int = 0, options: TensorRtLlmApiOptions | None = None, flight: int = 0
) -> GeneratorSpec:
    return GeneratorSpec(1, 0, "bf16", options, device=device, generation=how, requests_in_flight=flight)


def prompt(length: int) -> Any:
    return np.ones(length, dtype=np.int32)


# ── the package ────────────────────────────────────────────────────────


def asked() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """What the code asks of the package: class → the parameters that it sets; class → the attributes that it uses."""
    parameters: dict[str, set[str]] = {}
    attributes: dict[str, set[str]] = {}
    for node in (node for path in SOURCES for node in ast.walk(ast.parse(path.read_bytes()))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "llmapi":
            parameters.setdefault(node.attr, set())
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in OBJECTS:
            attributes.setdefault(OBJECTS[ast.unparse(node.value)], set()).add(node.attr)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("llmapi."):
            assert not node.args, "a parameter is named, for the table has no order"
            parameters.setdefault(ast.unparse(node.func).partition(".")[2], set()).update(k.arg for k in node.keywords if k.arg)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._llm.generate_async":
            parameters.setdefault("generate_async", set()).update({"inputs", *(k.arg for k in node.keywords if k.arg)})
    return parameters, attributes


def test_whatever_the_code_asks_of_the_package_is_in_the_table() -> None:
    parameters, attributes = asked()
    known = {**TABLE["parameters"], **dict.fromkeys(TABLE["members"], ())}
    assert set(parameters) == set(known), "the table has what is used, and nothing else"
    for name, names in parameters.items():
        assert names == set(known[name]), name
    assert set(api.POLICIES.values()) == set(TABLE["members"]["CapacitySchedulerPolicy"])
    assert {name: sorted(names) for name, names in attributes.items()} == TABLE["attributes"]


def test_the_table_is_the_packages_own() -> None:
    if importlib.util.find_spec("tensorrt_llm") is None:
        pytest.skip(f"TensorRT-LLM is not installed; it needs an NVIDIA GPU: pip install '{API_REQUIREMENT}'")
    from tensorrt_llm import llmapi

    for name, wanted in TABLE["parameters"].items():
        found = llmapi.LLM.generate_async if name == "generate_async" else getattr(llmapi, name)
        has = set(inspect.signature(found).parameters)
        if name == "LLM":
            has |= set(llmapi.TorchLlmArgs.model_fields)
        assert set(wanted) <= has, (name, set(wanted) - has)
    for name, members in TABLE["members"].items():
        assert all(hasattr(getattr(llmapi, name), member) for member in members)
    for name, names in TABLE["attributes"].items():
        fields = set(inspect.signature(getattr(llmapi, name)).parameters)
        assert all(one in fields or hasattr(getattr(llmapi, name), one) for one in names), name
    assert callable(llmapi.RequestOutput.__aiter__)


def test_the_extra_has_the_versions_that_are_taken(project: Path) -> None:
    assert f'tensorrt-llm-api = ["{API_REQUIREMENT}"]' in (project / "pyproject.toml").read_text(encoding="utf-8")


def test_an_older_or_absent_package_is_refused_in_words(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("tensorrt_llm") is None:
        with pytest.raises(MissingError, match="tensorrt_llm cannot be imported") as caught:
            BACKEND.version()
        assert API_REQUIREMENT in caught.value.next_step
        with pytest.raises(MissingError, match="tensorrt_llm cannot be imported") as caught:
            api._llmapi()
        assert API_REQUIREMENT in caught.value.next_step
    installed("1.1.0")
    with pytest.raises(MissingError, match=r"TensorRT-LLM 1\.1\.0 cannot run the tensorrt_llm_api backend") as caught:
        BACKEND.version()
    assert caught.value.why == "its LLM API is older than 1.2's, which the harness is written for"
    assert "--backend=tensorrt_llm," in caught.value.next_step
    for version in ("1.2.0", "1.3.0rc4"):
        installed(version)
        assert BACKEND.version() == version


# ── loading ────────────────────────────────────────────────────────────


def llm(how: Generation, options: TensorRtLlmApiOptions, **content: Any) -> dict[str, Any]:
    """What a model is loaded with."""
    from tensorrt_llm import llmapi  # the stand-in

    note = {
        "checkpoint": "/models/llama",
        "precision": "fp8",
        "tensor_parallelism": 2,
        "pipeline_parallelism": 3,
        "max_batch_size": 512,
        "max_input_len": 8000,
        "max_seq_len": 8128,
        "max_num_tokens": 8192,
    }
    given: dict[str, Any] = api.opened(llmapi, {**note, **content}, how, options).given
    return given


def test_a_model_is_loaded_as_its_note_says(installed: Installed) -> None:
    installed()
    given = llm(GREEDY, TensorRtLlmApiOptions())
    assert {name: given[name] for name in ("model", "dtype", "tensor_parallel_size", "pipeline_parallel_size")} == {
        "model": "/models/llama",
        "dtype": "auto",
        "tensor_parallel_size": 2,
        "pipeline_parallel_size": 3,
    }
    assert (given["max_batch_size"], given["max_seq_len"], given["max_num_tokens"], given["max_beam_width"]) == (
        512,
        8128,
        8192,
        1,
    )
    assert given["skip_tokenizer_init"] is True and given["enable_chunked_prefill"] is False
    assert given["kv_cache_config"].given == {"free_gpu_memory_fraction": 0.9, "enable_block_reuse": False}
    assert given["scheduler_config"].given == {"capacity_scheduler_policy": "GUARANTEED_NO_EVICT"}
    assert given["cuda_graph_config"].given == {"max_batch_size": 512, "enable_padding": True}
    assert given["disable_overlap_scheduler"] is False


def test_fields_and_beams_change_how_a_model_is_loaded(installed: Installed) -> None:
    installed()
    given = llm(BEAMS, TensorRtLlmApiOptions("max_util", 0.5), precision="bf16", max_num_tokens=4096)
    assert given["kv_cache_config"].given["free_gpu_memory_fraction"] == 0.5
    assert given["scheduler_config"].given == {"capacity_scheduler_policy": "MAX_UTILIZATION"}
    assert given["cuda_graph_config"] is None and given["disable_overlap_scheduler"] is True
    assert (given["dtype"], given["max_beam_width"], given["enable_chunked_prefill"]) == ("bfloat16", 4, True)
    assert llm(GREEDY, TensorRtLlmApiOptions(), max_num_tokens=8000)["enable_chunked_prefill"] is False
    with pytest.raises(RunError, match="TensorRT-LLM cannot load /models/llama") as caught:
        llm(GREEDY, TensorRtLlmApiOptions(), max_batch_size=13)
    assert caught.value.why == "RuntimeError: CUDA out of memory" and "--gpu_batch_size" in caught.value.next_step


def test_options_are_the_fields_that_are_set(tmp_path: Path) -> None:
    values = {"trtllm_batch_sched_policy": "max_util", "kvcache_free_gpu_mem_frac": 0.8}
    assert BACKEND.options(values, tmp_path) == TensorRtLlmApiOptions("max_util", 0.8)
    assert BACKEND.options({}, tmp_path) == TensorRtLlmApiOptions(None, None)


def test_texts_are_searched_greedily_or_by_beams(installed: Installed) -> None:
    installed()
    from tensorrt_llm import llmapi

    assert api.sampling(llmapi, GREEDY).given == {
        "end_id": 9,
        "stop_token_ids": [8],
        "min_tokens": 2,
        "max_tokens": 4,
        "best_of": None,
        "use_beam_search": False,
        "top_k": 1,
        "detokenize": False,
    }
    beams = api.sampling(llmapi, BEAMS).given
    assert (beams["best_of"], beams["use_beam_search"], beams["top_k"]) == (4, True, None)
    assert beams["stop_token_ids"] is None


def test_more_beams_than_an_engine_has_or_several_streams_are_refused(installed: Installed, tmp_path: Path) -> None:
    installed()
    folder = engine(tmp_path / "engine")
    with pytest.raises(UsageError, match="supports at most 1 beams") as caught:
        BACKEND.load(folder, spec(BEAMS))
    assert "--force_build" in caught.value.next_step
    with pytest.raises(UsageError, match="tensorrt_llm_api cannot use 2 streams"):
        BACKEND.load(folder, GeneratorSpec(2, 0, "bf16", generation=GREEDY))


# ── texts ──────────────────────────────────────────────────────────────


def test_a_text_ends_with_its_end_of_text() -> None:
    assert whole([1, 2, 9, 3], "length", None, GREEDY) == [1, 2, 9] and whole([1, 8, 3], "stop", None, GREEDY) == [1, 8]
    assert whole([1, 2], "stop", None, GREEDY) == [1, 2, 9], "the runtime left it out"
    assert whole([1, 2], "stop", 8, GREEDY) == [1, 2, 8] and whole([], "stop", "a word", GREEDY) == [9]
    assert whole([1, 2, 3, 4], "length", None, GREEDY) == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="the text ended by timeout"):
        whole([1, 2], "timeout", None, GREEDY)


def found(generator: Any, count: int) -> list[Event]:
    events: list[Event] = []
    while sum(event.finished for event in events) < count:
        events += generator.advance(1.0)
    return events


def test_first_tokens_are_reported_before_whole_texts(installed: Installed, tmp_path: Path) -> None:
    installed()
    streamed = Generation(1, 2, 4, False, 9, (8,), stream=True)
    generator = BACKEND.load(engine(tmp_path / "engine"), spec(streamed))
    assert generator.capacity == 8
    for number in (1, 2):
        generator.submit(number, prompt(10 * number))
    of_two = [(event.tokens.tolist(), event.finished) for event in found(generator, 2) if event.request == 2]
    assert of_two == [([20], False), ([20, 5, 6, 7], True)]
    generator.close()
    made = api._llmapi().LLM.made[-1]
    assert made.ended and made.given["model"] == str(tiny.MODEL)


def test_without_first_tokens_only_whole_texts_are_reported(installed: Installed, tmp_path: Path) -> None:
    installed()
    generator = BACKEND.load(
        engine(tmp_path / "engine", max_beam_width=4), spec(Generation(4, 2, 4, True, 9, stream=True), flight=3)
    )
    assert generator.capacity == 3
    generator.submit(7, prompt(3))
    assert [(e.request, e.tokens.tolist(), e.finished) for e in found(generator, 1)] == [(7, [3, 5, 6, 7], True)]
    assert generator.advance(0.0) == []
    generator.close()


def test_a_failed_request_ends_the_run_with_the_packages_words(installed: Installed, tmp_path: Path) -> None:
    installed()
    generator = BACKEND.load(engine(tmp_path / "engine"), spec())
    generator.submit(5, prompt(91))
    with pytest.raises(RunError, match="TensorRT-LLM dropped request 5") as caught:
        found(generator, 1)
    assert caught.value.why == "ValueError: the prompt is too long" and "stdout.txt" in caught.value.next_step
    generator.submit(6, prompt(70))
    with pytest.raises(RunError, match="dropped request 6") as caught:
        found(generator, 1)
    assert caught.value.why == "ValueError: the text ended by cancelled"
    generator.close()


def test_requests_that_still_run_are_abandoned(installed: Installed, tmp_path: Path) -> None:
    installed()
    generator = BACKEND.load(engine(tmp_path / "engine"), spec())
    generator.submit(1, prompt(80))
    assert generator.advance(0.05) == []
    generator.close()
    assert api._llmapi().LLM.made[-1].ended and generator.advance(0.0) == []


def test_a_request_that_nobody_waits_for_is_aborted(installed: Installed, tmp_path: Path) -> None:
    installed()
    generator = BACKEND.load(engine(tmp_path / "engine"), spec())
    for when in ("while it runs", "before it has begun"):
        generator.submit(1, prompt(80))
        if when == "while it runs":
            assert generator.advance(0.05) == []
        generator.cancel(1)
        (event,) = found(generator, 1)
        assert (event.request, event.tokens.tolist(), event.finished) == (1, [], True), when
    generator.cancel(1)
    generator.submit(2, prompt(10))
    assert [event.tokens.tolist() for event in found(generator, 1)] == [[10, 5, 6, 7]]
    generator.close()


def test_each_group_of_devices_has_a_process_of_its_own(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-0,GPU-1,GPU-2,GPU-3")
    folder = engine(tmp_path / "engine", tensor_parallelism=2)
    made = BACKEND.load_devices(folder, [spec(device=i, flight=1) for i in range(4)])
    try:
        answers = {tuple(text.tolist()) for text in texts(made, [prompt(6)] * 8)}
        assert answers == {(6, 0, 1, 5), (6, 2, 3, 5)}
    finally:
        made.close()
    assert not multiprocessing.active_children()
    with pytest.raises(UsageError, match="on 3 GPUs"):
        BACKEND.load_devices(folder, [spec(device=i) for i in range(3)])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-0")
    with pytest.raises(UsageError, match=r"on 1 GPU\n"):
        BACKEND.load(folder, spec())

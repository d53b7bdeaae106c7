"""Text generation: tokens equal to Hugging Face's, requests in and out of order, and what happens when a generator fails."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Event, Generation, GeneratorSpec
from code.backends.generators.openvino_genai import BACKEND
from code.benchmarks.gptj import bpe, checkpoint, cnndm, facts, tiny
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.gptj.tiny import record
from code.benchmarks.text.checkpoint import require_fit
from code.benchmarks.text.generating import generation
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.harness.python.generation_sut import GenerationSut, in_order
from code.harness.python.prompts import PromptDataset
from code.harness.schema.datasets import of_benchmark

EXPECTED = tiny.MODEL / record.EXPECTED_FILE
FEW = 48
"""Prompts of which an error of the search shows in `make test`."""


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return record.evaluation_set(tiny.MODEL, tmp_path_factory.mktemp("tiny"), record.SUBSET)


def spec_of(opened: Any, **changed: Any) -> Any:
    content = {
        "kind": "prompts",
        "folder": str(opened.folder),
        "count": len(opened),
        "tokens": "tokens.npy",
        "offsets": "offsets.npy",
        "lengths": "lengths.npy",
        "positions": 2048,
        "generation": generation(BENCHMARK.text, {}, (opened.end,)),
        **changed,
    }
    return of_benchmark(content)


def as_expected(found: Sequence[Any], wanted: Sequence[list[int]]) -> None:
    """At least 99 % of the texts (of a few, all but one) are token for token transformers', and their lengths are allowed."""
    others = sum(a.tolist() != b for a, b in zip(found, wanted, strict=True))
    assert len(wanted) > 0 and others <= max(1, len(wanted) // 100)
    for tokens in found:
        assert tokens.dtype == np.int32 and facts.MIN_NEW_TOKENS <= len(tokens) <= facts.MAX_NEW_TOKENS


@pytest.mark.parametrize("beams", record.BEAMS)
def test_tokens_are_hugging_faces(beams: int, expected: dict[str, Any], prompts: Any) -> None:
    """Of the first prompts; the next test compares all."""
    opened, _ = prompts
    found = record.generated(tiny.MODEL, [np.array(opened.prompt(index)) for index in range(FEW)], beams, opened.end)
    as_expected(found, expected[f"beams_{beams}"][:FEW])


@pytest.mark.full
@pytest.mark.parametrize("beams", record.BEAMS)
def test_tokens_and_scores_of_the_first_samples_are_the_recorded_ones(beams: int, expected: dict[str, Any], prompts: Any) -> None:
    opened, path = prompts
    found = record.generated(tiny.MODEL, [np.array(opened.prompt(index)) for index in range(record.SUBSET)], beams, opened.end)
    as_expected(found[: expected["count"]], expected[f"beams_{beams}"])
    reached = record.scores(found, cnndm.read(path), bpe.read(tiny.MODEL))
    recorded = json.loads(tiny.RECORD.read_text(encoding="utf-8"))["subset"]
    assert recorded["count"] == record.SUBSET
    for name in ("ROUGE1", "ROUGE2", "ROUGEL"):
        assert reached[name] == pytest.approx(recorded[f"beams_{beams}"][name], abs=0.3)


def test_the_committed_answers_are_the_installed_transformers(expected: dict[str, Any], prompts: Any) -> None:
    pytest.importorskip("torch", reason="torch is not installed: make test_all_extras")
    pytest.importorskip("transformers", reason="transformers is not installed: make test_all_extras")
    opened, _ = prompts
    wanted = [np.array(opened.prompt(index)) for index in range(8)]
    for beams in record.BEAMS:
        assert record.hugging_face(tiny.MODEL, wanted, beams, opened.end) == expected[f"beams_{beams}"][:8]


def test_a_beam_search_that_ends_too_early_goes_on_to_the_least_length() -> None:
    """OpenVINO GenAI's own beam search heeds no min_new_tokens; articles with short summaries show it."""
    from code.benchmarks.gptj.prompt import prompt
    from code.benchmarks.text.tiny.articles import article

    opened = bpe.read(tiny.MODEL)
    written = [article("early", index) for index in range(60)]
    short = [one for one, ids in zip(written, opened.encode([one.highlights for one in written]), strict=True) if len(ids) < 29]
    assert short
    asked = [np.asarray(ids, dtype=np.int32) for ids in opened.encode([prompt(one.text) for one in short])]
    for tokens in record.generated(tiny.MODEL, asked, facts.NUM_BEAMS, opened.end):
        assert facts.MIN_NEW_TOKENS <= len(tokens) - 1 < facts.MAX_NEW_TOKENS
        assert (tokens == opened.end).sum() == 1 and tokens[-1] == opened.end


class Collected:
    """LoadGen's side of a SUT."""

    def __init__(self) -> None:
        self.answers: dict[int, list[int]] = {}
        self.firsts: dict[int, int] = {}
        self.order: list[int] = []
        self.error: HarnessError | None = None
        self.failed = threading.Event()

    def respond(self, identity: int, address: int, size: int, tokens: int) -> tuple[int, list[int]]:
        import ctypes

        return identity, np.frombuffer(ctypes.string_at(address, size), dtype=np.int32).tolist()

    def complete(self, responses: Sequence[tuple[int, list[int]]]) -> None:
        for identity, tokens in responses:
            assert identity not in self.answers
            self.answers[identity] = tokens
            self.order.append(identity)

    def first(self, responses: Sequence[tuple[int, list[int]]]) -> None:
        self.firsts.update({identity: tokens[0] for identity, tokens in responses})

    def fail(self, error: HarnessError) -> None:
        self.error = error
        self.failed.set()

    def wait(self, count: int) -> None:
        end = time.monotonic() + 60
        while len(self.answers) < count and self.error is None and time.monotonic() < end:
            time.sleep(0.01)
        assert self.error is None and len(self.answers) == count


def load(tmp_path: Path, opened: Any, **fields: Any) -> Any:
    BACKEND.build(tiny.MODEL, {"precision": "fp32", "benchmark": "gptj"}, tmp_path)
    usual = {
        "generation": Generation.of(generation(BENCHMARK.text, {}, (opened.end,))),
        "requests_in_flight": 16,
        "longest_prompt": int(opened.lengths.max()),
    }
    return BACKEND.load(tmp_path, GeneratorSpec(1, 2, "fp32", **{**usual, **fields}))


def sut(scenario: str, generator: Any, opened: Any, got: Collected, **options: Any) -> GenerationSut:
    data = PromptDataset(spec_of(opened))
    usual: dict[str, Any] = {"complete": got.complete, "first_token": None, "respond": got.respond, "failed": got.fail}
    return GenerationSut(scenario, generator, data, **{**usual, **options})


def test_requests_come_back_with_their_own_texts_whatever_the_order(
    tmp_path: Path, prompts: Any, expected: dict[str, Any]
) -> None:
    opened, _ = prompts
    got = Collected()
    under_test = sut("Offline", load(tmp_path, opened), opened, got)
    indices = [5, 3, 3, 17, 0, 9, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53]
    under_test.issue([100 + n for n in range(len(indices))], indices)
    got.wait(len(indices))
    under_test.close()
    same = sum(got.answers[100 + n] == expected["beams_4"][index] for n, index in enumerate(indices))
    assert same >= len(indices) - 1
    assert got.order != sorted(got.order), "they complete as they finish"
    assert under_test.counts.completed == len(indices) and under_test.tokens == sum(map(len, got.answers.values()))
    assert len(under_test.log) == 4 * len(indices)


def test_first_tokens_are_reported_in_a_greedy_search(tmp_path: Path, prompts: Any, expected: dict[str, Any]) -> None:
    opened, _ = prompts
    got = Collected()
    settings = Generation.of(generation(BENCHMARK.text, {"num_beams": 1}, (opened.end,)), stream=True)
    under_test = sut("Server", load(tmp_path, opened, generation=settings), opened, got, first_token=got.first)
    for number in range(6):
        under_test.issue([number], [number])
    got.wait(6)
    under_test.close()
    assert got.firsts == {number: tokens[0] for number, tokens in got.answers.items()}
    assert sum(got.answers[n] == expected["beams_1"][n] for n in range(6)) >= 5


def test_offline_begins_with_the_longest_in_every_segment() -> None:
    lengths = np.asarray([3, 9, 1, 7], dtype=np.int32)
    indices = [0, 1, 2, 3, 1]
    assert [indices[i] for i in in_order(indices, lengths, 1)] == [1, 1, 3, 0, 2]
    assert [indices[i] for i in in_order(indices, lengths, 2)] == [1, 0, 2, 1, 3]


class Broken:
    """A generator with a fault: what a test cannot make the real one do."""

    capacity = 4

    def __init__(self, fault: Callable[[], Sequence[Event]]) -> None:
        self._fault, self._asked = fault, 0

    def submit(self, request: int, prompt: Any) -> None:
        self._asked += 1

    def advance(self, wait_s: float) -> Sequence[Event]:
        if not self._asked:
            time.sleep(wait_s)
            return []
        return self._fault()

    def close(self) -> None:
        pass


def crash() -> Sequence[Event]:
    raise RuntimeError("Check failed\nKV cache is exhausted")


def hang() -> Sequence[Event]:
    time.sleep(0.02)
    return []


def block() -> Sequence[Event]:
    time.sleep(1)
    return []


@pytest.mark.parametrize(
    ("fault", "what", "why"),
    [
        (crash, "the generator failed", "RuntimeError: KV cache is exhausted"),
        (hang, "the generator is stuck", "1 requests are waiting for an answer"),
        (block, "the generator is stuck", "1 requests are waiting for an answer"),
        (lambda: [Event(0, np.zeros(0, dtype=np.int32), True)], "answered a request without a token", ""),
    ],
)
def test_a_generator_that_fails_or_hangs_ends_the_run(
    fault: Callable[[], Sequence[Event]], what: str, why: str, prompts: Any
) -> None:
    opened, _ = prompts
    got = Collected()
    under_test = sut("Server", Broken(fault), opened, got, watchdog_s=0.15 if "stuck" in what else 5.0)
    under_test.issue([1], [0])
    assert got.failed.wait(10)
    assert isinstance(got.error, RunError) and what in got.error.what and why in got.error.why
    under_test.close()


def test_an_idle_generator_is_not_stuck(prompts: Any) -> None:
    opened, _ = prompts
    got = Collected()
    under_test = sut("Server", Broken(hang), opened, got, watchdog_s=0.2)
    assert not got.failed.wait(0.6)
    under_test.close()


def test_a_prompt_over_the_limit_is_said(prompts: Any) -> None:
    opened, _ = prompts
    with pytest.raises(UsageError, match="is over the limit") as caught:
        PromptDataset(spec_of(opened, positions=300))
    assert "--max_new_tokens" in caught.value.next_step


def test_arrays_that_do_not_belong_together_are_said(prompts: Any) -> None:
    opened, _ = prompts
    with pytest.raises(MissingError, match="prompts, not"):
        PromptDataset(spec_of(opened, count=7))


def test_generation_is_the_benchmarks_unless_fields_say_otherwise(tmp_path: Path) -> None:
    usual = generation(BENCHMARK.text, {}, (7,))
    assert usual == {
        "num_beams": 4,
        "min_new_tokens": 30,
        "max_new_tokens": 128,
        "early_stopping": True,
        "eos": 7,
        "also_ends": [],
    }
    assert BENCHMARK.open_reason({}) == "" and BENCHMARK.open_reason({"num_beams": 4, "max_new_tokens": 128}) == ""
    assert "num_beams is 1" in BENCHMARK.open_reason({"num_beams": 1})
    assert "int4" in BENCHMARK.open_reason({"precision": "int4"})
    file = tmp_path / "gen.json"
    file.write_text('{"generation_config": {"runtime_beam_width": 1, "min_output_len": 5, "max_output_len": 64}}')
    assert generation(BENCHMARK.text, {"llm_gen_config_path": str(file), "max_new_tokens": 70}, (7,))["max_new_tokens"] == 70
    assert generation(BENCHMARK.text, {"llm_gen_config_path": str(file)}, (7,))["num_beams"] == 1
    assert "num_beams is 1" in BENCHMARK.open_reason({"llm_gen_config_path": str(file)})
    for wrong in ({"num_beams": 0}, {"max_new_tokens": 0}, {"min_new_tokens": 200}, {"min_new_tokens": -1}):
        with pytest.raises(UsageError):
            generation(BENCHMARK.text, wrong, (7,))


def test_a_vocabulary_of_another_model_is_refused() -> None:
    model = checkpoint.open_checkpoint(tiny.MODEL)
    opened = bpe.read(tiny.MODEL)
    require_fit(opened.files[0], opened.size, opened.end, model)
    with pytest.raises(UsageError, match="wrong tokenizer") as caught:
        require_fit(opened.files[0], 50_257, 50_256, model)
    assert "50,257 entries" in caught.value.why
    with pytest.raises(UsageError, match="wrong tokenizer"):
        require_fit(opened.files[0], 1_000, 999, model)


@pytest.mark.full
def test_weights_in_int8_generate_too(tmp_path: Path, prompts: Any) -> None:
    pytest.importorskip("nncf", reason="NNCF is not installed: make calibration")
    opened, _ = prompts
    found = record.generated(tiny.MODEL, [np.array(opened.prompt(0))], 4, opened.end, "int8")
    assert len(found[0]) >= facts.MIN_NEW_TOKENS

"""Prompt-lookup decoding on OpenVINO GenAI: the tokens of a plain greedy search, first tokens, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Event, Generation, GeneratorSpec, texts
from code.backends.generators.openvino_genai import BACKEND, _blocks
from code.benchmarks.benchmark import definition_of
from code.benchmarks.text.generating import generation
from code.common.errors import UsageError
from code.harness.schema.options import OpenVinoGenAiOptions

COUNT, FEW = 64, 8
"""Prompts of the whole comparison, and of `make test`'s."""
MODELS = {"gptj": "code.benchmarks.gptj.tiny", "llama3.1-8b": "code.benchmarks.llama3_1_8b.tiny"}


@pytest.fixture(scope="module", params=sorted(MODELS))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GeneratorSpec, list[Any]]:
    """An engine, how it is loaded, and prompts."""
    name, folder = request.param, tmp_path_factory.mktemp("lookup")
    model, record = import_module(MODELS[name]).MODEL, import_module(f"{MODELS[name]}.record")
    opened, _ = record.evaluation_set(model, folder, COUNT)
    prompts = [np.array(opened.prompt(index)) for index in range(COUNT)]
    definition: Any = definition_of(name)
    how = Generation.of(generation(definition.text, {"num_beams": 1}, definition.open_vocabulary(model).ends))
    engine = folder / "engine"
    engine.mkdir()
    BACKEND.build(model, {"precision": "fp32", "benchmark": name}, engine)
    longest = max(len(prompt) for prompt in prompts)
    return engine, GeneratorSpec(1, 1, "fp32", generation=how, requests_in_flight=16, longest_prompt=longest), prompts


def answers(engine: Path, spec: GeneratorSpec, prompts: list[Any], lookup: int) -> list[list[int]]:
    generator = BACKEND.load(engine, replace(spec, options=OpenVinoGenAiOptions(prompt_lookup=lookup)))
    found = texts(generator, prompts)
    generator.close()
    return [one.tolist() for one in found]


@pytest.mark.parametrize("count", [FEW, pytest.param(COUNT, marks=pytest.mark.full)])
def test_the_tokens_are_those_of_a_plain_greedy_search(case: tuple[Path, GeneratorSpec, list[Any]], count: int) -> None:
    engine, spec, prompts = case
    plain = answers(engine, spec, prompts[:count], 0)
    for lookup in (2, 5):
        assert answers(engine, spec, prompts[:count], lookup) == plain, lookup


def test_the_first_token_is_reported_before_the_text(case: tuple[Path, GeneratorSpec, list[Any]]) -> None:
    engine, spec, prompts = case
    options = OpenVinoGenAiOptions(prompt_lookup=4)
    generator = BACKEND.load(engine, replace(spec, options=options, generation=replace(spec.generation, stream=True)))
    generator.submit(0, prompts[0])
    seen: list[Event] = []
    while not any(event.finished for event in seen):
        seen += generator.advance(0.05)
    generator.close()
    assert [event.finished for event in seen] == [False, True]
    assert (
        seen[0].tokens.tolist() == seen[1].tokens.tolist()[:1]
        and seen[1].tokens.tolist() == answers(engine, spec, prompts[:1], 0)[0]
    )


def test_a_beam_search_cannot_look_up(case: tuple[Path, GeneratorSpec, list[Any]]) -> None:
    engine, spec, _ = case
    beams = replace(spec.generation, num_beams=4)
    name = engine / "generator.json"
    name.write_text(name.read_text().replace('"max_beam_width": 1', '"max_beam_width": 4'))
    with pytest.raises(UsageError, match="prompt_lookup=3 needs a greedy search"):
        BACKEND.load(engine, replace(spec, generation=beams, options=OpenVinoGenAiOptions(prompt_lookup=3)))


def test_guesses_have_room_in_the_cache_and_are_for_the_open_division() -> None:
    how = Generation(1, 1, 128, True, 7)
    assert _blocks(how, 320, 1, 0) == 20 and _blocks(how, 320, 1, 5) == 22, "a block more for the search and its copy"
    assert BACKEND.options({"prompt_lookup": 5}, Path()).prompt_lookup == 5 and BACKEND.options({}, Path()).prompt_lookup == 0
    definition = definition_of("llama3.1-8b")
    assert definition.open_reason({"prompt_lookup": 5}) == "prompt-lookup decoding with 5 tokens"
    assert definition.open_reason({"prompt_lookup": 0}) == ""

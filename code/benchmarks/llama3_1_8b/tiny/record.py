"""Scores a tiny Llama with the project's own pipeline, and keeps what Hugging Face's `generate` answers beside it.

record.json: ROUGE and GEN_LEN of the evaluation set's first samples in fp32 by OpenVINO GenAI; digests of what was scored.
expected.json: the tokens that transformers generates for some prompts, so that the comparison token for token needs neither torch nor
transformers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from code.benchmarks.llama3_1_8b import facts, tokenizer
from code.benchmarks.llama3_1_8b.benchmark import BENCHMARK
from code.benchmarks.llama3_1_8b.tiny import generate_eval
from code.benchmarks.text import accuracy, cnndm, preprocess, sentences
from code.benchmarks.text.generating import generation
from code.benchmarks.text.prompts import PreprocessedPrompts
from code.benchmarks.text.tiny import generating
from code.benchmarks.text.tiny.articles import EVAL_SEED, GENERATOR_VERSION
from code.benchmarks.text.tiny.generating import Tokens
from code.common import console
from code.common.files import sha256

MEASURED = 2_000
"""Samples whose scores are recorded: their means are the whole set's but for the third digit."""
EXPECTED, FIRST = 32, 256
"""Samples with transformers' tokens, and samples whose scores are recorded by themselves."""
EXPECTED_FILE = "expected.json"


def generated(model: Path, prompts: Sequence[Tokens], precision: str = "fp32") -> list[Tokens]:
    """The texts that OpenVINO GenAI generates the benchmark's way, in the prompts' order."""
    return generating.generated(facts.NAME, model, prompts, _settings(model), precision)


def _settings(model: Path) -> dict[str, Any]:
    return generation(BENCHMARK.text, {}, tokenizer.read(model).ends)


def hugging_face(model: Path, prompts: Sequence[Tokens]) -> list[list[int]]:
    """The tokens that transformers' greedy `generate` gives for each prompt, one at a time, in fp32."""
    return generating.hugging_face(model, prompts, _settings(model))


def scores(found: Sequence[Tokens], samples: Sequence[cnndm.Sample], opened: tokenizer.Llama3Tokenizer) -> dict[str, float]:
    """ROUGE and lengths of these texts against the first so many samples."""
    return accuracy.score(BENCHMARK, dict(enumerate(found)), samples, opened, sentences.lines)


def evaluation_set(model: Path, folder: Path, count: int = facts.SAMPLES) -> tuple[PreprocessedPrompts, Path]:
    """The first `count` samples of the evaluation set below `folder`: tokenised, and the file itself."""
    data = folder / "cnn_eval.json"
    generate_eval(data, count)
    return preprocess.preprocess(BENCHMARK, data, model, folder / "preprocessed"), data


def measure(model: Path) -> dict[str, Any]:
    """What record.json holds besides the training settings."""
    with tempfile.TemporaryDirectory() as scratch:
        prompts, data = evaluation_set(model, Path(scratch))
        opened, samples = tokenizer.read(model), cnndm.read(data, facts.NAME)
        wanted = [np.array(prompts.prompt(index)) for index in range(MEASURED)]
        console.say(f"generating {len(wanted):,} summaries")
        found = generated(model, wanted)
        return {
            "metric": "ROUGE",
            "splitter": "lines",
            "scores": {**scores(found, samples, opened), "tokens": float(sum(len(tokens) for tokens in found))},
            "first": scores(found[:FIRST], samples, opened),
            "samples": len(prompts),
            "eval_sha256": sha256(data),
            "files": {str(path.relative_to(model)): sha256(path) for path in committed(model)},
            "prompt_tokens": {
                "least": int(prompts.lengths.min()),
                "mean": float(prompts.lengths.mean()),
                "most": int(prompts.lengths.max()),
            },
            "generator": {"version": GENERATOR_VERSION, "seed": EVAL_SEED},
        }


def committed(model: Path) -> list[Path]:
    """The files that a record speaks of."""
    names = ("model.safetensors", "tokenizer.json", "openvino/openvino_model.xml", "openvino/openvino_model.bin")
    return [model / name for name in names]


def expect(model: Path, count: int = EXPECTED) -> dict[str, Any]:
    """What expected.json holds: transformers' tokens for the first prompts of the evaluation set."""
    import transformers

    with tempfile.TemporaryDirectory() as scratch:
        prompts, _ = evaluation_set(model, Path(scratch), count)
        wanted = [np.array(prompts.prompt(index)) for index in range(count)]
        return {"transformers": transformers.__version__, "count": count, "greedy": hugging_face(model, wanted)}

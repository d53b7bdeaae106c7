"""Scores a tiny GPT-J with the project's own pipeline, and keeps what Hugging Face's `generate` answers beside it.

record.json: ROUGE and GEN_LEN of the whole evaluation set and of its first samples, beam search and greedy, in fp32 by OpenVINO GenAI;
digests of what was scored. expected.json: the tokens that transformers generates for some prompts, so that the comparison token for
token needs neither torch nor transformers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from code.benchmarks.gptj import bpe, cnndm, facts
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.gptj.tiny import generate_eval
from code.benchmarks.text import accuracy, preprocess, sentences
from code.benchmarks.text.generating import generation
from code.benchmarks.text.prompts import PreprocessedPrompts
from code.benchmarks.text.tiny import generating
from code.benchmarks.text.tiny.articles import EVAL_SEED, GENERATOR_VERSION
from code.benchmarks.text.tiny.generating import Tokens
from code.common import console
from code.common.files import sha256

SUBSET = 192
EXPECTED = 128
BEAMS = (facts.NUM_BEAMS, 1)
EXPECTED_FILE = "expected.json"


def generated(model: Path, prompts: Sequence[Tokens], beams: int, end: int, precision: str = "fp32") -> list[Tokens]:
    """The texts that OpenVINO GenAI generates the benchmark's way, in the prompts' order."""
    return generating.generated(facts.NAME, model, prompts, _settings(beams, end), precision)


def _settings(beams: int, end: int) -> dict[str, Any]:
    return generation(BENCHMARK.text, {"num_beams": beams}, (end,))


def hugging_face(model: Path, prompts: Sequence[Tokens], beams: int, end: int) -> list[list[int]]:
    """The tokens that transformers' `generate` gives for each prompt, one at a time, as the MLCommons reference runs it."""
    return generating.hugging_face(model, prompts, _settings(beams, end))


def scores(found: Sequence[Tokens], samples: Sequence[cnndm.Sample], vocabulary: bpe.Bpe) -> dict[str, float]:
    """ROUGE and lengths of these texts against the first so many samples."""
    return accuracy.score(BENCHMARK, dict(enumerate(found)), samples, vocabulary, sentences.lines)


def evaluation_set(model: Path, folder: Path, count: int | None = None) -> tuple[PreprocessedPrompts, Path]:
    """The evaluation set (its first `count` samples) below `folder`: tokenised, and the file itself."""
    data = folder / "cnn_eval.json"
    generate_eval(data, count, model)
    return preprocess.preprocess(BENCHMARK, data, model, folder / "preprocessed"), data


def measure(model: Path) -> dict[str, Any]:
    """What record.json holds besides the training settings."""
    with tempfile.TemporaryDirectory() as scratch:
        prompts, data = evaluation_set(model, Path(scratch))
        vocabulary, samples = bpe.read(model), cnndm.read(data)
        wanted = [np.array(prompts.prompt(index)) for index in range(len(prompts))]
        whole: dict[str, Any] = {}
        subset: dict[str, Any] = {"count": SUBSET}
        for beams in BEAMS:
            console.say(f"generating {len(wanted):,} summaries with {beams} beams")
            found = generated(model, wanted, beams, prompts.end)
            whole[f"beams_{beams}"] = scores(found, samples, vocabulary)
            subset[f"beams_{beams}"] = scores(found[:SUBSET], samples, vocabulary)
            whole[f"beams_{beams}"]["tokens"] = float(sum(len(tokens) for tokens in found))
        return {
            "metric": "ROUGE",
            "splitter": "lines",
            "scores": whole,
            "subset": subset,
            "samples": len(wanted),
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
    names = ("model.safetensors", "vocab.json", "merges.txt", "openvino/openvino_model.xml", "openvino/openvino_model.bin")
    return [model / name for name in names]


def expect(model: Path, count: int = EXPECTED) -> dict[str, Any]:
    """What expected.json holds: transformers' tokens for the first prompts of the evaluation set."""
    import transformers

    with tempfile.TemporaryDirectory() as scratch:
        prompts, _ = evaluation_set(model, Path(scratch), count)
        wanted = [np.array(prompts.prompt(index)) for index in range(count)]
        answers = {f"beams_{beams}": hugging_face(model, wanted, beams, prompts.end) for beams in BEAMS}
    return {"transformers": transformers.__version__, "count": count, **answers}

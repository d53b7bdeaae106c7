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
from code.benchmarks.gptj.preprocess import preprocess
from code.benchmarks.gptj.tiny import generate_eval
from code.benchmarks.text import rouge, sentences
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
    from code.benchmarks.gptj.generation import generation

    how = generation({"num_beams": beams, "min_new_tokens": None, "max_new_tokens": None}, end)
    return generating.generated(facts.NAME, model, prompts, how, precision)


def hugging_face(model: Path, prompts: Sequence[Tokens], beams: int, end: int) -> list[list[int]]:
    """The tokens that transformers' `generate` gives for each prompt, one at a time, as the MLCommons reference runs it."""
    import torch
    from transformers import GPTJForCausalLM

    network = GPTJForCausalLM.from_pretrained(str(model), dtype=torch.float32, local_files_only=True).eval()  # nosec B615  # a folder
    out = []
    with torch.inference_mode():
        for prompt in prompts:
            ids = torch.from_numpy(np.asarray(prompt, dtype=np.int64))[None, :]
            answer = network.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                num_beams=beams,
                do_sample=False,
                early_stopping=beams > 1,
                min_new_tokens=facts.MIN_NEW_TOKENS,
                max_new_tokens=facts.MAX_NEW_TOKENS,
                eos_token_id=end,
                pad_token_id=end,
                use_cache=True,
            )
            out.append([int(token) for token in answer[0, ids.shape[1] :]])
    return out


def scores(found: Sequence[Tokens], samples: Sequence[cnndm.Sample], vocabulary: bpe.Bpe) -> dict[str, float]:
    """ROUGE and lengths of these texts against the first so many samples."""
    texts = vocabulary.decode([tokens.tolist() for tokens in found])
    return rouge.score(
        [rouge.tidied(text) for text in texts], [sample.highlights for sample in samples[: len(texts)]], sentences.lines
    )


def evaluation_set(model: Path, folder: Path, count: int | None = None) -> tuple[PreprocessedPrompts, Path]:
    """The evaluation set (its first `count` samples) below `folder`: tokenised, and the file itself."""
    data = folder / "cnn_eval.json"
    generate_eval(data, count, model)
    return preprocess(data, model, folder / "preprocessed"), data


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

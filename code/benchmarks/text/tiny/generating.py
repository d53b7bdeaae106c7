"""Texts of a tiny model as OpenVINO GenAI generates them, and the file that keeps another implementation's."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.common.files import atomic_write

IN_FLIGHT = 64

Tokens = NDArray[np.int32]


def generated(
    benchmark: str, model: Path, prompts: Sequence[Tokens], how: Mapping[str, Any], precision: str = "fp32"
) -> list[Tokens]:
    """The texts that OpenVINO GenAI generates: longest prompts first, given back in the prompts' order.

    Args:
        how: the benchmark's generation settings, as in run.json.
    """
    from code.backends.generators.base import Generation, GeneratorSpec, texts
    from code.backends.generators.openvino_genai import BACKEND

    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    spec = GeneratorSpec(
        1,
        len(os.sched_getaffinity(0)),
        precision,
        generation=Generation.of(how),
        requests_in_flight=IN_FLIGHT,
        longest_prompt=max(len(prompt) for prompt in prompts),
    )
    with tempfile.TemporaryDirectory() as scratch:
        BACKEND.build(model, {"precision": precision, "benchmark": benchmark}, Path(scratch))
        generator = BACKEND.load(Path(scratch), spec)
        found = texts(generator, [prompts[index] for index in order])
        generator.close()
    by_prompt = dict(zip(order, found, strict=True))
    return [by_prompt[index] for index in range(len(prompts))]


def hugging_face(model: Path, prompts: Sequence[Tokens], how: Mapping[str, Any]) -> list[list[int]]:
    """The tokens that transformers' `generate` gives for each prompt in fp32, one at a time, as the MLCommons references run it.

    Args:
        how: the benchmark's generation settings, as in run.json.
    """
    import torch
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(str(model), dtype=torch.float32, local_files_only=True).eval()  # nosec B615  # a folder
    beams = int(how["num_beams"])
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
                min_new_tokens=how["min_new_tokens"],
                max_new_tokens=how["max_new_tokens"],
                eos_token_id=[how["eos"], *how["also_ends"]],
                pad_token_id=how["eos"],
                use_cache=True,
            )
            out.append([int(token) for token in answer[0, ids.shape[1] :]])
    return out


def write_expected(content: Mapping[str, Any], path: Path) -> None:
    """One line for each text."""
    with atomic_write(path) as out:
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items() if not isinstance(value, list)]
        for key, value in content.items():
            if isinstance(value, list):
                rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
                lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        out.write("{\n" + ",\n".join(lines) + "\n}\n")

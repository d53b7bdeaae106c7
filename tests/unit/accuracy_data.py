"""Small data sets of every benchmark, for tests of scores."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np

from code.benchmarks.bert import preprocess
from code.benchmarks.bert.preprocess import PreprocessedSquad
from code.benchmarks.gptj import tiny as gptj_tiny
from code.benchmarks.gptj.benchmark import BENCHMARK as GPTJ
from code.benchmarks.llama3_1_8b import tiny as llama_tiny
from code.benchmarks.llama3_1_8b.tiny import record
from code.benchmarks.text import preprocess as text_preprocess
from code.benchmarks.unet3d.manifest import CaseRecord, Manifest

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "who",
    "?",
    ",",
    ".",
    "'",
    "s",
    "steve",
    "smith",
    "cafe",
    "tall",
    "##er",
    "the",
    "1895",
    "-",
]
WORDS = ["Steve", "Smith's,", "Café", "taller", "the", "(1895-1895).", "tall.", "Smith"]
PROMPTS = 6


def bert_set(folder: Path) -> tuple[PreprocessedSquad, Path, Path]:
    """30 questions, a third of them on paragraphs of several windows: the arrays, the data set and the vocabulary."""
    draw = random.Random(3)
    paragraphs = []
    for p in range(10):
        context = "Steve " + " ".join(draw.choices(WORDS, k=260 if p % 3 == 0 else 12))
        qas = [{"id": f"{p}-{q}", "question": "Who?", "answers": [{"text": "Steve", "answer_start": 0}]} for q in range(3)]
        paragraphs.append({"context": context, "qas": qas})
    dev, vocab = folder / "dev.json", folder / "vocab.txt"
    dev.write_text(json.dumps({"version": "1.1", "data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    vocab.write_text("".join(f"{piece}\n" for piece in PIECES), encoding="utf-8")
    preprocess.preprocess(dev, vocab, folder / "arrays")
    return preprocess.load(folder / "arrays"), dev, vocab


def unet3d_set(folder: Path) -> tuple[Path, list[tuple[int, int, int]]]:
    """Seven cases with random labels: the directory of their arrays, and their shapes."""
    shapes = [(4 + case, 6, 8) for case in range(7)]
    records = {}
    for number, shape in enumerate(shapes):
        name = f"case_{number:05}"
        np.save(folder / f"{name}_label.npy", np.random.default_rng(number).integers(0, 3, shape).astype(np.uint8))
        records[name] = CaseRecord({}, {}, {}, {}, 1, [0, 0, 0])
    Manifest({}, records).write(folder)
    return folder, shapes


def prompts_of(name: str, folder: Path) -> tuple[Path, Path, Path, int]:
    """PROMPTS prompts of a tiny model: the directory of the arrays, the data set, the model, and tokens that it has at least."""
    if name == "gptj":
        data = folder / "cnn_eval.json"
        gptj_tiny.generate_eval(data, PROMPTS)
        text_preprocess.preprocess(GPTJ, data, gptj_tiny.MODEL, folder / "preprocessed")
        return folder / "preprocessed", data, gptj_tiny.MODEL, 900
    _, data = record.evaluation_set(llama_tiny.MODEL, folder, PROMPTS)
    return folder / "preprocessed", data, llama_tiny.MODEL, 900

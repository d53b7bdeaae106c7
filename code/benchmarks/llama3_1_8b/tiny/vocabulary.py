"""Learns the tiny variant's tokenizer: a byte-level BPE with Llama 3's rule for splitting a text, and its special tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from code.benchmarks.llama3_1_8b import tokenizer
from code.benchmarks.llama3_1_8b.prompt import prompt
from code.benchmarks.text.tiny.articles import article
from code.common.files import atomic_write

BEGIN, END, TURN = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"
SPECIAL = (BEGIN, END, TURN)
"""The begin of a text, and the two tokens that end one: of plain text, and of a turn."""
SIZE = 1024
ARTICLES = 6000
SEED = "llama vocabulary"
# How Llama 3 splits a text before its merges (tokenizer.json of the checkpoint): contractions, words with at most one other character
# before them, numbers of up to three digits, marks, and white space.
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def corpus(articles: int = ARTICLES) -> Iterator[str]:
    """Prompts with their summaries."""
    for index in range(articles):
        written = article(SEED, index)
        yield prompt(written.text) + written.highlights


def learn(texts: Iterable[str], folder: Path, size: int = SIZE) -> None:
    """Write tokenizer.json and tokenizer_config.json of `size` entries into `folder`, the special tokens last as in Llama 3's."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    made = Tokenizer(models.BPE(ignore_merges=True))
    split = pre_tokenizers.Split(Regex(SPLIT), "isolated", invert=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIAL),
        min_frequency=2,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    made.train_from_iterator(list(texts), trainer)
    made.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in SPECIAL])
    begin = made.token_to_id(BEGIN)
    made.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN} $B", special_tokens=[(BEGIN, begin)]
    )
    settings: dict[str, Any] = {
        "bos_token": BEGIN,
        "clean_up_tokenization_spaces": True,
        "eos_token": TURN,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 4096,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    with atomic_write(folder / tokenizer.WHOLE) as out:
        out.write(made.to_str(pretty=False) + "\n")
    with atomic_write(folder / tokenizer.SETTINGS) as out:
        out.write(json.dumps(settings, indent=2) + "\n")

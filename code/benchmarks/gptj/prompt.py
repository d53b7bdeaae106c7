"""The prompt of the MLCommons reference: an instruction, the article as its input, and the place where the response begins.

Source: language/gpt-j/dataset.py and download_cnndm.py of MLCommons Inference (v3.1 to v5.0). The model was fine-tuned on exactly
these words, so that a changed one costs ROUGE.
"""

from __future__ import annotations

INSTRUCTION = "Summarize the following news article:"
_TEMPLATE = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{article}\n\n### Response:"
)


def prompt(article: str, instruction: str = INSTRUCTION) -> str:
    """The model's prompt for an article."""
    return _TEMPLATE.replace("{instruction}", instruction, 1).replace("{article}", article, 1)

"""The prompt of the MLCommons reference, which is tokenised with the begin of text before it and without a chat template.

Source: language/llama3.1-8b/download_cnndm.py of MLCommons Inference (v5.1 to v6.1).
"""

from __future__ import annotations

INSTRUCTION = (
    "Summarize the following news article in 128 tokens. Please output the summary only, without any other text.\n\n"
    "Article:\n{input}\n\nSummary:"
)


def prompt(article: str) -> str:
    """The model's prompt for an article."""
    return INSTRUCTION.replace("{input}", article, 1)

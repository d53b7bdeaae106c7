"""How GPT-J generates texts: what the workload's fields, or a generation config file, ask for, and the benchmark's own values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from code.benchmarks.gptj import facts
from code.benchmarks.text.generating import checked, from_file
from code.fields.consumer import Consumer

BEAMS = Consumer("gptj text generation", ("num_beams", "llm_gen_config_path"), engine=True, benchmarks=(facts.NAME,))
LENGTHS = Consumer("gptj text generation", ("min_new_tokens", "max_new_tokens", "llm_gen_config_path"), benchmarks=(facts.NAME,))
WEIGHTS = Consumer("gptj", ("precision", "use_int4awq"), benchmarks=(facts.NAME,))
USUAL = {"num_beams": facts.NUM_BEAMS, "min_new_tokens": facts.MIN_NEW_TOKENS, "max_new_tokens": facts.MAX_NEW_TOKENS}
"""The benchmark's own values."""


def beams(values: Mapping[str, Any]) -> int | None:
    """num_beams as it was set: by the field, else by the file llm_gen_config_path; None where not."""
    read = BEAMS.of(values)
    given = read.get("num_beams")
    found = from_file(read.get("llm_gen_config_path")).get("num_beams") if given is None else given
    return None if found is None else int(found)


def asked(values: Mapping[str, Any]) -> dict[str, Any]:
    """num_beams, min_new_tokens and max_new_tokens as they were set: by fields, else by the file llm_gen_config_path; None where not."""
    read = LENGTHS.of(values)
    found = from_file(read.get("llm_gen_config_path"))
    given = {"min_new_tokens": read.get("min_new_tokens"), "max_new_tokens": read.get("max_new_tokens")}
    lengths = {name: found.get(name) if value is None else value for name, value in given.items()}
    return {"num_beams": beams(values), **lengths}


def generation(values: Mapping[str, Any], end: int) -> dict[str, Any]:
    """How texts are generated: the benchmark's way unless fields say otherwise. UsageError for what cannot be."""
    return checked(asked(values), USUAL, (end,))


def open_reason(values: Mapping[str, Any]) -> str:
    """Why a result with these values is for the open division only; '' where it need not be."""
    for name, value in asked(values).items():
        if value not in (None, USUAL[name]):
            return f"{name} is {value}, and the benchmark's is {USUAL[name]}"
    read = WEIGHTS.of(values)
    return "weights of int4" if read.get("precision") == "int4" or read.get("use_int4awq") else ""

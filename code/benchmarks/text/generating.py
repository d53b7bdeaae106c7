"""How texts are generated: what a workload's fields, or a generation config file, ask for, and the benchmark's own values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import MissingError, UsageError
from code.fields.consumer import Consumer
from code.rules.benchmark_facts import TextFacts
from code.rules.benchmarks import of_family

_ALL = of_family("text")
BEAMS = Consumer("text generation", ("num_beams", "llm_gen_config_path"), engine=True, benchmarks=_ALL)
LENGTHS = Consumer("text generation", ("min_new_tokens", "max_new_tokens", "llm_gen_config_path"), benchmarks=_ALL)
WEIGHTS = Consumer("benchmarks that generate text", ("precision", "use_int4awq", "prompt_lookup"), benchmarks=_ALL)
FROM_FILE = {"runtime_beam_width": "num_beams", "min_output_len": "min_new_tokens", "max_output_len": "max_new_tokens"}
"""Keys of a generation config file as NVIDIA's harness writes it, under "generation_config", and the fields they set."""


def from_file(path: str | None) -> dict[str, int]:
    """Field → value of a generation config file; nothing without one."""
    if not path:
        return {}
    try:
        content = jsonfile.read(Path(path))
        content = content.get("generation_config", content)
        return {name: int(content[key]) for key, name in FROM_FILE.items() if key in content}
    except OSError as error:
        raise MissingError(f"cannot read {path}", error.strerror or str(error), "correct --llm_gen_config_path") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no generation config", str(error), f"it takes {', '.join(FROM_FILE)}") from error


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


def _usual(text: TextFacts) -> dict[str, int]:
    """The benchmark's own values."""
    return {"num_beams": text.num_beams, "min_new_tokens": text.min_new_tokens, "max_new_tokens": text.max_new_tokens}


def generation(text: TextFacts, values: Mapping[str, Any], ends: Sequence[int]) -> dict[str, Any]:
    """How texts are generated: the benchmark's way unless fields say otherwise. UsageError for what cannot be.

    Args:
        ends: the tokens that end a text, the usual one first.
    """
    return _checked(asked(values), _usual(text), ends)


def open_reason(text: TextFacts, values: Mapping[str, Any]) -> str:
    """Why a result with these values is for the open division only; '' where it need not be."""
    usual = _usual(text)
    for name, value in asked(values).items():
        if value not in (None, usual[name]):
            return f"{name} is {value}, and the benchmark's is {usual[name]}"
    read = WEIGHTS.of(values)
    if read.get("prompt_lookup"):
        return f"prompt-lookup decoding with {read.get('prompt_lookup')} tokens"
    return "weights of int4" if read.get("precision") == "int4" or read.get("use_int4awq") else ""


def _checked(given: Mapping[str, Any], usual: Mapping[str, int], ends: Sequence[int]) -> dict[str, Any]:
    """The generation settings of run.json's data set.

    Args:
        given: num_beams, min_new_tokens and max_new_tokens as they were set; None where not.
        usual: the benchmark's own values.
        ends: the tokens that end a text, the usual one first.

    UsageError for values that cannot be.
    """
    beams, least, most = (int(value if given[name] is None else given[name]) for name, value in usual.items())
    for name, value in (("num_beams", beams), ("max_new_tokens", most)):
        if value < 1:
            raise UsageError(f"{name} cannot be {value}", "it is 1 or more", f"leave --{name} out for the benchmark's own")
    if not 0 <= least <= most:
        raise UsageError(
            f"min_new_tokens cannot be {least}", f"it is between 0 and max_new_tokens, which is {most}", "correct one of the two"
        )
    return {
        "num_beams": beams,
        "min_new_tokens": least,
        "max_new_tokens": most,
        "early_stopping": True,
        "eos": ends[0],
        "also_ends": list(ends[1:]),
    }

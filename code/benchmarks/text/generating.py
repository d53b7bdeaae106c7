"""Settings of text generation that a workload may change: from a file of another harness, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import MissingError, UsageError

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


def checked(given: Mapping[str, Any], usual: Mapping[str, int], ends: Sequence[int]) -> dict[str, Any]:
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

"""Systems by the names that people and folders use: a known name in any case, a system ID, or a result's system name."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from code.machine.accelerator import AcceleratorConfiguration
from code.systems.known_hardware import KnownGPU
from code.systems.system_list import KnownSystem, System

COUNT = re.compile(r"x(\d+)(?=$|-)")
COUNT_BEFORE = re.compile(r"(?:^|-)(\d+)x(?=[a-z])")
"""'4xh100', as some write it."""
MEMORY = re.compile(r"\d+gb")
FORMS = ("sxm", "pcie", "nvl")
FORM = re.compile(r"(sxm\d?|pcie|nvl|cts|\d+gb)")
SUFFIXES = re.compile(r"(-(trt|trtllm|dc|dynamo|\d+))+$")
"""What system folders add to the name of a machine: the runtime, its version, the category."""


def folded(name: str) -> str:
    """A name for comparison: case and separators are ignored."""
    return re.sub(r"[-_.\s]+", "-", name.strip()).lower().strip("-")


def same_system(first: str, second: str) -> bool:
    """Whether two names mean the same system: equal but for case, separators and a runtime's suffix."""
    one, other = folded(first), folded(second)
    return one == other or SUFFIXES.sub("", one) == SUFFIXES.sub("", other)


def known_system(name: str) -> System | None:
    """The known system that a name means: its own name or its system ID, in any case; current systems before retired ones."""
    exact = KnownSystem.get(name)
    if exact is not None:
        return exact
    wanted = folded(name)
    found = [system for system in KnownSystem if wanted in (folded(system.name), folded(system.system_id))]
    return min(found, key=lambda system: bool(system.retired), default=None)


def described_system(folder: str) -> System | None:
    """The system that a folder's name describes by its accelerators and their number, as 'ESC8000_H200_NVLx8' does.

    It has the folder's name, which results are filed under. None for a name without a known accelerator and a count.
    """
    text = folded(folder)
    counts = COUNT.findall(text) or COUNT_BEFORE.findall(text)
    gpu = _accelerator(COUNT_BEFORE.sub("-", text))
    if gpu is None or not counts or not 0 < int(counts[-1]) <= 1024:
        return None
    like = next((system for system in KnownSystem if system.accelerator == gpu), KnownSystem.placeholder(folder))
    layout = AcceleratorConfiguration({KnownGPU[gpu].value: int(counts[-1])})
    value = replace(like.value, accelerator_conf=layout, system_id=folder)
    return System(folder, value, accelerator=gpu, origin="a folder of configs")


def _accelerator(text: str) -> str | None:
    """The known GPU that a folded name names: its model, and as much of its form and memory as agrees."""
    best: tuple[int, int, str] | None = None
    for name, model, details in _models():
        if not re.search(rf"(?<![a-z0-9]){model}(?=$|-|x\d|sxm|pcie|nvl|\d+gb)", text):
            continue
        rank = (len(model), _agreement(text, details), name)
        if best is None or rank[:2] > best[:2]:
            best = rank
    return best[2] if best else None


def _agreement(text: str, details: tuple[str, ...]) -> int:
    """How well a GPU's form and memory fit a folded name: each that it names counts, each that it contradicts counts double against."""
    agreeing = sum(re.search(rf"{detail}(?![a-z0-9]*[a-z])", text) is not None or detail in text for detail in details)
    forms = any(form in text and form not in "".join(details) for form in FORMS if form != "nvl" or "nvl72" not in text)
    memory = any(MEMORY.fullmatch(detail) and MEMORY.search(text) and detail not in text for detail in details)
    return agreeing - 2 * forms - 2 * memory


@cache
def _models() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Every known GPU: its name, a pattern of its model, and its form and memory, folded."""
    out = []
    for known in KnownGPU:
        words = folded(known.name).split("-")
        place = next((i for i, word in enumerate(words) if i and FORM.fullmatch(word)), len(words))
        model = "-?".join(re.escape(word) for word in words[: 1 if words[0].startswith("gh") else place])
        out.append((known.name, model, tuple(words[place:])))
    return tuple(out)

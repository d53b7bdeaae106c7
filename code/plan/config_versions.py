"""Config versions: the settings that `--config_ver` names, or that --harness_type, --accuracy_target and --power_setting do.

A version is words in any order, joined by underscores: high_accuracy_triton, maxq_high_accuracy, custom_k_99_MaxP.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from code.common.constants import ALL_SETTINGS, AccuracyTarget, HarnessType, PowerSetting, WorkloadSetting
from code.common.errors import UsageError, unknown

Part = HarnessType | AccuracyTarget | PowerSetting

WORDS: dict[str, Part | None] = {
    "default": None,
    "high_accuracy": AccuracyTarget.k_99_9,
    "k_99_9": AccuracyTarget.k_99_9,
    "k_99": AccuracyTarget.k_99,
    "maxq": PowerSetting.MaxQ,
    "maxp": PowerSetting.MaxP,
    "triton": HarnessType.Triton,
    "triton_unified": HarnessType.TritonUnified,
    "hetero": HarnessType.HeteroMIG,
    "custom": HarnessType.Custom,
    "lwis": HarnessType.LWIS,
    "lon_node": None,
    "sut_node": None,
    "openvino": None,
}
"""Word of a version → the part of the setting that it selects; None for one that selects nothing."""
OWN = (HarnessType.Custom, HarnessType.LWIS)
"""Harness types that mean this project's harness; a version does not tell them apart."""
TARGETS = {target.value: target for target in AccuracyTarget}
LEFT_OUT = dict.fromkeys(
    ("lon_node", "sut_node"), "it names a node of the network division, which this harness does not run in"
) | {"openvino": "the runtime is an option of its own, --backend=openvino"}


@dataclass(frozen=True)
class Version:
    """One requested version: the parts it names, None for those it leaves open.

    Args:
        text: as it was written.
        left_out: words of it that are known and select nothing, other than 'default'.
    """

    text: str
    harness: HarnessType | None = None
    target: AccuracyTarget | None = None
    power: PowerSetting | None = None
    left_out: tuple[str, ...] = ()

    def filled(self, other: Version) -> Version:
        """This version, with what it leaves open as `other` names it."""
        return replace(
            self,
            harness=self.harness or other.harness,
            target=self.target or other.target,
            power=self.power or other.power,
        )

    def contradicts(self, other: Version) -> bool:
        """Whether both name a part, and not the same."""
        pairs = ((self.harness, other.harness), (self.target, other.target), (self.power, other.power))
        return any(mine and theirs and mine is not theirs for mine, theirs in pairs)

    def settings(self) -> list[WorkloadSetting]:
        """The settings that satisfy it, best first.

        After those that it names come, in this order, the same without a harness that this project does not have, and without MaxQ: a
        system may have a config for those alone.
        """
        target = self.target or AccuracyTarget.k_99
        harnesses = (*([self.harness] if self.harness and self.harness not in OWN else []), *OWN)
        powers = dict.fromkeys((self.power or PowerSetting.MaxP, PowerSetting.MaxP))
        return [WorkloadSetting(harness, target, power) for power in powers for harness in harnesses]


def parsed(word: str) -> Version:
    """The version that `word` names. UsageError that names the word, and the nearest version."""
    found = _words_of(word)
    parts: dict[type, tuple[str, Part]] = {}
    for name in found:
        part = WORDS[name]
        if part is None:
            continue
        before = parts.get(type(part))
        if before is not None and before[1] is not part:
            raise UsageError(
                f"config version {word!r} contradicts itself",
                f"{before[0]} and {name} exclude each other",
                "keep one",
                "--config_ver",
            )
        parts[type(part)] = (name, part)
    chosen = {kind: part for kind, (_, part) in parts.items()}
    return Version(
        word,
        chosen.get(HarnessType),  # type: ignore[arg-type]
        chosen.get(AccuracyTarget),  # type: ignore[arg-type]
        chosen.get(PowerSetting),  # type: ignore[arg-type]
        tuple(name for name in found if name in LEFT_OUT),
    )


def _words_of(word: str) -> list[str]:
    """The known words that a version consists of, in any order. UsageError where something else is left."""
    rest = re.sub(r"[-.\s]", "_", word.strip()).lower().replace("highaccuracy", "high_accuracy")
    found: list[str] = []
    while rest:
        hit = next((name for name in _longest() if rest == name or rest.startswith(f"{name}_")), None)
        if hit is None:
            raise unknown("config version", word, _names(), "--config_ver", listing=True)
        found.append(hit)
        rest = rest[len(hit) :].strip("_")
    if not found:
        raise unknown("config version", word, _names(), "--config_ver", listing=True)
    return found


def by_parts(harness_type: str | None, accuracy_target: float | None, power_setting: str | None) -> Version:
    """The version that --harness_type, --accuracy_target and --power_setting name. UsageError for a target that is none."""
    target = None
    if accuracy_target is not None:
        share = accuracy_target if accuracy_target <= 1 else accuracy_target / 100
        target = next((found for value, found in TARGETS.items() if abs(share - value) < 1e-9), None)
        if target is None:
            raise UsageError(
                f"accuracy_target cannot be {accuracy_target:g}",
                "MLPerf has 0.99 and 0.999",
                "choose one of them",
                "--accuracy_target",
            )
    harness = HarnessType.get_match(harness_type) if harness_type and harness_type != "auto" else None
    power = PowerSetting.get_match(power_setting) if power_setting else None
    return Version("", harness, target, power)


def versions(words: Sequence[str], parts: Version) -> list[Version]:
    """The requested versions, each once; what a word leaves open is as the separate options name it."""
    found = [parsed(word).filled(parts) for word in words]
    return [one for i, one in enumerate(found) if one.settings() not in [before.settings() for before in found[:i]]]


def every() -> list[list[WorkloadSetting]]:
    """Every version, as the settings of that very name."""
    by_name: dict[str, list[WorkloadSetting]] = {}
    for setting in ALL_SETTINGS:
        by_name.setdefault(setting.config_ver(), []).append(setting)
    return list(by_name.values())


def notes(words: Sequence[str], parts: Version) -> list[str]:
    """What of the versions is not used, each with the reason."""
    out = []
    for one in [parsed(word) for word in words if word.lower() != "all"]:
        out += [f"config version {one.text!r}: {name} is left out: {LEFT_OUT[name]}" for name in one.left_out]
        if one.contradicts(parts):
            out.append(f"config version {one.text!r} goes before --harness_type, --accuracy_target and --power_setting")
    return out


def instead(asked: WorkloadSetting, found: WorkloadSetting, system: str) -> str:
    """Why a config is of another setting than the one asked for; '' if it is of that one."""
    reasons = []
    if asked.harness_type is HarnessType.HeteroMIG is not found.harness_type:
        reasons.append(f"{system} has no config for runs beside others")
    if asked.power_setting is not found.power_setting:
        reasons.append(f"{system} has no config for {asked.power_setting}; power limits and clocks stay as they are")
    return f"config version {asked.config_ver()!r} runs as {found.config_ver()!r}: {'; '.join(reasons)}" if reasons else ""


def _longest() -> list[str]:
    return sorted(WORDS, key=len, reverse=True)


def _names() -> list[str]:
    return [*dict.fromkeys(setting.config_ver() for setting in ALL_SETTINGS), *LEFT_OUT, "all"]

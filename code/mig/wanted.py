"""What MIG=… asks for: slices of each GPU."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from code.common.errors import UsageError, unknown
from code.mig.state import Gpu, Profile
from code.systems.data.migs import MIGS
from code.systems.system_list import KnownSystem

EXAMPLE = 'write the slices of each GPU, such as MIG="1g.10gb:7" or MIG="3g.40gb:1,1g.10gb:4"'
ITEM = re.compile(r"(?P<profile>[0-9]{1,3}|[0-9]g\.[0-9]{1,5}gb[a-z+.\-]*)(?::(?P<count>[0-9]{1,3}))?")


@dataclass(frozen=True)
class Wanted:
    """Slices of one profile.

    Args:
        profile: its name or number.
        count: how many of each GPU; None: as many as fit.
        total: how many on all GPUs together, as a system's name tells; None: `count` of each.
    """

    profile: str
    count: int | None = None
    total: int | None = None


def parse(text: str) -> list[Wanted]:
    """The items of '1g.10gb:7', '3g.40gb:1,1g.10gb:4' or a MIG system's name. UsageError for anything else."""
    if not text.strip():
        raise UsageError("no slices given", "MIG names them", EXAMPLE)
    if re.search(r"[_-]MIG[_-]", text, re.IGNORECASE):
        return [_of_system(text.strip())]
    found: list[Wanted] = []
    for word in (part.strip().removeprefix("MIG-") for part in text.split(",")):
        hit = ITEM.fullmatch(word.lower())
        if hit is None or hit["count"] == "0" or any(one.profile == hit["profile"] for one in found):
            raise UsageError(f"MIG={text} cannot be read", f"{word!r} is not PROFILE:COUNT, each profile once", EXAMPLE)
        found.append(Wanted(hit["profile"], int(hit["count"]) if hit["count"] else None))
    if sum(one.count is None for one in found) > 1:
        raise UsageError(f"MIG={text} cannot be read", "only one profile can have as many as fit", EXAMPLE)
    return found


def _of_system(name: str) -> Wanted:
    """The slices of a known system."""
    systems = [one for one in KnownSystem if one.accelerator in MIGS]
    found = next((one for one in systems if name.lower() in (one.name.lower(), one.system_id.lower())), None)
    if found is None:
        raise unknown("MIG system", name, [one.name for one in systems], "MIG")
    return Wanted(MIGS[found.accelerator].profile, total=found.accelerators)


def shares(wanted: Sequence[Wanted], gpus: Sequence[Gpu]) -> list[dict[str, int]]:
    """The slices of each GPU, by profile name.

    UsageError for a profile that a GPU does not have, or more slices than it has room for. Profiles of a GPU whose MIG mode is off may
    not be known yet: then a count that is left open stays 0.
    """
    left = {one.profile: one.total for one in wanted if one.total is not None}
    out = []
    for gpu in gpus:
        share: dict[str, int] = {}
        for one in wanted:
            profile = profile_of(gpu, one.profile)
            count = _count(one, profile, left.get(one.profile))
            if profile and count > profile.most:
                raise _too_many(gpu, f"{count} × {profile.name}", f"it holds {profile.most} of them")
            if one.total is not None:
                left[one.profile] -= count
            share[profile.name if profile else one.profile] = count
        _require_room(gpu, share)
        out.append(share)
    short = {name: count for name, count in left.items() if count}
    if short:
        words = ", ".join(f"{count} × {name}" for name, count in short.items())
        raise UsageError(f"{words} are left over", f"{len(gpus)} GPUs have no room for them", "choose more GPUs with --devices")
    return out


def _count(wanted: Wanted, profile: Profile | None, left: int | None) -> int:
    """How many slices a GPU gets.

    Args:
        left: of those for all GPUs together, how many no GPU has yet; None where each GPU has its own.
    """
    if left is not None:
        return min(left, profile.most) if profile else left
    return (profile.most if profile else 0) if wanted.count is None else wanted.count


def profile_of(gpu: Gpu, word: str) -> Profile | None:
    """A GPU's profile by name or number; None where its profiles are not known. UsageError for one that it does not have."""
    hit = next((one for one in gpu.profiles if word in (one.name, str(one.id))), None)
    if hit is None and gpu.profiles:
        error = unknown("MIG profile", word, [one.name for one in gpu.profiles], "MIG")
        error.why = f"{gpu.label} has {', '.join(one.name for one in gpu.profiles)}"
        raise error
    return hit


def _require_room(gpu: Gpu, share: dict[str, int]) -> None:
    """UsageError where the compute slices of a GPU are fewer than those of its share."""
    there = max((one.slices for one in gpu.profiles), default=0)
    known = {one.name: one.slices for one in gpu.profiles}
    asked = sum(known.get(name, 0) * count for name, count in share.items())
    if there and asked > there:
        words = ", ".join(f"{count} × {name}" for name, count in share.items())
        raise _too_many(gpu, words, f"they have {asked} compute slices together, and it has {there}")


def _too_many(gpu: Gpu, words: str, why: str) -> UsageError:
    return UsageError(f"{gpu.label} has no room for {words}", why, "ask for fewer or smaller slices")

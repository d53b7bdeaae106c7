"""Cuts GPUs into slices, and puts back what was there: all GPUs or none, and none that is in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.mig import journal
from code.mig.driver import AS_ROOT, Driver, commands
from code.mig.journal import Kept
from code.mig.state import Gpu
from code.mig.wanted import Wanted, profile_of, shares

Reread = Callable[[Gpu], Gpu]
"""A GPU as it is now."""


def chosen(gpus: Sequence[Gpu], devices: str) -> list[Gpu]:
    """The GPUs that --devices selects by number or UUID, all by default. UsageError for one that does not exist."""
    if devices.strip().lower() in ("", "all"):
        return list(gpus)
    found: list[Gpu] = []
    for word in (part.strip() for part in devices.split(",")):
        hit = [one for one in gpus if word == str(one.index) or (len(word) > 4 and one.uuid.startswith(word))]
        if len(hit) != 1:
            known = ", ".join(str(one.index) for one in gpus) or "none"
            raise UsageError(f"no GPU {word}", f"this machine's GPUs are {known}", "write --devices=0,1 or their UUIDs")
        found += [one for one in hit if one not in found]
    return found


def require_free(gpus: Sequence[Gpu]) -> None:
    """UsageError for a GPU without MIG, MissingError for one that is in use, awaits a reset, or may not be changed."""
    if not gpus:
        raise MissingError("there is no GPU to cut", "this machine has none", "check the driver with `make doctor`")
    for gpu in gpus:
        if gpu.on is None:
            raise UsageError(f"{gpu.label} has no MIG mode", "GPUs have it from A100 and A30 on", "choose others with --devices")
        if gpu.processes:
            raise MissingError(
                f"{gpu.label} is in use and is left alone",
                f"on it run {', '.join(gpu.processes)}",
                "wait for them, or choose other GPUs with --devices",
            )
        if gpu.refused:
            raise MissingError(f"{gpu.label} cannot be changed: no right to do so", gpu.refused, AS_ROOT)
        if gpu.on is not gpu.pending:
            raise _awaits_reset(gpu)


def rehearsed(gpus: Sequence[Gpu], wanted: Sequence[Wanted]) -> list[str]:
    """The commands that cut GPUs by hand; none for those that are cut so already."""
    lines: list[str] = []
    for gpu, share in zip(gpus, shares(wanted, gpus), strict=True):
        if _is_cut(gpu, share) or _left_out(share, wanted):
            continue
        by_hand = commands(gpu)
        steps = [] if gpu.on else [by_hand.mode(True)]
        steps += [command for one in gpu.instances or () for command in by_hand.destroy(one.id)]
        steps += [by_hand.create(name) for name in _order(gpu, share) for _ in range(share[name])]
        lines += [" ".join(step) for step in steps]
    return lines


def put_back_commands(gpu: Gpu, kept: Kept) -> list[str]:
    """The commands that put a GPU back by hand."""
    by_hand = commands(gpu)
    steps = [command for one in gpu.instances or () for command in by_hand.destroy(one.id)]
    steps += [by_hand.create(one.profile, one.start) for one in kept.before]
    steps += [] if kept.on else [by_hand.mode(False)]
    return [" ".join(step) for step in steps]


def configure(gpus: Sequence[Gpu], wanted: Sequence[Wanted], driver: Driver, reread: Reread) -> list[str]:
    """Cut GPUs; a line for each. What they were is kept first, and put back where one cannot be cut.

    Raises:
        UsageError: a profile or a count that a GPU does not have.
        MissingError: a GPU is in use, or there is no right to change it.
        RunError: the driver did not do it.
    """
    require_free(gpus)
    planned = shares(wanted, gpus)
    touched: list[Gpu] = []
    lines = []
    try:
        for number, gpu in enumerate(gpus):
            if _left_out(planned[number], wanted):
                continue
            if _is_cut(gpu, planned[number]):
                lines.append(f"{gpu.label} has {_words(planned[number])} already")
                continue
            touched.append(gpu)
            _keep(gpu)
            now = _in_mode(gpu, driver, reread)
            if not gpu.profiles:  # a GPU tells its profiles in MIG mode only
                fresh = [reread(one) if i >= number else one for i, one in enumerate(gpus)]
                planned[number:] = shares(wanted, fresh)[number:]
            lines.append(_cut(now, planned[number], driver, reread))
    except HarnessError:
        for gpu in reversed(touched):
            kept = journal.read(gpu)
            if kept is not None:
                put_back(reread(gpu), kept, driver)
                journal.forget(gpu)
        raise
    return lines


def _cut(gpu: Gpu, share: dict[str, int], driver: Driver, reread: Reread) -> str:
    for one in gpu.instances or ():
        driver.destroy(gpu, one)
    for name in _order(gpu, share):
        profile = profile_of(gpu, name)
        if profile is None:
            raise RunError(f"{gpu.label} names no MIG profiles", "its MIG mode is on", "check the driver with `make doctor`")
        for _ in range(share[name]):
            driver.create(gpu, profile.id)
    now = reread(gpu)
    if not _is_cut(now, share):
        raise RunError(f"{gpu.label} has {_words(now.counts())}", f"it was cut into {_words(share)}", "see `make mig_status`")
    kept = journal.read(gpu)
    if kept is not None:
        journal.write(gpu, Kept(kept.uuid, kept.on, kept.before, now.instances))
    return f"{gpu.label} has {_words(share)}"


def put_back(gpu: Gpu, kept: Kept, driver: Driver) -> None:
    """Make a GPU what it was. RunError where the driver does not do it: the journal stays."""
    before = sorted(one.place for one in kept.before)
    if sorted(one.place for one in gpu.instances or ()) != before:
        for one in gpu.instances or ():
            driver.destroy(gpu, one)
        for one in kept.before:
            driver.create(gpu, one.profile, one.start, one.compute)
    if gpu.on is not kept.on or gpu.pending is not kept.on:
        driver.mode(gpu, kept.on)


def teardown(gpus: Sequence[Gpu], driver: Driver, everything: bool = False) -> list[str]:
    """Put back what GPUs were before configure_mig; a line for each.

    Args:
        everything: remove all slices instead, also of GPUs that configure_mig did not cut.

    MissingError where nothing is kept of any GPU, one is in use, or there is no right; UsageError for a GPU that somebody has cut since.
    """
    kept = [(gpu, journal.read(gpu)) for gpu in gpus]
    doomed = [(gpu, one) for gpu, one in kept if one is not None or (everything and gpu.instances)]
    if not doomed:
        raise MissingError(
            "no GPU here was cut by configure_mig",
            "what it was is kept when it cuts one, until the machine restarts",
            "make teardown_mig MIG=all removes all slices of GPUs that are not in use",
        )
    require_free([gpu for gpu, _ in doomed])
    lines = []
    for gpu, one in doomed:
        lines.append(_emptied(gpu, driver) if everything or one is None else _restored(gpu, one, driver))
        journal.forget(gpu)
    return lines


def _emptied(gpu: Gpu, driver: Driver) -> str:
    for instance in gpu.instances or ():
        driver.destroy(gpu, instance)
    return f"{gpu.label}: {len(gpu.instances or ())} slices removed"


def _restored(gpu: Gpu, kept: Kept, driver: Driver) -> str:
    if not kept.ours(gpu):
        raise UsageError(
            f"{gpu.label} has other slices than configure_mig made: {_words(gpu.counts())}",
            "somebody has cut it since",
            "make teardown_mig MIG=all removes them",
        )
    put_back(gpu, kept, driver)
    names = [gpu.profile(one.profile) for one in kept.before]
    return f"{gpu.label} is what it was: {_words({name: names.count(name) for name in names}) if kept.on else 'MIG mode off'}"


def _keep(gpu: Gpu) -> None:
    """Keep what a GPU is; what was kept before stays, where the GPU is still as configure_mig made it."""
    earlier = journal.read(gpu)
    if earlier is not None and earlier.ours(gpu):
        journal.write(gpu, Kept(gpu.uuid, earlier.on, earlier.before))
    else:
        journal.write(gpu, Kept(gpu.uuid, bool(gpu.on), gpu.instances or ()))


def _in_mode(gpu: Gpu, driver: Driver, reread: Reread) -> Gpu:
    """The GPU with MIG mode on. RunError where it has to be reset first."""
    if gpu.on:
        return gpu
    driver.mode(gpu, True)
    now = reread(gpu)
    if not now.on:
        raise _awaits_reset(now)
    return now


def _awaits_reset(gpu: Gpu) -> RunError:
    return RunError(
        f"MIG mode of {gpu.label} changes when the GPU is reset",
        "a program holds it, such as a monitoring service, or it cannot be reset while the machine runs",
        f"sudo nvidia-smi --gpu-reset -i {gpu.index}, then the same command again",
    )


def _is_cut(gpu: Gpu, share: dict[str, int]) -> bool:
    """Whether a GPU has exactly these slices, each with one compute instance."""
    whole = all(len(one.compute) == 1 for one in gpu.instances or ())
    return bool(gpu.on) and whole and gpu.counts() == {name: count for name, count in share.items() if count}


def _left_out(share: dict[str, int], wanted: Sequence[Wanted]) -> bool:
    """Whether other GPUs have all slices of a system's name."""
    return all(one.total is not None for one in wanted) and not any(share.values())


def _order(gpu: Gpu, share: dict[str, int]) -> list[str]:
    """Profiles, largest first: a small slice in the wrong place leaves no room for a large one."""
    sizes = {one.name: one.slices for one in gpu.profiles}
    return sorted(share, key=lambda name: -sizes.get(name, int(name[0]) if name[0].isdigit() else 0))


def _words(counts: dict[str, int]) -> str:
    """'7 × 1g.10gb'."""
    return ", ".join(f"{count} × {name}" for name, count in counts.items() if count) or "no slices"

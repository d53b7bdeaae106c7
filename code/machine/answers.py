"""What the probes of code/machine/probes.py answer: the door through which captures of other machines pass."""

from __future__ import annotations

from typing import Any

from code.common.typed import Shape, choice, flag, listing, mapping, real, record, whole, words

NAME, UUID, PROFILE = words(200), words(80), words(40)
BYTES = whole(0, 2**50)
SMALL = whole(0, 2**16)
CLOCK = whole(0, 10**5)
WATTS = real(0, 10**5)

_PROCESS = record({"pid": whole(0, 2**32)}, {"name": NAME, "memory_bytes": BYTES})
_SLICE = record({}, {"name": NAME, "uuid": UUID, "profile": PROFILE, "gpcs": SMALL, "memory_bytes": BYTES})
_GPU = record(
    {},
    {
        "index": whole(0, 4095),
        "name": NAME,
        "uuid": UUID,
        "pci_id": words(20),
        "pci_bus_id": words(20),
        "memory_bytes": BYTES,
        "memory_used_bytes": BYTES,
        "memory_bandwidth_gb_s": real(0, 10**6),
        "pcie_generation": SMALL,
        "pcie_width": SMALL,
        "pcie_width_now": SMALL,
        "compute_capability": listing(whole(0, 99), exactly=2),
        "power_limit_max_w": WATTS,
        "power_limit_w": WATTS,
        "ecc": flag(),
        "persistence": flag(),
        "sm_clock_max_mhz": CLOCK,
        "sm_clock_mhz": CLOCK,
        "sm_clock_application_mhz": CLOCK,
        "sm_clock_default_mhz": CLOCK,
        "throttle_reasons": whole(0, 2**64 - 1),
        "temperature_c": whole(-273, 1000),
        "cpu_affinity": listing(whole(0, 2**16)),
        "numa_node": SMALL,
        "nvlinks": SMALL,
        "nvswitch": flag(),
        "processes": listing(_PROCESS),
        "mig_enabled": flag(),
        "mig_devices": listing(_SLICE),
    },
)

_PROFILE = record({"id": SMALL, "name": PROFILE, "slices": SMALL, "most": SMALL}, {"free": SMALL})
_INSTANCE = record({"id": SMALL, "profile": SMALL, "start": SMALL, "size": SMALL}, {"compute": listing(SMALL)})
_CUT = record(
    {"index": whole(0, 4095)},
    {
        "uuid": UUID,
        "name": NAME,
        "current": flag(),
        "pending": flag(),
        "profiles": listing(_PROFILE),
        "instances": listing(_INSTANCE),
        "slices": listing(record({}, {"uuid": UUID, "profile": PROFILE, "instance": SMALL})),
        "processes": listing(_PROCESS),
        "refused": words(),
    },
)

ANSWERS: dict[str, Shape] = {
    "affinity": listing(whole(0, 2**16)),
    "architecture": words(40),
    "clock": record({}, {"behind_files": real(0, 1e12)}),
    "files": listing(
        record({"path": words(), "exists": flag(), "digest": choice("same", "differs", "none")}, {"size": whole(0, 2**53)})
    ),
    "limits": mapping(whole(-1, 2**64 - 1)),
    "mig": record({}, {"absent": words(), "error": words(), "gpus": listing(_CUT, most=4096)}),
    "nvml": record(
        {},
        {
            "absent": words(),
            "error": words(),
            "driver_version": NAME,
            "cuda_version": NAME,
            "nvml_version": NAME,
            "gpus": listing(_GPU, most=4096),
        },
    ),
    "packages": mapping(words(100)),
    "peaks": record({}, {"gflops": mapping(real(0, 1e9)), "when": real(0, 1e11)}),
    "storage": record({"exists": flag(), "writable": flag()}, {"free_bytes": whole(0, 2**63)}),
    "user": record({"root": flag(), "groups": listing(words(200))}),
}
"""Probe → the shape of its answer."""


def checked(name: str, answer: Any, notes: list[str]) -> Any:
    """The answer of a probe in its shape, None for one that does not have it or for an unknown probe; notes say what was dropped."""
    shape = ANSWERS.get(name)
    return None if answer is None or shape is None else shape.read(answer, name, notes)

"""The MLPerf description of a system (`systems/<system id>.json`), filled with what was detected.

Fields that the official checker requires and that cannot be detected stay empty and are listed under "todo" until they are filled in;
`unfinished` tells what is still open, and `for_submission` gives the description as a submission carries it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.constants import Memory
from code.common.errors import MissingError, UsageError
from code.common.files import write_json
from code.common.paths import project_root
from code.common.typed import natural
from code.machine.accelerator import GPU, MIG
from code.machine.detect import DetectedSystem
from code.machine.sources import Machine
from code.systems.data.description_fields import ALLOWED, HINTS, MEANINGFUL, REQUIRED
from code.systems.data.gpus import GPUS
from code.systems.data.migs import MIGS
from code.systems.estimate import known_name

NOT_APPLICABLE = "N/A"
TODO = "todo"


def description_path(system_id: str) -> Path:
    """Path of a system's description."""
    return project_root() / "systems" / f"{system_id}.json"


def describe(detected: DetectedSystem, system_name: str) -> dict[str, Any]:
    """A description of the machine with every required field; "" for fields to fill in by hand."""
    content: dict[str, Any] = dict.fromkeys(REQUIRED, "")
    content.update(
        number_of_nodes=1,
        system_name=system_name,
        system_type_detail=NOT_APPLICABLE,
        host_networking_topology=NOT_APPLICABLE,
        **_host(detected),
        **_storage(detected.machine),
        **_network(detected.machine),
        **_software(detected),
        **_accelerators(detected),
    )
    content[TODO] = unfinished(content)
    return content


def unfinished(content: dict[str, Any]) -> list[str]:
    """Fields that the official checker would reject, one line each: "<field>: <expected value>"."""
    found = []
    for name in REQUIRED:
        value = content.get(name)
        if name in ALLOWED and str(value or "").lower() not in ALLOWED[name]:
            found.append(f"{name}: {', '.join(ALLOWED[name])}")
        elif name not in content or (name in MEANINGFUL and not value):
            found.append(f"{name}: {HINTS.get(name, 'required')}")
    return found


def read_description(path: Path) -> dict[str, Any]:
    """Read a description. Raises MissingError if there is none, UsageError if it is not a JSON object."""
    try:
        content = jsonfile.read(path)
    except FileNotFoundError as error:
        step = "write one with: make add_system NAME=<name>"
        raise MissingError(f"cannot read the system description {path}", "the file does not exist", step) from error
    except ValueError as error:
        where = f"{path}:{getattr(error.__cause__, 'lineno', 1)}"
        raise UsageError(f"the system description {path} is not valid JSON", str(error), "correct the file", where) from error
    if not isinstance(content, dict):
        raise UsageError(f"the system description {path} is not a JSON object", "", "correct the file", str(path))
    return content


def for_submission(content: dict[str, Any]) -> dict[str, Any]:
    """The description in a submission's form. Raises UsageError while fields are still empty."""
    missing = unfinished(content)
    if missing:
        why = f"{len(missing)} fields are empty or have a value that is not allowed: {'; '.join(missing)}"
        raise UsageError("the system description is incomplete", why, "fill them in")
    return {name: value for name, value in content.items() if name != TODO}


def write_description(path: Path, content: dict[str, Any]) -> None:
    """Write a description, preserving values entered by hand.

    Non-empty values of an existing file take precedence, so that rewriting after an edit loses nothing.
    """
    merged = dict(content)
    if path.is_file():
        merged.update({name: value for name, value in read_description(path).items() if name != TODO and value not in ("", None)})
    merged[TODO] = unfinished(merged)
    write_json(path, merged)


def _host(detected: DetectedSystem) -> dict[str, Any]:
    processors = detected.processors
    capacity = Memory.to_1024_base(detected.memory_total_bytes)
    frequency = "" if processors.max_mhz is None else f"{processors.max_mhz / 1000:.2f} GHz (maximum)"
    return {
        "host_processor_model_name": processors.model,
        "host_processors_per_node": processors.sockets,
        "host_processor_core_count": processors.cores_per_socket,
        "host_processor_frequency": frequency,
        "host_processor_caches": "; ".join(processors.caches),
        "host_memory_capacity": f"{capacity.quantity:.0f} {capacity.byte_suffix.name}" if capacity.quantity else "",
    }


def _storage(machine: Machine) -> dict[str, Any]:
    ran = machine.command("lsblk", "-b", "-d", "-n", "-o", "NAME,SIZE,ROTA,TRAN,TYPE")
    total, kinds = 0, []
    for line in "" if ran is None else ran.stdout.splitlines():
        words = line.split()
        if (
            len(words) >= 4
            and words[-1] == "disk"
            and natural(words[1]) is not None
            and not words[0].startswith(("loop", "zram", "ram"))
        ):
            total += natural(words[1]) or 0
            transport = words[3] if len(words) > 4 else ""
            kind = _disk_kind(words[0], transport, words[2] == "1")
            if kind not in kinds:
                kinds.append(kind)
    size = Memory.to_1000_base(total)
    return {
        "host_storage_capacity": f"{size.quantity:.0f} {size.byte_suffix.name}" if total else "",
        "host_storage_type": ", ".join(kinds),
    }


def _disk_kind(name: str, transport: str, rotates: bool) -> str:
    if name.startswith(("vd", "xvd")):
        return "virtual disk"
    if name.startswith("nvme") or transport == "nvme":
        return "NVMe SSD"
    return "HDD" if rotates else "SSD"


def _network(machine: Machine) -> dict[str, Any]:
    """Physical network cards (no bridges or tunnels), with their speeds in Mbit/s if the kernel knows them."""
    root = "/sys/class/net"
    speeds = []
    for name in machine.entries(root):
        if machine.text(f"{root}/{name}/device/uevent") is None:
            continue
        speed = machine.text(f"{root}/{name}/speed")
        speeds.append(natural(speed) or 0)
    if not speeds:
        return {}
    parts = []
    for rate in sorted(set(speeds), reverse=True):
        shown = f"{rate // 1000}Gbe" if rate >= 1000 else f"{rate} Mbit/s" if rate else "(speed unknown)"
        parts.append(f"{speeds.count(rate)}x {shown}")
    fastest = max(speeds)
    return {
        "host_network_card_count": ", ".join(parts),
        "host_networking": f"Ethernet, {fastest // 1000} Gbit/s" if fastest >= 1000 else "Ethernet",
    }


def _software(detected: DetectedSystem) -> dict[str, Any]:
    machine, devices = detected.machine, detected.devices
    packages = machine.probe("packages") or {}
    titles = (
        {"tensorrt": "TensorRT"} if detected.gpus else {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime"}
    )  # the default runtime of that kind of system first
    runtimes = [f"{title} {packages[name]}" for name, title in titles.items() if name in packages]
    stack = list(runtimes)
    if devices.cuda_version:
        stack += [f"CUDA {devices.cuda_version}", f"Driver {devices.driver_version}"]
    stack += [f"{title} {packages[name]}" for name, title in {"mlcommons-loadgen": "LoadGen"}.items() if name in packages]
    return {
        "framework": runtimes[0] if runtimes else "",
        "operating_system": _operating_system(machine),
        "other_software_stack": ", ".join(stack),
    }


def _operating_system(machine: Machine) -> str:
    for line in (machine.text("/etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip('"')
    return ""


def _accelerators(detected: DetectedSystem) -> dict[str, Any]:
    names = [name for name in REQUIRED if name.startswith("accelerator_")]
    if not detected.gpus:
        # The checker rejects an empty value, and treats the number zero as one.
        return {"accelerators_per_node": "0", **dict.fromkeys(names, NOT_APPLICABLE)}
    device = detected.gpus[0]
    facts, kind = device.facts, device.kind
    vram = kind.vram.pretty_string() if isinstance(kind.vram, Memory) else "shared with the host"
    generation, width = facts.get("pcie_generation"), facts.get("pcie_width")
    links = facts.get("nvlinks") or 0
    clock = facts.get("sm_clock_max_mhz")
    return {
        "accelerators_per_node": len(detected.gpus),
        "accelerator_model_name": str(kind.name),
        "accelerator_memory_capacity": vram,
        "accelerator_memory_configuration": _memory_kind(kind),
        "accelerator_frequency": f"{clock} MHz (maximum)" if clock else "",
        "accelerator_host_interconnect": f"PCIe Gen{generation} x{width}" if generation and width else "",
        "accelerator_interconnect": f"{links} NVLinks" if links else NOT_APPLICABLE,
    }


def _memory_kind(kind: GPU) -> str:
    name = known_name(kind)
    if isinstance(kind, MIG):
        name = MIGS[name].parent if name in MIGS else ""
    return GPUS[name].memory_kind if name in GPUS else ""

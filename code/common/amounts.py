"""Amounts of memory, as config files write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, unique


@unique
class ByteSuffix(Enum):
    """Byte units: KB is 1000 bytes, KiB is 1024."""

    B = (1, 0)
    KB = (1000, 1)
    MB = (1000, 2)
    GB = (1000, 3)
    TB = (1000, 4)
    KiB = (1024, 1)
    MiB = (1024, 2)
    GiB = (1024, 3)
    TiB = (1024, 4)

    def to_bytes(self) -> int:
        """Bytes per unit."""
        base, power = self.value
        return int(base**power)


@dataclass(frozen=True)
class Memory:
    """An amount of memory, `quantity` units of `byte_suffix`."""

    quantity: float
    byte_suffix: ByteSuffix

    def to_bytes(self) -> int:
        """The amount in bytes."""
        return int(self.quantity * self.byte_suffix.to_bytes())

    @classmethod
    def from_bytes(cls, count: int) -> Memory:
        """The amount in the largest decimal unit that gives at least one."""
        return cls.to_1000_base(count)

    @classmethod
    def to_1000_base(cls, count: float) -> Memory:
        """`count` bytes in the largest decimal unit that gives at least one."""
        for unit in (ByteSuffix.TB, ByteSuffix.GB, ByteSuffix.MB, ByteSuffix.KB):
            if count >= unit.to_bytes():
                return cls(count / unit.to_bytes(), unit)
        return cls(float(count), ByteSuffix.B)

    @classmethod
    def to_1024_base(cls, count: float) -> Memory:
        """`count` bytes in the largest binary unit that gives at least one."""
        for unit in (ByteSuffix.TiB, ByteSuffix.GiB, ByteSuffix.MiB, ByteSuffix.KiB):
            if count >= unit.to_bytes():
                return cls(count / unit.to_bytes(), unit)
        return cls(float(count), ByteSuffix.B)

    @classmethod
    def from_string(cls, text: str) -> Memory:
        """Read '40 GiB', '928.77GB' or '512 MB'. Raises ValueError for anything else."""
        found = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?i?B)\s*", text)
        if found is None:
            raise ValueError(f"{text!r} is not an amount of memory such as '40 GiB'")
        return cls(float(found.group(1)), ByteSuffix[found.group(2)])

    def pretty_string(self) -> str:
        """The amount with its unit: '928.77 GB'."""
        return f"{self.quantity:g} {self.byte_suffix.name}"

    def __repr__(self) -> str:
        return f"Memory(quantity={self.quantity}, byte_suffix=ByteSuffix.{self.byte_suffix.name}, _num_bytes={self.to_bytes()})"

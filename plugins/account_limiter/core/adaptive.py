"""A global limit that follows what the machine bears."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Reading:
    """How busy a machine is: ``load`` is what runs or wants to run for each CPU, as the mean of a minute, ``memory``
    the part of it that is still available."""

    load: float
    memory: float

    @classmethod
    def take(cls) -> Reading:
        """Of this machine, now; raises OSError where it cannot be read."""
        lines = (line.split() for line in _MEMINFO.read_text().splitlines())
        sizes = {name.rstrip(":"): int(size) for name, size, *_ in lines}
        return cls(os.getloadavg()[0] / (os.cpu_count() or 1), sizes["MemAvailable"] / sizes["MemTotal"])

    @property
    def direction(self) -> int:
        """-1: the limit is to come down, 1: it may go up, 0: it is right. Between them is room against swinging."""
        if self.load > 1.5 or self.memory < 0.10:
            return -1
        return int(self.load < 0.9 and self.memory > 0.20)

    def __str__(self) -> str:
        return f"load {self.load:.2f} a CPU, {self.memory:.0%} of the memory available"

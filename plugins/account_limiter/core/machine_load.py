"""The load of this machine, which the adaptive global limit follows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class MachineLoad:
    """Load and free memory of a machine.

    :param load: mean number of runnable processes of the last minute, divided by the number of CPUs.
    :param memory: share of the memory that is available, 0 to 1.
    """

    load: float
    memory: float

    @classmethod
    def measure(cls) -> MachineLoad:
        """Measure this machine now.

        :raises OSError: when the load or ``/proc/meminfo`` cannot be read.
        """
        lines = (line.split() for line in _MEMINFO.read_text().splitlines())
        sizes = {name.rstrip(":"): int(size) for name, size, *_ in lines}
        return cls(os.getloadavg()[0] / (os.cpu_count() or 1), sizes["MemAvailable"] / sizes["MemTotal"])

    @property
    def direction(self) -> Literal[-1, 0, 1]:
        """Return the step for the limit: -1 lower it, 1 raise it, 0 keep it.

        The thresholds for lowering and raising lie apart, so that the limit does not oscillate.
        """
        if self.load > 1.5 or self.memory < 0.10:
            return -1
        return 1 if self.load < 0.9 and self.memory > 0.20 else 0

    def __str__(self) -> str:
        return f"load {self.load:.2f} per CPU, {self.memory:.0%} of the memory available"

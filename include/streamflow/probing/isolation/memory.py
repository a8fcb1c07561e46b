"""The memory of the container or the machine: its size, and the processes that were ended for want of it."""

from __future__ import annotations

import re
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_MACHINE = Path("/proc")
_OWN_CGROUPS = Path("/proc/self/cgroup")
# A limit of version 1 that is none is nearly 2^63 bytes.
_NO_LIMIT = 1 << 60


def limit_bytes() -> int:
    """Return the bytes that all processes of this container may use; those of the machine where it has no limit."""
    limits = [
        limit
        for folder in _folders()
        for file in ("memory.max", "memory.limit_in_bytes")
        if (limit := _number(_text(folder / file))) is not None and limit < _NO_LIMIT
    ]
    return min([*limits, machine_bytes()])


def machine_bytes() -> int:
    """Return the bytes of memory of the machine."""
    return _of_machine("MemTotal")


def _of_machine(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", _text(_MACHINE / "meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else _NO_LIMIT


def available_bytes() -> int:
    """Return the bytes that processes of this container can still take, without those that the kernel can free."""
    free = [
        limit - max(0, used - _inactive_bytes(folder))
        for folder in _folders()
        for bound, use in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
        if (limit := _number(_text(folder / bound))) is not None
        and limit < _NO_LIMIT
        and (used := _number(_text(folder / use))) is not None
    ]
    return min([*free, _of_machine("MemAvailable")])


def _inactive_bytes(folder: Path) -> int:
    """Return the bytes of files in a cgroup's memory that nobody has used for a while (``memory.stat``)."""
    text = _text(folder / "memory.stat")
    # Version 1 counts those of the groups inside in ``total_inactive_file``, version 2 in ``inactive_file``.
    counts = [re.search(rf"^{name} (\d+)", text, re.MULTILINE) for name in ("total_inactive_file", "inactive_file")]
    return next((int(found[1]) for found in counts if found), 0)


def kills() -> int:
    """Return how many processes the kernel has ended for want of memory: in this container, else on this machine."""
    for folder in _folders():
        for file in ("memory.events", "memory.oom_control"):
            if counted := re.search(r"^oom_kill (\d+)", _text(folder / file), re.MULTILINE):
                return int(counted[1])
    counted = re.search(r"^oom_kill (\d+)", _text(_MACHINE / "vmstat"), re.MULTILINE)
    return int(counted[1]) if counted else 0


def _folders() -> list[Path]:
    """Return the folders of this process' memory cgroup and of those around it, the innermost first (``cgroups(7)``).

    A container sees its own cgroup as the root, or under the path that it has outside.
    """
    folders: list[Path] = []
    for line in _text(_OWN_CGROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            root = _CGROUPS / "memory" if controllers else _CGROUPS
            here = root / path.lstrip("/")
            folders += [here, *(one for one in here.parents if one.is_relative_to(root))]
    return folders


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None

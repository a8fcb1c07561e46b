"""The absence of Redis as this machine's tasks have seen it.

A check without a lease is safe only when all leases have ended, because their holders stop within ``lease_ttl`` when
they cannot renew. Each task asks for itself, so the begin of the absence is in a file that all of them share.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from streamflow.files import replacing

FILE = "redis-away"
# An absence that nobody has noted for this time has ended in the meantime.
FORGOTTEN_SECONDS = 120.0


@dataclass(frozen=True)
class Absence:
    """The present absence of Redis.

    :param home: the folder of StreamFlow's state.
    """

    home: Path

    def note(self) -> float:
        """Note that Redis is away, and return the seconds since it was first noted."""
        # The monotonic clock counts from the machine's start for all its processes, and is not set.
        now = time.monotonic()
        begun, noted = self._read() or (now, now)
        if not begun <= noted <= now or now - noted > FORGOTTEN_SECONDS:
            begun = now
        with replacing(self._file, durable=False) as file:
            file.write(f"{begun} {now}".encode())
        return now - begun

    def end(self) -> None:
        """Note that Redis responds."""
        self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.home / FILE

    def _read(self) -> tuple[float, float] | None:
        try:
            begun, noted = map(float, self._file.read_text().split())
        except (FileNotFoundError, ValueError):
            return None
        return begun, noted

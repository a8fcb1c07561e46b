"""Measure when the machine did not let this process run, so that the stream is not blamed for it.

Bytes that came in such a time were in the kernel's buffer and are noted late. All times are monotonic, in seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# How often it is looked. A healthy machine oversleeps by less than a millisecond.
TICK_SECONDS = 0.1
GRAIN_SECONDS = 0.02
# So long after it could run again, what had been buffered has been read.
CATCH_UP_SECONDS = 2.0


class StarvationMonitor:
    """The times in which a thread that wanted nothing but to wake up did not get to run.

    ``sleep`` waits for the given seconds, or answers True when it is to end.
    """

    def __init__(self, sleep: Callable[[float], bool] | None = None) -> None:
        self._stopping = threading.Event()
        self._sleep = sleep or self._stopping.wait
        self._spells: list[tuple[float, float]] = []
        self._due = float("inf")

    def start(self) -> None:
        threading.Thread(target=self.watch, name="lateness", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def watch(self) -> None:
        """Sleep and note each oversleeping, until stopped."""
        while not self._stopping.is_set():
            due = self._due = time.monotonic() + TICK_SECONDS
            if self._sleep(TICK_SECONDS):
                break
            self.note(due, time.monotonic())
        self._due = float("inf")

    def note(self, due: float, came: float) -> None:
        """Count the time from ``due`` to ``came`` as this process's own, if it is worth mentioning."""
        if came - due >= GRAIN_SECONDS:
            self._spells.append((due, came))

    def spells(self) -> list[tuple[float, float]]:
        """From when until when it was late, in order; the one that lasts included."""
        now, due = time.monotonic(), self._due
        lasting = [(due, now)] if now - due >= GRAIN_SECONDS else []
        return [*self._spells, *lasting]


def total(spells: list[tuple[float, float]], until: float = float("inf")) -> float:
    """Seconds of lateness before ``until``; what overlaps counts once."""
    seconds, reached = 0.0, float("-inf")
    for due, came in sorted(spells):
        begin, end = max(due, reached), min(came, until)
        seconds += max(0.0, end - begin)
        reached = max(reached, end)
    return seconds


def excused(spells: list[tuple[float, float]], at: float) -> float:
    """Seconds by which something that was noted ``at`` may have been there before."""
    return total([spell for spell in spells if spell[0] < at and spell[1] > at - CATCH_UP_SECONDS], at)

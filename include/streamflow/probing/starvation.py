"""Starvation: the times in which the machine did not let this process run, so that the stream is not blamed for it.

Bytes that arrive in such a time wait in the kernel's buffer and are noted late. All times are monotonic, in seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# The interval of the watch. A healthy machine oversleeps by less than a millisecond.
TICK_SECONDS = 0.1
GRAIN_SECONDS = 0.02
# Once the process runs again, buffered bytes have been read after this time.
CATCH_UP_SECONDS = 2.0


class StarvationMonitor:
    """Notes the times in which a thread that only sleeps was woken late.

    :param sleep: waits for the given seconds and returns whether the watch is to end.
    """

    def __init__(self, sleep: Callable[[float], bool] | None = None) -> None:
        self._stopping = threading.Event()
        self._sleep = sleep or self._doze
        self._spells: list[tuple[float, float]] = []
        self._due = float("inf")

    def start(self) -> None:
        """Begin to watch, in a thread."""
        threading.Thread(target=self.watch, name="starvation", daemon=True).start()

    def stop(self) -> None:
        """End the watch."""
        self._stopping.set()

    def _doze(self, seconds: float) -> bool:
        # An event's wait costs several times as much as a sleep, ten times a second.
        time.sleep(seconds)
        return self._stopping.is_set()

    def watch(self) -> None:
        """Sleep and note each time of oversleeping, until stopped."""
        while not self._stopping.is_set():
            due = self._due = time.monotonic() + TICK_SECONDS
            if self._sleep(TICK_SECONDS):
                break
            self.note(due, time.monotonic())
        self._due = float("inf")

    def note(self, due: float, came: float) -> None:
        """Note that the process should have run at ``due`` and ran at ``came``."""
        if came - due >= GRAIN_SECONDS:
            self._spells.append((due, came))

    def spells(self) -> list[tuple[float, float]]:
        """Return begin and end of each spell in order, including a spell that still lasts."""
        now, due = time.monotonic(), self._due
        lasting = [(due, now)] if now - due >= GRAIN_SECONDS else []
        return [*self._spells, *lasting]


def total(spells: list[tuple[float, float]], until: float = float("inf")) -> float:
    """Return the seconds of starvation before ``until``; where spells overlap, the time counts once."""
    seconds, reached = 0.0, float("-inf")
    for due, came in sorted(spells):
        begin, end = max(due, reached), min(came, until)
        seconds += max(0.0, end - begin)
        reached = max(reached, end)
    return seconds


def excused(spells: list[tuple[float, float]], at: float) -> float:
    """Return the seconds by which something that was noted at ``at`` may have arrived earlier."""
    return total([spell for spell in spells if spell[0] < at and spell[1] > at - CATCH_UP_SECONDS], at)

"""A clip that never ends: its loops in slices of a tenth of a second, with time stamps that run on."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import OrderedDict

from lab import mpegts
from lab.media import Clip

SLICE_SECONDS = 0.1
# A new timeline has been on the air for so long, so that there is a past to burst from.
ON_AIR_SECONDS = 60.0


class Timeline:
    """The endless stream made of one clip, on a clock that every connection shares.

    Slice ``n`` covers the time from ``n * slice_s`` after the start. ``first_ticks`` (90 kHz) is the program clock at
    the start; stamps wrap at 2**33 as the standard has it.
    """

    # Slices kept for the connections that are a little late.
    KEPT = 40

    def __init__(self, clip: Clip, first_ticks: int = 0, start: float | None = None) -> None:
        self.clip = clip
        self._first_ticks = first_ticks
        self.start = time.monotonic() - ON_AIR_SECONDS if start is None else start
        packets = len(clip.data) // mpegts.PACKET
        self._per_loop = max(1, round(clip.truth.duration_s / SLICE_SECONDS))
        self.slice_s = clip.truth.duration_s / self._per_loop
        self._edges = [number * packets // self._per_loop * mpegts.PACKET for number in range(self._per_loop + 1)]
        self._offsets = [stamp[0] for stamp in clip.stamps]
        self._made: OrderedDict[int, bytes] = OrderedDict()

    def now(self) -> int:
        """The number of the slice that is on the air now."""
        return int((time.monotonic() - self.start) / self.slice_s)

    def due_in(self, number: int) -> float:
        """Seconds until the slice's time has come; negative when it is past."""
        return self.start + number * self.slice_s - time.monotonic()

    def slice(self, number: int) -> bytes:
        """The packets of a slice, stamps rewritten; made once for all connections."""
        made = self._made.get(number)
        if made is None:
            loop, place = divmod(number, self._per_loop)
            made = self.cut(loop, self._edges[place], self._edges[place + 1])
            self._made[number] = made
            while len(self._made) > self.KEPT:
                self._made.popitem(last=False)
        return made

    def cut(self, loop: int, start: int, end: int) -> bytes:
        """The bytes from ``start`` to ``end`` of the clip as they are in the given loop."""
        data = bytearray(self.clip.data[start:end])
        shift = self._first_ticks + loop * self.clip.ticks
        stamps = self.clip.stamps[bisect_left(self._offsets, start) : bisect_left(self._offsets, end)]
        mpegts.patch(data, stamps, start, shift)
        return bytes(data)

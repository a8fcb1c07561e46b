"""An endless stream made of one clip, in slices of a tenth of a second with continuous time stamps."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import OrderedDict

from lab import mpegts
from lab.media import Clip

SLICE_SECONDS = 0.1
# A new timeline starts in the past, so that there are slices for the first burst.
ON_AIR_SECONDS = 60.0


class Timeline:
    """The endless stream of a clip, on a clock that all connections share.

    Slice ``n`` covers the time from ``n * slice_s`` after the start. Time stamps wrap at 2**33
    (ISO/IEC 13818-1, 2.4.3.7).

    :param first_ticks: the program clock at the start, in ticks of 90 kHz.
    :param start: the start on the monotonic clock. None means a minute ago.
    """

    # The number of recent slices that are kept for late connections.
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
        """Return the number of the slice that is on the air now."""
        return int((time.monotonic() - self.start) / self.slice_s)

    def due_in(self, number: int) -> float:
        """Return the seconds until a slice is due. They are negative for a past slice."""
        return self.start + number * self.slice_s - time.monotonic()

    def slice(self, number: int) -> bytes:
        """Return the packets of a slice with rewritten time stamps. All connections share them."""
        made = self._made.get(number)
        if made is None:
            loop, place = divmod(number, self._per_loop)
            made = self.cut(loop, self._edges[place], self._edges[place + 1])
            self._made[number] = made
            while len(self._made) > self.KEPT:
                self._made.popitem(last=False)
        return made

    def cut(self, loop: int, start: int, end: int) -> bytes:
        """Return the bytes of the clip from ``start`` to ``end``, with the time stamps of a loop."""
        data = bytearray(self.clip.data[start:end])
        shift = self._first_ticks + loop * self.clip.ticks
        stamps = self.clip.stamps[bisect_left(self._offsets, start) : bisect_left(self._offsets, end)]
        mpegts.patch(data, stamps, start, shift)
        return bytes(data)

"""Media time: frame rate, bitrate and playout from the packets' time stamps and arrivals. All times in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from streamflow.probing import starvation

# A step of decoding time beyond this, or back, is a discontinuity and no media time. A slide show may have a frame a
# second, give or take the grain of its stamps.
MAX_STEP = 1.05
# What a player keeps in hand before it starts.
PREBUFFER = 1.0
# The first seconds come in a burst from the server's buffer; the share of real time is told from after them.
BURST_SECONDS = 1.0
MIN_SHARE_SECONDS = 2.5
GRAIN_SECONDS = 0.05
RATES = tuple(
    Fraction(*rate)
    for rate in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1), (100, 1),
        (120000, 1001), (120, 1), (25, 2), (15, 1), (10, 1),
    )
)  # fmt: skip
SNAP = 0.0006


@dataclass
class Clock:
    """The media time of one elementary stream.

    ``media_s`` is the sum of the steps between packets, so that a jump of the stamps counts as no time.
    """

    media_s: float = 0.0
    discontinuities: int = 0
    steps: list[float] = field(default_factory=list)
    bytes: int = 0
    packets: int = 0
    _last: float | None = None

    def take(self, at: float | None, size: int) -> bool:
        """Note a packet of ``size`` bytes at decoding time ``at``, if it has one; False where the stamps jumped."""
        self.packets += 1
        self.bytes += size
        if at is None:
            return True
        last, self._last = self._last, at
        if last is None:
            return True
        step = at - last
        if step < -1e-6 or step > MAX_STEP:
            self.discontinuities += 1
            return False
        if step > 1e-6:
            self.steps.append(step)
            self.media_s += step
        return True

    @property
    def kbps(self) -> float | None:
        """Of the elementary stream: its bytes over its media time, the last packet's own time estimated."""
        if not self.steps:
            return None
        return self.bytes * 8 / 1000 / (self.media_s + median(self.steps) * (1 + self.discontinuities))


class Mark(NamedTuple):
    """A place in the container: its offset in bytes, the media time there, and how many jumps came before."""

    offset: int
    media_s: float
    jumps: int


def bitrate(marks: Sequence[Mark], least_s: float = 0.0) -> float | None:
    """Kilobits a second between the marks, without what lies around a jump; None if less than ``least_s`` is left."""
    steps = [(before, after) for before, after in pairwise(marks) if before.jumps == after.jumps]
    seconds = sum(after.media_s - before.media_s for before, after in steps)
    size = sum(after.offset - before.offset for before, after in steps)
    return size * 8 / 1000 / seconds if seconds > 0 and seconds >= least_s and size > 0 else None


def frame_rate(steps: list[float], interlaced: bool) -> tuple[float | None, bool]:
    """Frames a second from the steps of decoding time, and whether the rate varies.

    Fields that come as packets of their own are counted in pairs; lost frames don't lower the rate.
    """
    if len(steps) < 5:
        return None, False
    usual = median(steps)
    regular = [step for step in steps if abs(step - usual) <= 0.1 * usual]
    varies = len(regular) < 0.8 * len(steps)
    # One field after the other alternates around half a frame: then nothing is regular but the mean.
    rate = len(steps) / sum(steps) if varies else len(regular) / sum(regular)
    if interlaced and rate > 31:
        rate /= 2
    nearest = min(RATES, key=lambda known: abs(float(known) - rate))
    if abs(float(nearest) - rate) <= SNAP * rate:
        rate = float(nearest)
    return round(rate, 3), varies


@dataclass
class Playout:
    """Could this be watched? From pairs of arrival (wall time) and media time."""

    stall_s: float = 0.0
    stalls: int = 0
    share: float | None = None
    longest_gap_s: float = 0.0


def simulate_playout(
    arrivals: list[tuple[float, float]], end: float, late: Sequence[tuple[float, float]] = ()
) -> Playout:
    """Play ``(wall, media)`` pairs as a player with a second in hand would, until ``end`` (wall).

    ``share`` is the media time that came over the wall time it took, after the first burst; None if too short.
    ``late`` are the spells (wall) in which this process could not look: they count as no time of the stream's.
    """
    if not arrivals:
        return Playout()
    found = Playout()
    spells = list(late)
    first_wall, first_media = arrivals[0]
    lag = PREBUFFER
    for wall, media in [*arrivals, (end, arrivals[-1][1])]:
        behind = (wall - first_wall) - (media - first_media) - lag
        if spells and behind > GRAIN_SECONDS:
            behind -= starvation.excused(spells, wall)
        # Less than that is the grain of the sender's slices.
        if behind > GRAIN_SECONDS:
            found.stalls += behind > 0.2
            found.stall_s += behind
            lag += behind
    gaps = [after[0] - before[0] for before, after in pairwise(arrivals)]
    found.longest_gap_s = max([*gaps, end - arrivals[-1][0]])
    start = next(((wall, media) for wall, media in arrivals if wall - first_wall >= BURST_SECONDS), None)
    if start and end - start[0] >= MIN_SHARE_SECONDS:
        own = starvation.total(spells, end) - starvation.total(spells, start[0])
        came = arrivals[-1][1] - start[1]
        # Late or not, media that kept up with the clock kept up: no share above one is made of an excuse.
        found.share = max(came / (end - start[0]), min(1.0, came / max(end - start[0] - own, GRAIN_SECONDS)))
    return found

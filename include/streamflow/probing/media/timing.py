"""Media time: clock, frame rate and bitrate from the packets' time stamps. All times in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import NamedTuple

# A longer step of decoding time, or a step back, is a discontinuity and counts as no media time. A slide show may have
# one frame a second, give or take the grain of its time stamps.
MAX_STEP = 1.05
# A frame that announces its duration may last this long.
MAX_DURATION = 20.0
RATES = tuple(
    Fraction(*rate)
    for rate in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1), (100, 1),
        (120000, 1001), (120, 1), (25, 2), (15, 1), (10, 1),
    )
)  # fmt: skip
SNAP = 0.0006
_NEAR, _GRAIN = 0.1, 1e-6
# No interlaced format has more frames than this: a higher rate counts fields.
_MAX_INTERLACED_RATE = 31
_LEAST_STEPS = 5


@dataclass
class Stretch:
    """Packets in a row without a jump of the time stamps and without a change of format."""

    media_s: float = 0.0
    bytes: int = 0
    steps: list[float] = field(default_factory=list)


@dataclass
class Clock:
    """The media time of one elementary stream: the sum of the steps between packets, jumps left out."""

    media_s: float = 0.0
    discontinuities: int = 0
    stretches: list[Stretch] = field(default_factory=lambda: [Stretch()])
    _last: float | None = None

    def take(self, at: float | None, size: int, duration: float = 0.0) -> None:
        """Note a packet.

        :param at: its decoding time, where it has one.
        :param size: in bytes.
        :param duration: the time that it announces to last; 0 where it announces none.
        """
        if at is None:
            self.stretches[-1].bytes += size
            return
        step = 0.0 if self._last is None else at - self._last
        self._last = at
        jumped = step < -_GRAIN or step > max(MAX_STEP, min(duration, MAX_DURATION) * (1 + _NEAR))
        if jumped:
            self.discontinuities += 1
            self.stretches.append(Stretch())
        stretch = self.stretches[-1]
        stretch.bytes += size
        if step > _GRAIN and not jumped:
            stretch.steps.append(step)
            stretch.media_s += step
            self.media_s += step

    def begin_stretch(self) -> None:
        """Count what follows apart: the format changes."""
        self.stretches.append(Stretch())

    def restart(self) -> None:
        """Count what follows apart, and let its time stamps begin anywhere."""
        self.begin_stretch()
        self._last = None

    @property
    def bytes(self) -> int:
        """The size of all packets."""
        return sum(stretch.bytes for stretch in self.stretches)

    @property
    def steps(self) -> list[float]:
        """All steps in order."""
        return [step for stretch in self.stretches for step in stretch.steps]

    def kbps(self, numbers: Sequence[int] | None = None) -> float | None:
        """Return the bitrate of the elementary stream, with an estimate of each stretch's last packet's own time.

        :param numbers: the stretches that count; None for all.
        """
        chosen = self.stretches if numbers is None else [self.stretches[number] for number in numbers]
        chosen = [stretch for stretch in chosen if stretch.bytes]
        steps = [step for stretch in chosen for step in stretch.steps]
        if not steps:
            return None
        seconds = sum(stretch.media_s for stretch in chosen) + median(steps) * len(chosen)
        return sum(stretch.bytes for stretch in chosen) * 8 / 1000 / seconds


class Mark(NamedTuple):
    """A place in the container: its offset in bytes, the media time there, and the number of the stretch."""

    offset: int
    media_s: float
    stretch: int


def bitrate(marks: Sequence[Mark], least_s: float = 0.0) -> float | None:
    """Return kilobits a second between marks of the same stretch; None if they span less than ``least_s``."""
    steps = [(before, after) for before, after in pairwise(marks) if before.stretch == after.stretch]
    seconds = sum(after.media_s - before.media_s for before, after in steps)
    size = sum(after.offset - before.offset for before, after in steps)
    return size * 8 / 1000 / seconds if seconds > 0 and seconds >= least_s and size > 0 else None


def window_rates(marks: Sequence[Mark], least_s: float) -> list[float]:
    """Return kilobits a second of each window of at least ``least_s`` between marks of the same stretch, in order."""
    rates: list[float] = []
    start: Mark | None = None
    for mark in marks:
        if start is None or mark.stretch != start.stretch:
            start = mark
        elif (seconds := mark.media_s - start.media_s) >= least_s:
            rates.append((mark.offset - start.offset) * 8 / 1000 / seconds)
            start = mark
    return rates


def frame_rate(steps: Sequence[float], interlaced: bool) -> tuple[float | None, bool]:
    """Return frames a second from the steps of decoding time, and whether the rate varies.

    Two fields in packets of their own count as one frame. Lost frames do not lower the rate.
    """
    if len(steps) < _LEAST_STEPS:
        return None, False
    usual = median(steps)
    frames, seconds, regular = 0.0, 0.0, 0
    for step, part in _by_frame(steps, usual, interlaced):
        regular += 1
        frames += part
        seconds += step
    varies = regular < 0.8 * len(steps)
    # Fields may alternate around half a frame: then nothing is regular but the mean.
    rate = len(steps) / sum(steps) if varies else frames / seconds
    if interlaced and rate > _MAX_INTERLACED_RATE:
        rate /= 2
    nearest = min(RATES, key=lambda known: abs(float(known) - rate))
    if abs(float(nearest) - rate) <= SNAP * rate:
        rate = float(nearest)
    return round(rate, 3), varies


def _by_frame(steps: Sequence[float], usual: float, interlaced: bool) -> list[tuple[float, float]]:
    """Return the regular steps, each with its share of a frame: single fields and whole frames may alternate."""
    regular = [step for step in steps if abs(step - usual) <= _NEAR * usual]
    for other, usual_part, other_part in ((2 * usual, 0.5, 1.0), (usual / 2, 1.0, 0.5)) if interlaced else ():
        others = [step for step in steps if abs(step - other) <= _NEAR * other]
        if len(others) >= _NEAR * len(steps):
            return [(step, usual_part) for step in regular] + [(step, other_part) for step in others]
    return [(step, 1.0) for step in regular]

"""Playout: whether a player with a second in hand would have to wait. All times in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from streamflow.probing import starvation

# The media time that a player keeps in hand before it starts.
PREBUFFER = 1.0
# The first seconds come in a burst from the server's buffer; the share of real time is measured after them.
BURST_SECONDS = 1.0
MIN_SHARE_SECONDS = 2.5
# Servers send in slices of about this length; a shorter wait is none.
GRAIN_SECONDS = 0.05
# A shorter wait is added up but not counted as a stall.
LEAST_STALL = 0.2


@dataclass
class Playout:
    """A simulated playout: the waits, and ``share``, media time over the wall time that it took to come."""

    stall_s: float = 0.0
    stalls: int = 0
    share: float | None = None


def simulate_playout(
    arrivals: Sequence[tuple[float, float]],
    end: float,
    starved: Sequence[tuple[float, float]] = (),
    share_seconds: float = MIN_SHARE_SECONDS,
) -> Playout:
    """Play what arrived as a player would.

    :param arrivals: pairs of wall time and media time, in order.
    :param end: the wall time at which the sample ended.
    :param starved: the spells (wall time) in which this process could not look; they are not the stream's fault.
    :param share_seconds: the least time after the burst from which the share is measured.
    :returns: the playout; ``share`` is None where the sample is too short to say.
    """
    if not arrivals:
        return Playout()
    playout, spells = Playout(), list(starved)
    first_wall, first_media = arrivals[0]
    lag = PREBUFFER
    for wall, media in [*arrivals, (end, arrivals[-1][1])]:
        behind = (wall - first_wall) - (media - first_media) - lag
        if spells and behind > GRAIN_SECONDS:
            behind -= starvation.excused(spells, wall)
        if behind > GRAIN_SECONDS:
            playout.stalls += behind > LEAST_STALL
            playout.stall_s += behind
            lag += behind
    start = next(((wall, media) for wall, media in arrivals if wall - first_wall >= BURST_SECONDS), None)
    if start and end - start[0] >= share_seconds:
        own = starvation.total(spells, end) - starvation.total(spells, start[0])
        came = arrivals[-1][1] - start[1] + _shown(arrivals, end)
        # Media that kept up with the clock kept up, starved or not: an excuse never makes a share above one.
        playout.share = max(came / (end - start[0]), min(1.0, came / max(end - start[0] - own, GRAIN_SECONDS)))
    return playout


def _shown(arrivals: Sequence[tuple[float, float]], end: float) -> float:
    """Return how long the last packet has been on show: it lasts as long as the usual one."""
    steps = [step for before, after in pairwise(arrivals) if (step := after[1] - before[1]) > 0]
    return min(median(steps), max(0.0, end - arrivals[-1][0])) if steps else 0.0

"""The limiter's use over time: stored samples, folded into series of equal steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

POINTS = 1000
_KEPT_MS = 30 * 86400 * 1000

# Number of its time slot, and a row for each account that had leases, waiters or events in it.
_Sample = tuple[int, list[str]]
_COLUMNS = ("active", "waiting", "granted", "refused", "finished", "wait_ms")


@dataclass(frozen=True)
class Series:
    """Use over time, one value for each step.

    :param active: mean number of leases.
    :param waiting: mean number of waiters.
    :param granted: number of grants.
    :param refused: number of refused requests.
    :param finished: number of released leases.
    :param finished_per_minute: rate of released leases.
    :param wait: mean seconds that the granted requests had waited, 0 without a grant.
    """

    active: tuple[float, ...]
    waiting: tuple[float, ...]
    granted: tuple[int, ...]
    refused: tuple[int, ...]
    finished: tuple[int, ...]
    finished_per_minute: tuple[float, ...]
    wait: tuple[float, ...]


@dataclass(frozen=True)
class History:
    """Series of equal steps; the last step has not ended yet.

    :param step: length of a step in seconds.
    :param at: begin of each step, in seconds since the epoch.
    :param total: series over all accounts.
    :param accounts: series by account id; ``""`` sums up the least busy accounts above 100.
    """

    step: float
    at: tuple[float, ...]
    total: Series
    accounts: Mapping[str, Series]


@dataclass
class _Grid:
    """Steps from the one that contains ``since`` to the one that contains ``now``; times are milliseconds."""

    since: int
    now: int
    step: int
    sums: dict[str, list[list[float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first = self.since // self.step
        self.points = self.now // self.step - self.first + 1

    def point(self, at: int) -> int | None:
        """Return the number of the step that contains ``at``, None outside of the grid."""
        point = at // self.step - self.first
        return point if 0 <= point < self.points else None

    def of(self, account: str) -> list[list[float]]:
        """Return the account's sums, a list of all steps for each column."""
        sums = self.sums.get(account)
        if sums is None:
            sums = self.sums[account] = [[0.0] * self.points for _ in _COLUMNS]
        return sums


def history_args(since: float, step: float) -> list[str | int]:
    """Return the arguments of the transition ``history``."""
    return [int(since * 1000), int(step * 1000)]


def history(since: float, step: float, reply: Sequence[Any]) -> History:
    """Return the reply of the transition ``history`` as series.

    The step becomes a multiple of the sampled step, and long enough for at most ``POINTS`` steps.
    """
    now, lives, coarse_width, coarse, fine_width, fine, unit = reply
    begin = max(now - _KEPT_MS, min(int(since * 1000), now))
    least = max(int(step * 1000), (now - begin) // (POINTS - 1), 1)
    grid = _Grid(begin, now, -(-least // unit) * unit)
    _fold(grid, coarse_width, map(_sample, coarse), lives=0)
    _fold(grid, fine_width, map(_sample, fine), lives=lives)
    end = (now // unit + 1) * unit
    covered = [min((grid.first + i + 1) * grid.step, end) - (grid.first + i) * grid.step for i in range(grid.points)]
    total = [[0.0] * grid.points for _ in _COLUMNS]
    for sums in grid.sums.values():
        total = [[a + b for a, b in zip(one, other, strict=True)] for one, other in zip(total, sums, strict=True)]
    return History(
        grid.step / 1000,
        tuple((grid.first + i) * grid.step / 1000 for i in range(grid.points)),
        _series(total, covered),
        {account: _series(sums, covered) for account, sums in sorted(grid.sums.items())},
    )


def _fold(grid: _Grid, width: int, samples: Iterable[_Sample], *, lives: int) -> None:
    """Add samples of ``width`` ms to the grid.

    A day of many accounts has a million rows, so each row is split once and zeros are not added.
    """
    now: _Sample = grid.now // width + 1, []
    for (slot, rows), (end, _) in pairwise([*samples, now]):
        # A slot without a sample repeats the state before it, for at most the life of an unrenewed lease.
        stays = max(1, min(end - slot, lives // width))
        points = [grid.point((slot + i) * width) for i in range(stays)]
        lasting = [point for point in points if point is not None]
        for row in rows:
            account, active, waiting, *counts = row.split("|")
            sums = grid.of(account)
            if (point := points[0]) is not None:
                for column, value in zip(sums[2:], counts, strict=False):
                    if value != "0":
                        column[point] += float(value)
            for column, value in ((sums[0], active), (sums[1], waiting)):
                if value != "0":
                    state = float(value) * width
                    for point in lasting:
                        column[point] += state


def _sample(text: bytes | str) -> _Sample:
    slot, *rows = (text.decode() if isinstance(text, bytes) else text).split(",")
    return int(slot), rows


def _series(sums: list[list[float]], covered: list[int]) -> Series:
    active, waiting, granted, refused, finished, wait_ms = sums
    return Series(
        tuple(round(value / length, 3) for value, length in zip(active, covered, strict=True)),
        tuple(round(value / length, 3) for value, length in zip(waiting, covered, strict=True)),
        tuple(map(int, granted)),
        tuple(map(int, refused)),
        tuple(map(int, finished)),
        tuple(round(value * 60_000 / length, 2) for value, length in zip(finished, covered, strict=True)),
        tuple(round(ms / (number or 1) / 1000, 3) for ms, number in zip(wait_ms, granted, strict=True)),
    )

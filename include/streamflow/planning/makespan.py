"""The makespan of checks: the time from the first start to the last end, by a simulation of the limiter.

The simulation follows the limiter's rules: first come first served, an account's connections and the global ones
together or none, and a least time between two starts on one account.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """A check to simulate.

    :param account: the account whose starts keep their distance.
    :param budgets: the budgets that it may use, in the order of preference; none for an unlimited account.
    :param seconds: the time for which its tries hold a slot.
    :param pauses: the time between its tries, without a slot.
    """

    account: str
    budgets: tuple[str, ...]
    seconds: float
    pauses: float = 0.0


@dataclass(frozen=True)
class Limits:
    """The limits of a simulation.

    :param budgets: the connections of each budget; 0 or a missing budget is unlimited.
    :param all_together: the global limit; 0 is unlimited.
    :param stagger: the least seconds between two starts on one account.
    """

    budgets: Mapping[str, int]
    all_together: int = 0
    stagger: float = 0.0


def makespan(jobs: Sequence[Job], limits: Limits) -> float:
    """Return the seconds until the last of the jobs has ended, when they are queued in their order at once."""
    # Jobs of one account and the same budgets wait in one line; only the first of a line may start.
    lines: dict[tuple[str, tuple[str, ...]], deque[tuple[int, Job]]] = defaultdict(deque)
    for place, job in enumerate(jobs):
        lines[job.account, job.budgets].append((place, job))
    used: Counter[str] = Counter()
    ready_at: dict[str, float] = {}
    ends: list[tuple[float, str]] = []
    now = latest = 0.0
    while lines:
        first = _first(lines, limits, used, ready_at, now) if _has_room(limits, len(ends)) else None
        if first is not None:
            line, budget = first
            job = lines[line].popleft()[1]
            if not lines[line]:
                del lines[line]
            used[budget] += 1
            ready_at[line[0]] = now + limits.stagger
            heapq.heappush(ends, (now + job.seconds, budget))
            latest = max(latest, now + job.seconds + job.pauses)
            continue
        waits = [at for account, at in ready_at.items() if at > now and any(line[0] == account for line in lines)]
        now = min([*waits, *(end for end, _ in ends[:1])])
        while ends and ends[0][0] <= now:
            used[heapq.heappop(ends)[1]] -= 1
    return latest


def _has_room(limits: Limits, running: int) -> bool:
    return not limits.all_together or running < limits.all_together


def _first(
    lines: Mapping[tuple[str, tuple[str, ...]], deque[tuple[int, Job]]],
    limits: Limits,
    used: Mapping[str, int],
    ready_at: Mapping[str, float],
    now: float,
) -> tuple[tuple[str, tuple[str, ...]], str] | None:
    """Return the line whose first job may start now and has waited longest, and its budget."""
    best: tuple[int, tuple[str, tuple[str, ...]], str] | None = None
    for line, waiting in lines.items():
        account, budgets = line
        if ready_at.get(account, 0.0) > now:
            continue
        budget = next(
            (one for one in budgets or ("",) if used[one] < (limits.budgets.get(one, 0) or used[one] + 1)), None
        )
        if budget is not None and (best is None or waiting[0][0] < best[0]):
            best = waiting[0][0], line, budget
    return best and (best[1], best[2])

"""Limits on calls: how many run at the same time, how many stay open, and how many attempts may fail."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import Depends

from stream_checker.http.problems import Problem

RETRY_SECONDS = 1
SEAT_RETRY_SECONDS = 30


def at_most(calls: int) -> Any:
    """Return a FastAPI dependency that limits the calls of its route that a process handles at the same time.

    Each further call gets a 429. A call counts until its response is sent.
    """
    slots = threading.BoundedSemaphore(calls)

    def hold_slot() -> Iterator[None]:
        if not slots.acquire(blocking=False):
            raise Problem(
                429,
                f"The server handles at most {calls} such requests at the same time. Try again in a moment.",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        try:
            yield
        finally:
            slots.release()

    return Depends(hold_slot)


class Seats:
    """Seats for connections that stay open, limited in total and for each user. Not thread-safe.

    :param total: seats in this process.
    :param per_user: seats that one user may take.
    """

    def __init__(self, total: int, per_user: int) -> None:
        self._total = total
        self._per_user = per_user
        self._taken: Counter[str] = Counter()

    def take(self, user_id: str) -> Callable[[], None]:
        """Take a seat for a user.

        :returns: a function that gives the seat back; to be called once.
        :raises Problem: 429 when the user has all its seats, 503 when the process has none left.
        """
        headers = {"Retry-After": str(SEAT_RETRY_SECONDS)}
        if self._taken[user_id] >= self._per_user:
            raise Problem(429, f"You have {self._per_user} open connections. Close one first.", headers=headers)
        if self._taken.total() >= self._total:
            raise Problem(503, f"The server has {self._total} open connections, its limit.", headers=headers)
        self._taken[user_id] += 1

        def give_back() -> None:
            self._taken[user_id] -= 1
            if not self._taken[user_id]:
                del self._taken[user_id]

        return give_back


class FailureLimit:
    """Limits failed attempts in a sliding window. Thread-safe; its memory does not grow with the attempts.

    :param failures: number of failures that are allowed in the window.
    :param seconds: length of the window.
    """

    def __init__(self, failures: int, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=failures)
        self._lock = threading.Lock()

    def record(self) -> float:
        """Record a failed attempt.

        :returns: 0 while the limit is not reached, else the seconds until the next failure is allowed.
        """
        now = time.monotonic()
        with self._lock:
            if len(self._times) == self._times.maxlen and now - self._times[0] < self._seconds:
                return self._seconds - (now - self._times[0])
            self._times.append(now)
            return 0.0

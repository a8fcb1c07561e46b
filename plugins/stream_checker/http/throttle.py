"""Bounds on what is expensive: so many calls of a route at once in a process, and a 429 for any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from fastapi import Depends

from stream_checker.http.problems import Problem

RETRY_SECONDS = 1


def at_once(most: int) -> Any:
    """A dependency that lets ``most`` calls in at once, each until its answer is sent."""
    room = threading.BoundedSemaphore(most)

    def bound() -> Iterator[None]:
        if not room.acquire(blocking=False):
            raise Problem(429, f"{most} such calls are being answered", headers={"Retry-After": str(RETRY_SECONDS)})
        try:
            yield
        finally:
            room.release()

    return Depends(bound)

"""What results are sorted and filtered by, kept in memory: a few numbers of each stream's latest result."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from streamflow.records import Result
from streamflow.udi.ports import Store

BATCH = 1000
# Answers are at most so much older than the UDI.
FRESH_SECONDS = 2.0
# About 70 MB; of a larger library those with the highest ids are left out.
MOST_STREAMS = 500_000


class IndexedResult(NamedTuple):
    """What the latest result of a stream says; None for what it does not."""

    checked_at: float
    score: float | None
    bitrate_kbps: int | None
    reason: str | None


class ResultIndex:
    """Thread-safe. Reads in whole once, and then only what was checked since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, IndexedResult] = {}
        self._checks: dict[int, datetime] = {}
        self._read_at = float("-inf")

    def current(self, store: Store) -> dict[int, IndexedResult]:
        """The standing of every stream that has a result; not to be changed. Raises UdiUnavailable."""
        with self._lock:
            if time.monotonic() - self._read_at > FRESH_SECONDS:
                self._follow(store)
                self._read_at = time.monotonic()
            return self._known

    def _follow(self, store: Store) -> None:
        checks = store.results.last_checks()
        if len(checks) > MOST_STREAMS:
            checks = {id: checks[id] for id in sorted(checks)[:MOST_STREAMS]}
        changed = [id for id, at in checks.items() if self._checks.get(id) != at]
        gone = self._checks.keys() - checks.keys()
        if changed or gone:
            # Readers hold the former one.
            known = {id: standing for id, standing in self._known.items() if id not in gone}
            known.update(_read(store, changed))
            self._known = known
        self._checks = checks


def _read(store: Store, ids: Iterable[int]) -> Iterable[tuple[int, IndexedResult]]:
    rest = iter(ids)
    while batch := list(islice(rest, BATCH)):
        for id, result in store.results.latest_of(batch).items():
            yield id, _standing(result)


def _standing(result: Result) -> IndexedResult:
    reason = sys.intern(result.reason) if result.reason else None
    return IndexedResult(result.checked_at.timestamp(), result.score, result.bitrate_kbps, reason)

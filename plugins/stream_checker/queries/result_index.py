"""Index of the fields by which latest results are sorted and filtered, held in memory."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from streamflow.records import Result
from streamflow.udi.ports import Store

BATCH = 1000
# The index is at most this much older than the UDI.
MAX_AGE_SECONDS = 2.0
# About 70 MB. Of a larger library, the streams with the highest ids are omitted.
MAX_STREAMS = 500_000


class IndexedResult(NamedTuple):
    """The indexed fields of a stream's latest result; ``checked_at`` is in seconds since the epoch."""

    checked_at: float
    score: float | None
    quality: float | None
    bitrate_kbps: int | None
    reason: str | None


class ResultIndex:
    """The indexed fields of all latest results. Thread-safe. Updates read only the streams checked since the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[int, IndexedResult] = {}
        self._checked_at: dict[int, datetime] = {}
        self._updated_at = float("-inf")

    def current(self, store: Store) -> dict[int, IndexedResult]:
        """Return the indexed fields by stream id. The caller must not change the dictionary.

        :raises UdiUnavailable: when the UDI cannot be read.
        """
        with self._lock:
            if time.monotonic() - self._updated_at > MAX_AGE_SECONDS:
                self._update(store)
                self._updated_at = time.monotonic()
            return self._results

    def _update(self, store: Store) -> None:
        checked_at = store.results.last_checks()
        if len(checked_at) > MAX_STREAMS:
            checked_at = {id: checked_at[id] for id in sorted(checked_at)[:MAX_STREAMS]}
        changed_ids = [id for id, at in checked_at.items() if self._checked_at.get(id) != at]
        removed_ids = self._checked_at.keys() - checked_at.keys()
        if changed_ids or removed_ids:
            # A copy, because readers hold the current dictionary.
            results = {id: result for id, result in self._results.items() if id not in removed_ids}
            results.update(_read(store, changed_ids))
            self._results = results
        self._checked_at = checked_at


def _read(store: Store, ids: Iterable[int]) -> Iterator[tuple[int, IndexedResult]]:
    remaining = iter(ids)
    while batch := list(islice(remaining, BATCH)):
        for id, result in store.results.latest_of(batch).items():
            yield id, _indexed(result)


def _indexed(result: Result) -> IndexedResult:
    reason = sys.intern(result.reason) if result.reason else None
    return IndexedResult(result.checked_at.timestamp(), result.score, result.quality, result.bitrate_kbps, reason)

"""Index of the fields by which latest results are sorted and filtered, held in memory."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from streamflow.records import DECIDED, Result, Verdict, is_usable
from streamflow.udi.last_decided import last_decided
from streamflow.udi.ports import Store

BATCH = 1000
MAX_AGE_SECONDS = 2.0
# About 70 MB. Of a larger library, the streams with the highest ids are omitted.
MAX_STREAMS = 500_000


class LastDecided(NamedTuple):
    """The last result of a stream that decided something; ``checked_at`` is in seconds since the epoch."""

    checked_at: float
    verdict: Verdict
    reason: str | None

    def is_usable(self, unusable: Collection[str]) -> bool:
        """Return whether people could watch the stream; see :func:`streamflow.records.is_usable`."""
        return is_usable(self.verdict, self.reason, unusable)


class IndexedResult(NamedTuple):
    """The indexed fields of a stream's latest result; ``checked_at`` is in seconds since the epoch.

    ``decided`` is the last result that decided something: the same one, or an older one; None if there is none.
    """

    checked_at: float
    verdict: Verdict
    score: float | None
    quality: float | None
    bitrate_kbps: int | None
    reason: str | None
    decided: LastDecided | None

    @property
    def is_decided(self) -> bool:
        """Return whether the latest result itself decided something."""
        return self.verdict in DECIDED


class ResultIndex:
    """The indexed fields of all latest results. Thread-safe. Updates read only the streams checked since the last.

    :param max_age: seconds by which the index may be older than the UDI.
    """

    def __init__(self, max_age: float = MAX_AGE_SECONDS) -> None:
        self._max_age = max_age
        self._lock = threading.Lock()
        self._results: dict[int, IndexedResult] = {}
        self._checked_at: dict[int, datetime] = {}
        self._updated_at = float("-inf")

    def current(self, store: Store) -> dict[int, IndexedResult]:
        """Return the indexed fields by stream id. The caller must not change the dictionary.

        :raises UdiUnavailable: when the UDI cannot be read.
        """
        with self._lock:
            if time.monotonic() - self._updated_at > self._max_age:
                self._update(store)
                self._updated_at = time.monotonic()
            return self._results

    def _update(self, store: Store) -> None:
        checked_at = store.results.last_checks()
        if len(checked_at) > MAX_STREAMS:
            checked_at = {id: checked_at[id] for id in sorted(checked_at)[:MAX_STREAMS]}
        changed_ids = {id for id, at in checked_at.items() if self._checked_at.get(id) != at}
        # A verdict that is withdrawn becomes unknown and keeps its time.
        unknown = checked_at.keys() & set(store.results.streams_of_verdict("unknown"))
        changed_ids |= {id for id in unknown if id in self._results and self._results[id].verdict != "unknown"}
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
        latest = store.results.latest_of(batch)
        decided = last_decided(store.results, latest)
        for id, result in latest.items():
            yield id, _indexed(result, decided.get(id))


def _indexed(result: Result, decided: Result | None) -> IndexedResult:
    return IndexedResult(
        result.checked_at.timestamp(),
        result.verdict,
        result.score,
        result.quality,
        result.bitrate_kbps,
        _interned(result.reason),
        LastDecided(decided.checked_at.timestamp(), decided.verdict, _interned(decided.reason)) if decided else None,
    )


def _interned(reason: str | None) -> str | None:
    return sys.intern(reason) if reason else None

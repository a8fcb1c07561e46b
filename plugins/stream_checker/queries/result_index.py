"""Index of the fields by which latest results are sorted and filtered, held in memory."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from streamflow.records import DECIDED, Result, Verdict, is_usable
from streamflow.udi.last_decided import among
from streamflow.udi.ports import Store

BATCH = 1000
MAX_AGE_SECONDS = 2.0
# An update reads the checks since some minutes before the newest known one, because results do not arrive in their
# order. Those of other machines and of backups may be older still, and streams disappear: from time to time an update
# compares all.
OVERLAP = timedelta(minutes=10)
COMPARE_SECONDS = 60.0
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
    :param compare_after: seconds after which an update compares the times of all checks, and not only of the latest.
    """

    def __init__(self, max_age: float = MAX_AGE_SECONDS, compare_after: float = COMPARE_SECONDS) -> None:
        self._max_age = max_age
        self._compare_after = compare_after
        self._compared_at = float("-inf")
        self._lock = threading.Lock()
        self._results: dict[int, IndexedResult] = {}
        self._checked_at: dict[int, datetime] = {}
        self._updated_at = float("-inf")
        # The stream with the newest known check.
        self._newest: int | None = None

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
        recent = None
        if self._newest is not None and time.monotonic() - self._compared_at <= self._compare_after:
            # The clock of another machine may be ahead.
            newest_at = min(self._checked_at[self._newest], datetime.now(UTC))
            recent = store.results.last_checks(newest_at - OVERLAP)
        if recent is not None and self._newest in recent:
            checked_at = self._checked_at | recent
        else:
            # Without the newest known check, the data is that of a backup.
            checked_at = recent = store.results.last_checks()
            self._compared_at = time.monotonic()
        if len(checked_at) > MAX_STREAMS:
            checked_at = {id: checked_at[id] for id in sorted(checked_at)[:MAX_STREAMS]}
        changed_ids = {id for id, at in recent.items() if id in checked_at and self._checked_at.get(id) != at}
        # A verdict that is withdrawn becomes unknown and keeps its time.
        unknown = checked_at.keys() & store.results.streams_of_verdict("unknown")
        changed_ids |= {id for id in unknown if id in self._results and self._results[id].verdict != "unknown"}
        removed_ids = self._checked_at.keys() - checked_at.keys()
        if changed_ids or removed_ids:
            # A copy, because readers hold the current dictionary.
            results = {id: result for id, result in self._results.items() if id not in removed_ids}
            results.update(_read(store, changed_ids))
            self._results = results
        self._checked_at = checked_at
        self._newest = max(recent.keys() & checked_at.keys(), key=checked_at.__getitem__, default=None)


def _read(store: Store, ids: Iterable[int]) -> Iterator[tuple[int, IndexedResult]]:
    remaining = iter(ids)
    while batch := list(islice(remaining, BATCH)):
        latest = store.results.latest_of(batch)
        decided = among(store.results, latest)
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

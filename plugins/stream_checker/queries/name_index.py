"""What streams and channels are called, kept in memory for searches until the next refresh changes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamflow.udi.ports import Store

BATCH = 2000


@dataclass(frozen=True)
class _Library:
    refreshed_at: datetime | None
    streams: dict[int, str] = field(default_factory=dict)
    channels: dict[int, str] = field(default_factory=dict)
    uuids: dict[str, int] = field(default_factory=dict)


class NameIndex:
    """Thread-safe. A hundred thousand names take about 15 MB and are searched in about 10 ms."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: _Library | None = None

    def streams(self, store: Store, part: str) -> list[int]:
        """Ids of the streams whose name contains ``part``, whatever its case."""
        return _matching(self._current(store).streams, part)

    def of_streams(self, store: Store) -> dict[int, str]:
        """The name of every stream, its case folded; not to be changed."""
        return self._current(store).streams

    def channels(self, store: Store, part: str) -> list[int]:
        """Ids of the channels whose name contains ``part``, whatever its case."""
        return _matching(self._current(store).channels, part)

    def channels_named(self, store: Store, name: str) -> list[int]:
        """Ids of the channels of that very name, whatever its case."""
        name = name.strip().casefold()
        return [id for id, known in self._current(store).channels.items() if known == name]

    def channels_of_uuid(self, store: Store, uuid: str) -> list[int]:
        """The channel that Dispatcharr's proxy knows by this UUID."""
        id = self._current(store).uuids.get(uuid)
        return [] if id is None else [id]

    def _current(self, store: Store) -> _Library:
        refreshed_at = store.library.refreshed_at()
        with self._lock:
            if self._library is None or self._library.refreshed_at != refreshed_at:
                self._library = _read(store, refreshed_at)
            return self._library


def _read(store: Store, refreshed_at: datetime | None) -> _Library:
    streams: dict[int, str] = {}
    for ids in _batches(store.library.stream_ids()):
        streams.update((id, stream.name.casefold()) for id, stream in store.library.streams(ids).items())
    channels = store.library.channels()
    return _Library(
        refreshed_at,
        streams,
        {channel.id: channel.name.casefold() for channel in channels},
        {channel.uuid: channel.id for channel in channels if channel.uuid},
    )


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _matching(names: dict[int, str], part: str) -> list[int]:
    part = part.casefold()
    return [key for key, name in names.items() if part in name]

"""A playlist as a source: one account, and channels made of the streams that belong together."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, ClassVar, Self
from urllib.parse import unquote, urlsplit

from redis import Redis

from streamflow.errors import ConfigError, SourceRefused, SourceUnavailable
from streamflow.files import replacing
from streamflow.masking import host_of, mask_url
from streamflow.records import Account, Channel, Event, Group, Stream
from streamflow.sources import listing, web
from streamflow.sources.broken import BrokenRecords
from streamflow.sources.local_order import LocalOrder
from streamflow.sources.m3u.films import is_film
from streamflow.sources.m3u.playlist import Entry, Unreadable, entries
from streamflow.sources.m3u.text import lines
from streamflow.sources.web_pages import is_web_page
from streamflow.udi.ports import Store
from streamflow.udi.snapshot import Records, Snapshot

log = logging.getLogger(__name__)

DOWNLOAD_SECONDS = 900.0
DOWNLOAD_BYTES = 4 << 30
ACCOUNT_ID = 1
# This address stands for the last playlist from standard input.
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Playlist:
    """A playlist at an http address or in a file. See :class:`streamflow.sources.source.Source`.

    :param max_streams: the connections that its provider allows at once, 0 = unlimited.
    """

    variables: ClassVar[tuple[str, ...]] = ("STREAMFLOW_M3U", "STREAMFLOW_M3U_MAX_STREAMS")
    example: ClassVar[str] = "STREAMFLOW_M3U=http://provider.example/list.m3u (or a file)"

    where: str = field(repr=False)
    max_streams: int = 1

    @classmethod
    def from_env(cls, env: Mapping[str, str], home: Path, redis: Redis | None = None) -> Self:  # noqa: ARG003
        """Make the source from the playlist's address and its limit.

        :raises ConfigError: the limit is not a number.
        """
        where, limit = (env.get(name, "").strip() for name in cls.variables)
        if limit and not limit.isdecimal():
            raise ConfigError(f"{cls.variables[1]} is not a number: {limit!r}; write 0 for a provider without a limit")
        return cls(str(stored_playlist(home)) if where == STANDARD_INPUT else where, int(limit or 1))

    def close(self) -> None:
        """Do nothing: each request has a connection of its own."""

    @property
    def name(self) -> str:
        """The source as a message names it."""
        return f"the playlist {self._shown}"

    @property
    def _shown(self) -> str:
        return mask_url(self.where) if self._is_remote else self.where

    @property
    def _is_remote(self) -> bool:
        return self.where.lower().startswith(("http://", "https://"))

    def summary(self) -> str:
        """Return the number of streams, from the whole playlist.

        :raises SourceError: the playlist cannot be read.
        """
        count = sum(isinstance(entry, Entry) for entry in self.entries())
        return f"{self.name}: {count:,} streams"

    def played(self, stream_id: int, since: datetime) -> Mapping[str, object]:  # noqa: ARG002
        """Return nothing: a playlist plays no stream."""
        return {}

    def time_zone(self) -> None:
        """Return nothing: a playlist has no settings."""

    def events(self, *, with_programmes: bool) -> list[Event]:  # noqa: ARG002
        """Return nothing: a playlist records nothing."""
        return []

    def viewers(self) -> dict[int, int]:
        """Return nothing: a playlist says nothing about the connections in use."""
        return {}

    def destination(self, store: Store) -> LocalOrder:
        """Return the UDI: a playlist keeps no order of its own."""
        return LocalOrder(store)

    def fetch(self) -> Snapshot:
        """Return the live streams, the channels that they form, and their groups.

        :raises SourceError: the playlist cannot be read, or holds no live stream.
        """
        broken = BrokenRecords("lines")
        library = _Library()
        for entry in self.entries():
            if isinstance(entry, Unreadable):
                broken.add(f"line {entry.line}", entry.reason)
            else:
                library.add(entry)
        if library.films:
            log.info("left out %d films and episodes", library.films)
        if not library.streams:
            raise SourceRefused(f"{self.name} holds no stream ({broken.count} lines could not be read)")
        return Snapshot(
            accounts=[self._account()],
            groups=list(library.groups.values()),
            streams=library.streams,
            channels=Records(Channel, listing.channels(library.listed)),
            broken=broken.listed(),
        )

    def entries(self) -> Iterator[Entry | Unreadable]:
        """Return the streams and the lines that cannot be used, one at a time."""
        with self._opened() as file:
            yield from entries(lines(file), self.where if self._is_remote else "")

    def _account(self) -> Account:
        name = urlsplit(self._shown).hostname if self._is_remote else Path(self.where).name
        return Account(
            id=ACCOUNT_ID,
            name=name or "playlist",
            max_streams=self.max_streams,
            budget=f"account-{ACCOUNT_ID}",
            server_host=host_of(self.where) if self._is_remote else "",
        )

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        if self._is_remote:
            with web.download(
                self.where, name="the playlist", seconds=DOWNLOAD_SECONDS, max_bytes=DOWNLOAD_BYTES
            ) as body:
                yield body
            return
        try:
            file = _path(self.where).open("rb")
        except OSError as error:
            raise SourceUnavailable(f"{self.name} cannot be read: {error.strerror}") from error
        with file:
            yield file


class _Library:
    """The library that the entries of a playlist form."""

    def __init__(self) -> None:
        self.streams = Records(Stream)
        self.groups: dict[str, Group] = {}
        self.listed: list[listing.Listed] = []
        self.films = 0

    def add(self, entry: Entry) -> None:
        """Add a stream; films and episodes are counted only.

        :raises SourceRefused: there are too many.
        """
        if is_film(entry):
            self.films += 1
            return
        if len(self.listed) == listing.MOST_STREAMS:
            raise SourceRefused(listing.too_many("the playlist", "live streams"))
        group_id = self._group_id(entry.group)
        stream_id = listing.stable_id(entry.url)
        if stream_id not in self.streams.texts:
            stream = Stream(
                id=stream_id,
                name=entry.name,
                url=entry.url,
                account_id=ACCOUNT_ID,
                group_id=group_id,
                tvg_id=entry.tvg_id or None,
                is_page=is_web_page(entry.url),
                is_radio=entry.is_radio,
            )
            self.streams.add([stream])
        self.listed.append(listing.Listed(stream_id, entry.name, entry.tvg_id, group_id, entry.number))

    def _group_id(self, name: str) -> int | None:
        if not name:
            return None
        if name not in self.groups:
            self.groups[name] = Group(id=listing.stable_id(f"group {name}"), name=name)
        return self.groups[name].id


def _path(where: str) -> Path:
    return Path(unquote(urlsplit(where).path) if where.startswith("file://") else where).expanduser()


def stored_playlist(home: Path) -> Path:
    """Return the file that holds the last playlist from standard input."""
    return home / "playlist.m3u"


def store_playlist(file: BinaryIO, home: Path) -> None:
    """Store a playlist for :data:`STANDARD_INPUT`; an empty one leaves the former playlist there."""
    if start := file.read(1):
        with replacing(stored_playlist(home)) as copy:
            copy.write(start)
            shutil.copyfileobj(file, copy)

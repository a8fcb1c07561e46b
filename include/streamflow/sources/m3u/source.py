"""A playlist as a source: an account with one limit, and channels of the streams that belong together."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.files import replacing
from streamflow.masking import mask_url
from streamflow.records import Account, Channel, Group, Stream
from streamflow.sources import listing, web
from streamflow.sources.m3u.playlist import Entry, Unreadable, entries
from streamflow.sources.m3u.text import lines
from streamflow.udi.library import Records, Snapshot

log = logging.getLogger(__name__)

DOWNLOAD_SECONDS = 900.0
DOWNLOAD_BYTES = 4 << 30
ACCOUNT_ID = 1
# Where the playlist is the one that was read from standard input last.
STANDARD_INPUT = "-"
# Lines that are named each; of more, the number.
NAMED = 100
# Films and episodes, as providers of Xtream write them into the same playlist.
_FILM = re.compile(r"[a-z]+://[^/]+/(?:movie|series)/", re.IGNORECASE)


@dataclass(frozen=True)
class Playlist:
    """A playlist at an http address or in a file.

    :param max_streams: how many connections its provider allows at once, 0 = unlimited.
    """

    where: str = field(repr=False)
    max_streams: int = 1

    @property
    def name(self) -> str:
        return f"the playlist {self._shown}"

    @property
    def _shown(self) -> str:
        return mask_url(self.where) if self._is_remote else self.where

    @property
    def _is_remote(self) -> bool:
        return self.where.lower().startswith(("http://", "https://"))

    def summary(self) -> str:
        """What is there, in a line; reads all of it."""
        count = sum(isinstance(entry, Entry) for entry in self.entries())
        return f"{self.name}: {count:,} streams"

    def viewers(self) -> dict[int, int]:
        """Nobody knows who else uses the playlist's provider."""
        return {}

    def fetch(self) -> Snapshot:
        """Everything there is. Raises SourceError."""
        streams = Records(Stream)
        groups: dict[str, Group] = {}
        listed: list[listing.Listed] = []
        broken: list[tuple[str, str]] = []
        unreadable = films = 0
        for entry in self.entries():
            if isinstance(entry, Unreadable):
                unreadable += 1
                if unreadable <= NAMED:
                    broken.append((f"line {entry.line}", entry.why))
                continue
            if _FILM.match(entry.url):
                films += 1
                continue
            if entry.group and entry.group not in groups:
                groups[entry.group] = Group(id=listing.number_of(f"group {entry.group}"), name=entry.group)
            group_id = groups[entry.group].id if entry.group else None
            stream_id = listing.number_of(entry.url)
            if stream_id not in streams.texts:
                stream = Stream(
                    id=stream_id,
                    name=entry.name,
                    url=entry.url,
                    account_id=ACCOUNT_ID,
                    group_id=group_id,
                    tvg_id=entry.tvg_id or None,
                )
                streams.add([stream])
            listed.append(listing.Listed(stream_id, entry.name, entry.tvg_id, group_id, entry.number))
        if unreadable > NAMED:
            broken.append((f"{unreadable - NAMED} more lines", "could not be read either"))
        if films:
            log.info("left out %d films and episodes", films)
        if not streams:
            raise SourceRefused(f"{self.name} holds no stream ({unreadable} lines could not be read)")
        return Snapshot(
            accounts=[self._account()],
            groups=list(groups.values()),
            streams=streams,
            channels=Records(Channel, listing.channels(listed)),
            broken=broken,
        )

    def entries(self) -> Iterator[Entry | Unreadable]:
        """What stands in it, one at a time."""
        with self._opened() as file:
            yield from entries(lines(file))

    def _account(self) -> Account:
        name = urlsplit(self._shown).hostname if self._is_remote else Path(self.where).name
        return Account(
            id=ACCOUNT_ID, name=name or "playlist", max_streams=self.max_streams, budget=f"account-{ACCOUNT_ID}"
        )

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        if self._is_remote:
            with web.answer(
                self.where, what="the playlist", seconds=DOWNLOAD_SECONDS, most_bytes=DOWNLOAD_BYTES
            ) as body:
                yield body
            return
        try:
            file = _path(self.where).open("rb")
        except OSError as error:
            raise SourceUnavailable(f"{self.name} cannot be read: {error.strerror}") from error
        with file:
            yield file


def _path(where: str) -> Path:
    return Path(unquote(urlsplit(where).path) if where.startswith("file://") else where).expanduser()


def kept(home: Path) -> Path:
    """Return the file that holds the last playlist from standard input."""
    return home / "playlist.m3u"


def keep(file: BinaryIO, home: Path) -> None:
    """Keep a playlist for :data:`STANDARD_INPUT`; an empty one leaves the former playlist there."""
    if start := file.read(1):
        with replacing(kept(home)) as copy:
            copy.write(start)
            shutil.copyfileobj(file, copy)

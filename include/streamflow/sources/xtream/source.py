"""An Xtream login as a source: its live streams, their categories, and its limit as the panel tells it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

import ijson
from pydantic import ValidationError

from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.records import Account, Channel, Group, Stream
from streamflow.sources import listing
from streamflow.sources.xtream.panel import Panel, UserInfo
from streamflow.udi.library import Records, Snapshot

LIST_SECONDS = 900.0
LIST_BYTES = 4 << 30
ACCOUNT_ID = 1
# Records that are named each; of more, the number.
NAMED = 100
# Of a panel that does not tell its limit: the one that no login is below.
LEAST_LIMIT = 1
_OFF = frozenset({"expired", "banned", "disabled"})


@dataclass(frozen=True)
class Xtream:
    """The live streams of one login."""

    panel: Panel

    @property
    def name(self) -> str:
        return self.panel.name

    def summary(self) -> str:
        """What the panel says of the login, in a line."""
        info = self.panel.user_info()
        until = f", until {info.expires_at:%Y-%m-%d}" if info.expires_at else ""
        limit = "not told" if info.max_connections is None else info.max_connections or "unlimited"
        return f"{self.name}: {info.status or 'no status'}, connections: {limit}{until}"

    def viewers(self) -> dict[int, int]:
        """A panel counts all connections of a login, and does not tell ours from those of people."""
        return {}

    def fetch(self) -> Snapshot:
        """Everything there is. Raises SourceError."""
        info = self.panel.user_info()
        groups = {str(raw["category_id"]): _group(raw) for raw in self._list("get_live_categories")}
        extension = "m3u8" if info.formats and "ts" not in info.formats else "ts"
        streams = Records(Stream)
        listed: list[listing.Listed] = []
        broken: list[tuple[str, str]] = []
        unreadable = 0
        for raw in self._list("get_live_streams"):
            group = groups.get(str(raw.get("category_id")))
            try:
                stream = self._stream(raw, group, extension)
            except (ValidationError, KeyError, TypeError, ValueError) as error:
                unreadable += 1
                if unreadable <= NAMED:
                    broken.append((f"stream {raw.get('stream_id', 'without id')}", type(error).__name__))
                continue
            streams.add([stream])
            listed.append(listing.Listed(stream.id, stream.name, stream.tvg_id or "", stream.group_id))
        if unreadable > NAMED:
            broken.append((f"{unreadable - NAMED} more streams", "could not be read either"))
        if not streams:
            raise SourceRefused(f"{self.name} lists no live stream for this login")
        return Snapshot(
            accounts=[self._account(info)],
            groups=list(groups.values()),
            streams=streams,
            channels=Records(Channel, listing.channels(listed)),
            broken=broken,
        )

    def _account(self, info: UserInfo) -> Account:
        return Account(
            id=ACCOUNT_ID,
            name=urlsplit(self.panel.server).hostname or "panel",
            account_type="XC",
            max_streams=LEAST_LIMIT if info.max_connections is None else info.max_connections,
            is_active=info.status.lower() not in _OFF,
            budget=f"account-{ACCOUNT_ID}",
        )

    def _stream(self, raw: dict[str, Any], group: Group | None, extension: str) -> Stream:
        stream_id = int(raw["stream_id"])
        login = f"{quote(self.panel.username, safe='')}/{quote(self.panel.password, safe='')}"
        return Stream(
            id=stream_id,
            name=str(raw.get("name") or f"stream {stream_id}"),
            url=f"{self.panel.server.rstrip('/')}/live/{login}/{stream_id}.{extension}",
            account_id=ACCOUNT_ID,
            group_id=group.id if group else None,
            provider_id=str(stream_id),
            tvg_id=str(raw.get("epg_channel_id") or "") or None,
        )

    def _list(self, action: str) -> Iterator[dict[str, Any]]:
        """The records of a list, one at a time: it may be larger than memory."""
        with self.panel.asked(seconds=LIST_SECONDS, most_bytes=LIST_BYTES, action=action) as body:
            try:
                for record in _records(body):
                    if isinstance(record, dict):
                        yield record
            except ijson.JSONError as error:
                raise SourceUnavailable(f"{self.name}: {action}: the list is cut off, or no JSON") from error


def _records(body: BinaryIO) -> Iterator[Any]:
    """The items of a JSON array, or the values of an object, which PHP makes of arrays with gaps."""
    # What stands before is blanks and a byte order mark.
    start = next((each for each in iter(lambda: body.read(1), b"") if each in (b"[", b"{")), b"")
    body.seek(body.tell() - 1 if start else 0)
    # ijson would go past the replacing by `readinto`, were there one.
    text = SimpleNamespace(read=codecs.EncodedFile(body, "utf-8", "utf-8", "replace").read)
    if start == b"{":
        return (value for _, value in ijson.kvitems(text, "", use_float=True))
    return iter(ijson.items(text, "item", use_float=True))


def _group(raw: dict[str, Any]) -> Group:
    told = str(raw["category_id"])
    number = int(told) if told.isdecimal() and len(told) < 10 else listing.number_of(f"category {told}")
    return Group(id=number, name=str(raw.get("category_name") or f"category {told}"))

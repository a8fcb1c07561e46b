"""An Xtream login as a source: its live streams, their categories, and its limit by the panel's figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import quote, urlsplit

from pydantic import ValidationError
from redis import Redis

from streamflow.errors import ConfigError, SourceRefused, SourceUnavailable
from streamflow.masking import host_of
from streamflow.records import Account, Channel, Event, Group, Stream
from streamflow.sources import listing
from streamflow.sources.broken import BrokenRecords
from streamflow.sources.local_order import LocalOrder
from streamflow.sources.xtream.json_list import InvalidListError, JsonList, Undecodable
from streamflow.sources.xtream.panel import Panel, UserInfo
from streamflow.udi.ports import Store
from streamflow.udi.snapshot import Records, Snapshot

LIST_SECONDS = 900.0
LIST_BYTES = 4 << 30
ACCOUNT_ID = 1
MOST_ID = 2**53 - 1
# A broken record is named with this many characters of what it says about itself.
MOST_NAME_CHARS = 60
# The limit of a login whose panel names none: every login has one connection.
LEAST_LIMIT = 1
_RADIO = ("radio_streams", "radio")
_OFF = frozenset({"expired", "banned", "disabled"})


@dataclass(frozen=True)
class Xtream:
    """The live streams of one login. See :class:`streamflow.sources.source.Source`."""

    variables: ClassVar[tuple[str, ...]] = (
        "STREAMFLOW_XTREAM_URL",
        "STREAMFLOW_XTREAM_USERNAME",
        "STREAMFLOW_XTREAM_PASSWORD",
    )
    example: ClassVar[str] = "STREAMFLOW_XTREAM_URL=http://provider.example:8080 (with user name and password)"

    panel: Panel

    @classmethod
    def from_env(cls, env: Mapping[str, str], home: Path, redis: Redis | None = None) -> Self:  # noqa: ARG003
        """Make the source from the panel's address, a user name and a password.

        :raises ConfigError: a variable is missing or wrong.
        """
        server, username, password = (env.get(name, "").strip() for name in cls.variables)
        if not server.startswith(("http://", "https://")):
            raise ConfigError("STREAMFLOW_XTREAM_URL is not an http or https address; write for example " + cls.example)
        if not (username and password):
            raise ConfigError(f"set {cls.variables[1]} and {cls.variables[2]} beside {cls.variables[0]}")
        return cls(Panel(server, username, password))

    def close(self) -> None:
        """Do nothing: each request has a connection of its own."""

    @property
    def name(self) -> str:
        """The source as a message names it."""
        return self.panel.name

    def summary(self) -> str:
        """Return the login's status, limit and end.

        :raises SourceError: the panel cannot be read.
        """
        info = self.panel.user_info()
        until = f", until {info.expires_at:%Y-%m-%d}" if info.expires_at else ""
        limit = "not named" if info.max_connections is None else info.max_connections or "unlimited"
        return f"{self.name}: {info.status or 'no status'}, connections: {limit}{until}"

    def played(self, stream_id: int, since: datetime) -> Mapping[str, object]:  # noqa: ARG002
        """Return nothing: a panel plays no stream."""
        return {}

    def time_zone(self) -> None:
        """Return nothing: a panel tells the time zone of the provider, not of its users."""

    def events(self, *, with_programmes: bool) -> list[Event]:  # noqa: ARG002
        """Return nothing: a panel records nothing."""
        return []

    def viewers(self) -> dict[int, int]:
        """Return nothing: a panel counts StreamFlow's own connections together with those of people."""
        return {}

    def fetch(self) -> Snapshot:
        """Return the live streams, the channels that they form, and their categories.

        :raises SourceError: the panel cannot be read, or lists no live stream.
        """
        info = self.panel.user_info()
        broken = BrokenRecords("records")
        groups = dict(self._groups(broken))
        extension = "m3u8" if info.formats and "ts" not in info.formats else "ts"
        streams = Records(Stream)
        listed: list[listing.Listed] = []
        for raw in self._list("get_live_streams", broken):
            group = groups.get(str(raw.get("category_id")))
            try:
                stream = self._stream(raw, group, extension)
            except (ValidationError, ValueError) as error:
                broken.add(f"stream {raw.get('stream_id', 'without id')}"[:MOST_NAME_CHARS], type(error).__name__)
                continue
            streams.add([stream])
            listed.append(listing.Listed(stream.id, stream.name, stream.tvg_id or "", stream.group_id))
        if not streams:
            raise SourceRefused(f"{self.name} lists no live stream for this login")
        return Snapshot(
            accounts=[self._account(info)],
            groups=list(groups.values()),
            streams=streams,
            channels=Records(Channel, listing.channels(listed)),
            broken=broken.listed(),
        )

    def destination(self, store: Store) -> LocalOrder:
        """Return the UDI: a panel keeps no order of its own."""
        return LocalOrder(store)

    def _account(self, info: UserInfo) -> Account:
        return Account(
            id=ACCOUNT_ID,
            name=urlsplit(self.panel.server).hostname or "panel",
            account_type="XC",
            max_streams=LEAST_LIMIT if info.max_connections is None else info.max_connections,
            is_active=info.status.lower() not in _OFF,
            budget=f"account-{ACCOUNT_ID}",
            server_host=host_of(self.panel.server),
            expires_at=info.expires_at,
        )

    def _stream(self, raw: dict[str, Any], group: Group | None, extension: str) -> Stream:
        stream_id = _id(raw.get("stream_id"))
        login = f"{quote(self.panel.username, safe='')}/{quote(self.panel.password, safe='')}"
        return Stream(
            id=stream_id,
            name=str(raw.get("name") or f"stream {stream_id}"),
            url=f"{self.panel.server.rstrip('/')}/live/{login}/{stream_id}.{extension}",
            account_id=ACCOUNT_ID,
            group_id=group.id if group else None,
            provider_id=str(stream_id),
            tvg_id=str(raw.get("epg_channel_id") or "") or None,
            is_radio=raw.get("stream_type") in _RADIO,
        )

    def _groups(self, broken: BrokenRecords) -> Iterator[tuple[str, Group]]:
        """Return the categories by the id that the panel gives them."""
        for raw in self._list("get_live_categories", broken):
            key = str(raw.get("category_id") or "")
            if key:
                yield key, _group(key, raw)
            else:
                broken.add("category without id", "KeyError")

    def _list(self, action: str, broken: BrokenRecords) -> Iterator[dict[str, Any]]:
        """Return the records of a list one at a time: the list may be larger than the memory."""
        with self.panel.query(seconds=LIST_SECONDS, max_bytes=LIST_BYTES, action=action) as body:
            try:
                for number, record in enumerate(JsonList(body).records()):
                    if number == listing.MOST_STREAMS:
                        raise SourceRefused(listing.too_many(f"{self.name}: {action}", "records"))
                    if isinstance(record, dict):
                        yield record
                    elif isinstance(record, Undecodable):
                        broken.add(f"a record of {action}", record.reason)
            except InvalidListError as error:
                raise SourceUnavailable(f"{self.name}: {action}: the list is cut off or not JSON") from error


def _id(value: object) -> int:
    """Return a stream's id, which panels write as a number or as text.

    :raises ValueError: the value is not a whole number, or not one that JSON readers hold exactly (RFC 8259, 6).
    """
    if isinstance(value, str) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_ID:
        raise ValueError("not the id of a stream")
    return value


def _group(key: str, raw: dict[str, Any]) -> Group:
    group_id = int(key) if key.isdecimal() and len(key) < 10 else listing.stable_id(f"category {key}")
    return Group(id=group_id, name=str(raw.get("category_name") or f"category {key}"))

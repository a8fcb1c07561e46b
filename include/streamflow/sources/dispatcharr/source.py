"""Dispatcharr as StreamFlow uses it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamflow import config
from streamflow.errors import ConfigError, SourceConflict, SourceRefused, SourceUnavailable, UnknownRecord
from streamflow.records import Stream
from streamflow.sources.dispatcharr import library
from streamflow.sources.dispatcharr.session import Session, patiently
from streamflow.sources.dispatcharr.tokens import Tokens
from streamflow.udi.library import Records, Snapshot

PAGE_SIZE = 2000
IDS_AT_ONCE = 500


class Dispatcharr:
    """Reads the library and the viewers, writes orders and statistics.

    Every method raises SourceError, and UnknownRecord for what Dispatcharr does not have.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    @property
    def name(self) -> str:
        return "Dispatcharr"

    def summary(self) -> str:
        """Dispatcharr's version; proves that the login works as well."""
        try:
            self._list("/api/channels/groups/")
        except UnknownRecord as error:
            raise SourceRefused(f"{error}: is DISPATCHARR_URL right, with its path prefix?") from error
        return f"Dispatcharr, version {self._record('/api/core/version/').get('version')}"

    # -- the library -------------------------------------------------------------------------
    def fetch(self) -> Snapshot:
        """Everything there is, fetched page by page."""
        broken: library.Broken = []
        agents = dict(library.read("user agent", self._list("/api/core/useragents/"), library.user_agent_of, broken))
        accounts = library.read(
            "account", self._list("/api/m3u/accounts/"), lambda raw: library.account_of(raw, agents), broken
        )
        groups = library.read("group", self._list("/api/channels/groups/"), library.group_of, broken)
        channels = library.read("channel", self._list("/api/channels/channels/"), library.channel_of, broken)
        logins = library.Logins()
        streams = self._streams(broken, logins)
        return Snapshot(
            accounts=library.shared_budgets(accounts, logins),
            groups=groups,
            channels=channels,
            streams=streams,
            broken=broken,
        )

    def _streams(self, broken: library.Broken, logins: library.Logins) -> Records[Stream]:
        """All streams. Pages come in the order of names, which is not unique, so they may repeat or miss some."""
        found = Records(Stream)
        unreadable: set[Any] = set()

        def take(page: list[Any]) -> None:
            made = library.read("stream", page, library.stream_of, broken)
            found.add(made)
            logins.look_at(made)
            if len(made) < len(page):
                unreadable.update(raw.get("id") for raw in page if isinstance(raw, dict))

        for page in self._session.pages("/api/channels/streams/", PAGE_SIZE):
            take(page)
        missing = [i for i in self._list("/api/channels/streams/ids/") if i not in found.texts and i not in unreadable]
        for start in range(0, len(missing), IDS_AT_ONCE):
            ids = {"ids": missing[start : start + IDS_AT_ONCE]}
            take(self._session.call("POST", "/api/channels/streams/by-ids/", body=ids))
        return found

    # -- viewers -----------------------------------------------------------------------------
    def viewers(self) -> dict[int, int]:
        """Connections that people use now, by the id of the account's profile: one for each channel being watched."""
        count: dict[int, int] = {}
        for channel in self._record("/proxy/ts/status").get("channels") or ():
            profile = channel.get("m3u_profile_id")
            if profile is not None and "stop" not in str(channel.get("state", "")).lower():
                count[int(profile)] = count.get(int(profile), 0) + 1
        return count

    # -- write-back --------------------------------------------------------------------------
    def order(self, channel_id: int) -> tuple[int, ...]:
        """The channel's streams as they are now; raises UnknownRecord when it is gone."""
        return _order_of(self._record(f"/api/channels/channels/{channel_id}/"))

    def write_order(self, channel_id: int, before: Sequence[int], after: Sequence[int]) -> None:
        """Replace the order ``before``; raises SourceConflict when somebody has changed it since it was read.

        Compared anew before each try: the answer to a write may be lost, and somebody may change the channel then.
        """
        patiently(lambda: self._replace(channel_id, tuple(before), tuple(after)))

    def _replace(self, channel_id: int, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        path = f"/api/channels/channels/{channel_id}/"
        now = _order_of(self._session.call_once("GET", path))
        if now == after:
            return
        if now != before:
            raise SourceConflict(f"channel {channel_id} was changed while it was finished")
        try:
            self._session.call_once("PATCH", path, body={"streams": list(after)})
        except SourceRefused as refused:
            if "Invalid pk" in str(refused):
                raise SourceConflict(f"a stream of channel {channel_id} has vanished") from refused
            raise

    def write_stats(self, channel_id: int, stats: Mapping[int, Mapping[str, Any]], at: Mapping[int, datetime]) -> None:
        """Lay statistics over those that the streams have: keys of others stay, and nothing is written twice.

        A stream that is gone by now needs none.
        """
        if not stats:
            return
        for stream in self._list(f"/api/channels/channels/{channel_id}/streams/"):
            stream_id, known = stream["id"], stream.get("stream_stats") or {}
            new = {**known, **stats.get(stream_id, {})}
            if new != known:
                body = {"stream_stats": new, "stream_stats_updated_at": at[stream_id].isoformat()}
                with suppress(UnknownRecord):
                    self._session.call("PATCH", f"/api/channels/streams/{stream_id}/", body=body)

    def _list(self, path: str) -> list[Any]:
        answer = self._session.call("GET", path)
        if not isinstance(answer, list):
            raise SourceUnavailable(f"GET {path}: the answer is no list")
        return answer

    def _record(self, path: str) -> dict[str, Any]:
        answer = self._session.call("GET", path)
        if not isinstance(answer, dict):
            raise SourceUnavailable(f"GET {path}: the answer is no record")
        return answer


def _order_of(channel: Any) -> tuple[int, ...]:
    if not isinstance(channel, dict) or not isinstance(channel.get("streams"), list):
        raise SourceUnavailable("the answer for a channel tells no streams")
    return tuple(channel["streams"])


def from_env(env: Mapping[str, str] = os.environ, home: Path | None = None) -> Dispatcharr:
    """Dispatcharr by ``DISPATCHARR_URL`` and an API key, or user name and password; raises ConfigError."""
    address, key = env.get("DISPATCHARR_URL", "").strip(), env.get("DISPATCHARR_API_KEY", "").strip()
    if not address.startswith(("http://", "https://")):
        raise ConfigError("DISPATCHARR_URL is not set to an http or https address, for example http://192.0.2.7:9191")
    ca_file = env.get("DISPATCHARR_CA_FILE", "").strip() or None
    if key:
        return Dispatcharr(Session(address, api_key=key, tokens=None, ca_file=ca_file))
    username, password = env.get("DISPATCHARR_USERNAME"), env.get("DISPATCHARR_PASSWORD")
    if not (username and password):
        raise ConfigError("set DISPATCHARR_API_KEY, or DISPATCHARR_USERNAME and DISPATCHARR_PASSWORD")
    tokens = Tokens(home or config.home(), address, username, password)
    return Dispatcharr(Session(address, api_key=None, tokens=tokens, ca_file=ca_file))

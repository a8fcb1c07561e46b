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
from streamflow.sources.dispatcharr import library
from streamflow.sources.dispatcharr.session import Session, patiently
from streamflow.sources.dispatcharr.tokens import Tokens
from streamflow.udi.models import Stream
from streamflow.udi.store import Snapshot

PAGE_SIZE = 2000
IDS_AT_ONCE = 500


class Dispatcharr:
    """Reads the library and the viewers, writes orders and statistics. Every method raises SourceError."""

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
        self._list("/api/channels/groups/")
        return f"Dispatcharr, version {self._get('/api/core/version/').get('version')}"

    # -- the library -------------------------------------------------------------------------
    def fetch(self) -> Snapshot:
        """Everything there is, fetched page by page."""
        broken: library.Broken = []
        agents = {agent["id"]: agent["user_agent"] for agent in self._list("/api/core/useragents/")}
        accounts = library.read(
            "account", self._list("/api/m3u/accounts/"), lambda raw: library.account_of(raw, agents), broken
        )
        groups = library.read("group", self._list("/api/channels/groups/"), library.group_of, broken)
        channels = library.read("channel", self._list("/api/channels/channels/"), library.channel_of, broken)
        streams = self._streams(broken)
        return Snapshot(
            accounts=library.shared_budgets(accounts, streams),
            groups=groups,
            channels=channels,
            streams=streams,
            broken=broken,
        )

    def _streams(self, broken: library.Broken) -> list[Stream]:
        """All streams. Pages come in the order of names, which is not unique, so they may repeat or miss some."""
        found: dict[int, Stream] = {}
        unreadable: set[Any] = set()
        for page in self._session.pages("/api/channels/streams/", PAGE_SIZE):
            self._take(page, found, unreadable, broken)
        missing = [i for i in self._list("/api/channels/streams/ids/") if i not in found and i not in unreadable]
        for start in range(0, len(missing), IDS_AT_ONCE):
            ids = {"ids": missing[start : start + IDS_AT_ONCE]}
            self._take(self._session.call("POST", "/api/channels/streams/by-ids/", body=ids), found, unreadable, broken)
        return [found[key] for key in sorted(found)]

    @staticmethod
    def _take(page: Any, found: dict[int, Stream], unreadable: set[Any], broken: library.Broken) -> None:
        made = library.read("stream", page, library.stream_of, broken)
        found.update((stream.id, stream) for stream in made)
        if len(made) < len(page):
            unreadable.update(raw.get("id") for raw in page if isinstance(raw, dict) and raw.get("id") not in found)

    # -- viewers -----------------------------------------------------------------------------
    def viewers(self) -> dict[int, int]:
        """Connections that people use now, by the id of the account's profile: one for each channel being watched."""
        count: dict[int, int] = {}
        for channel in self._get("/proxy/ts/status").get("channels", []):
            profile = channel.get("m3u_profile_id")
            if profile is not None and "stop" not in str(channel.get("state", "")).lower():
                count[int(profile)] = count.get(int(profile), 0) + 1
        return count

    # -- write-back --------------------------------------------------------------------------
    def order(self, channel_id: int) -> tuple[int, ...]:
        """The channel's streams as they are now; raises UnknownRecord when it is gone."""
        return tuple(self._get(f"/api/channels/channels/{channel_id}/")["streams"])

    def write_order(self, channel_id: int, before: Sequence[int], after: Sequence[int]) -> None:
        """Replace the order ``before``; raises SourceConflict when somebody has changed it since it was read.

        Compared anew before each try: the answer to a write may be lost, and somebody may change the channel then.
        """
        patiently(lambda: self._replace(channel_id, tuple(before), tuple(after)))

    def _replace(self, channel_id: int, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        path = f"/api/channels/channels/{channel_id}/"
        now = tuple(self._session.call_once("GET", path)["streams"])
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
        for stream in self._get(f"/api/channels/channels/{channel_id}/streams/"):
            stream_id, known = stream["id"], stream.get("stream_stats") or {}
            new = {**known, **stats.get(stream_id, {})}
            if new != known:
                body = {"stream_stats": new, "stream_stats_updated_at": at[stream_id].isoformat()}
                with suppress(UnknownRecord):
                    self._session.call("PATCH", f"/api/channels/streams/{stream_id}/", body=body)

    def _list(self, path: str) -> list[Any]:
        """A whole list; raises SourceRefused when there is none of this name."""
        try:
            answer = self._get(path)
        except UnknownRecord as error:
            raise SourceRefused(
                f"{path} is not there: is DISPATCHARR_URL right, with its path prefix, and Dispatcharr up to date?"
            ) from error
        if not isinstance(answer, list):
            raise SourceUnavailable(f"GET {path}: the answer is no list")
        return answer

    def _get(self, path: str) -> Any:
        answer = self._session.call("GET", path)
        if answer is None:
            raise SourceUnavailable(f"GET {path}: an empty answer")
        return answer


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

"""Dispatcharr as a source: its library and its viewers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

from redis import Redis

from streamflow.errors import ConfigError, SourceRefused, UnknownRecord
from streamflow.records import Event, Stream
from streamflow.sources.broken import BrokenRecords
from streamflow.sources.dispatcharr import events, library, providers
from streamflow.sources.dispatcharr.destination import Channels
from streamflow.sources.dispatcharr.proxy import Proxy
from streamflow.sources.dispatcharr.session import Session
from streamflow.sources.dispatcharr.tokens import Tokens
from streamflow.sources.dispatcharr.webhooks import Webhooks
from streamflow.udi.ports import Store
from streamflow.udi.snapshot import Records, Snapshot

PAGE_SIZE = 2000
IDS_PER_REQUEST = 500


class Dispatcharr:
    """Reads the library and the viewers. See :class:`streamflow.sources.source.Source`."""

    variables: ClassVar[tuple[str, ...]] = (
        "DISPATCHARR_URL",
        "DISPATCHARR_API_KEY",
        "DISPATCHARR_USERNAME",
        "DISPATCHARR_PASSWORD",
        "DISPATCHARR_CA_FILE",
    )
    example: ClassVar[str] = "DISPATCHARR_URL=http://192.0.2.7:9191"

    def __init__(self, session: Session) -> None:
        self._session = session
        self.channels = Channels(session)
        self.webhooks = Webhooks(session)
        self.proxy = Proxy(session)

    @classmethod
    def from_env(cls, env: Mapping[str, str], home: Path, redis: Redis | None = None) -> Self:
        """Make the source from ``DISPATCHARR_URL`` and an API key, or a user name and a password.

        :raises ConfigError: a variable is missing or wrong.
        """
        address, key, username, password, ca_file = (env.get(name, "").strip() for name in cls.variables)
        if not address.startswith(("http://", "https://")):
            raise ConfigError(f"DISPATCHARR_URL is not an http or https address; write for example {cls.example}")
        if not key and not (username and password):
            raise ConfigError("set DISPATCHARR_API_KEY, or DISPATCHARR_USERNAME and DISPATCHARR_PASSWORD")
        tokens = None if key else Tokens(home, address, username, env["DISPATCHARR_PASSWORD"], redis)
        return cls(Session(address, api_key=key or None, tokens=tokens, ca_file=ca_file or None))

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    @property
    def name(self) -> str:
        """The source as a message names it."""
        return "Dispatcharr"

    def summary(self) -> str:
        """Return Dispatcharr's version, after a request that needs the login.

        :raises SourceError: Dispatcharr cannot be read.
        """
        try:
            self._session.records("/api/channels/groups/")
        except UnknownRecord as error:
            raise SourceRefused(f"{error}: is DISPATCHARR_URL right, with its path prefix?") from error
        return f"Dispatcharr, version {self._session.record('/api/core/version/').get('version')}"

    def fetch(self) -> Snapshot:
        """Return the whole library, read page by page.

        :raises SourceError: Dispatcharr cannot be read.
        """
        records = self._session.records
        broken = BrokenRecords("records")
        agents = dict(library.read("user agent", records("/api/core/useragents/"), library.user_agent_of, broken))
        accounts = library.read(
            "account", records("/api/m3u/accounts/"), lambda raw: library.account_of(raw, agents, broken), broken
        )
        groups = library.read("group", records("/api/channels/groups/"), library.group_of, broken)
        # Dispatcharr lists channels that are hidden from output only on request.
        raw_channels = records("/api/channels/channels/", {"visibility_filter": "all"})
        channels = library.read("channel", raw_channels, library.channel_of, broken)
        logins = library.Logins()
        streams = self._streams(broken, logins, library.PageProfiles.of(self._profiles(), raw_channels))
        return Snapshot(
            accounts=library.shared_budgets(accounts, logins),
            groups=groups,
            channels=channels,
            streams=streams,
            broken=broken.listed(),
        )

    def _profiles(self) -> list[Any]:
        """Return the stream profiles; none for versions without them."""
        try:
            return self._session.records("/api/core/streamprofiles/")
        except UnknownRecord:
            return []

    def _streams(self, broken: BrokenRecords, logins: library.Logins, pages: library.PageProfiles) -> Records[Stream]:
        """Return all streams. Pages are ordered by name, which is not unique, so they may repeat or miss streams."""
        streams = Records(Stream)
        unreadable_ids: set[Any] = set()

        def add(page: list[Any]) -> None:
            readable = library.read("stream", page, lambda raw: library.stream_of(raw, pages), broken)
            streams.add(readable)
            logins.add(readable)
            if len(readable) < len(page):
                unreadable_ids.update(raw.get("id") for raw in page if isinstance(raw, dict))

        for page in self._session.pages("/api/channels/streams/", PAGE_SIZE):
            add(page)
        all_ids = self._session.records("/api/channels/streams/ids/")
        missing_ids = [i for i in all_ids if i not in streams.texts and i not in unreadable_ids]
        for start in range(0, len(missing_ids), IDS_PER_REQUEST):
            ids = {"ids": missing_ids[start : start + IDS_PER_REQUEST]}
            add(self._session.call("POST", "/api/channels/streams/by-ids/", body=ids))
        return streams

    def time_zone(self) -> str | None:
        """Return the time zone of Dispatcharr's system settings; None for versions without it.

        :raises SourceError: Dispatcharr cannot be read.
        """
        try:
            settings = self._session.records("/api/core/settings/")
        except UnknownRecord:
            return None
        values = [one.get("value") for one in settings if isinstance(one, dict) and one.get("key") == "system_settings"]
        zone = values[0].get("time_zone") if values and isinstance(values[0], dict) else None
        return zone if isinstance(zone, str) else None

    def events(self, *, with_programmes: bool) -> list[Event]:
        """Return the scheduled recordings and, if they are wanted, the programmes of the next 24 hours.

        :raises SourceError: Dispatcharr cannot be read.
        """
        found = list(events.recordings(self._session))
        return [*found, *events.programmes(self._session)] if with_programmes else found

    def refresh_providers(self, min_age: timedelta, patience: timedelta) -> dict[int, str]:
        """Refresh the active accounts, and return those whose refresh failed, each with the reason.

        :raises SourceError: Dispatcharr cannot be reached.
        """
        return providers.refresh(self._session, min_age, patience)

    def viewers(self) -> dict[int, int]:
        """Return the number of connections that viewers use, by the id of the account's profile.

        Each watched channel holds one connection, however many clients watch it.

        :raises SourceError: Dispatcharr cannot be read.
        """
        connections: dict[int, int] = {}
        for channel in self._session.record("/proxy/ts/status").get("channels") or ():
            profile = channel.get("m3u_profile_id")
            if profile is not None and "stop" not in str(channel.get("state", "")).lower():
                connections[int(profile)] = connections.get(int(profile), 0) + 1
        return connections

    def played(self, stream_id: int, since: datetime) -> Mapping[str, object]:
        """Return the statistics of a stream, if Dispatcharr has updated them since a moment.

        :raises SourceError: Dispatcharr cannot be read.
        """
        try:
            raw = self._session.record(f"/api/channels/streams/{stream_id}/")
            updated_at = datetime.fromisoformat(str(raw.get("stream_stats_updated_at")))
        except (UnknownRecord, ValueError):
            return {}
        stats = raw.get("stream_stats")
        return stats if isinstance(stats, dict) and updated_at >= since else {}

    def destination(self, store: Store) -> Channels:  # noqa: ARG002
        """Return Dispatcharr's own channels: it keeps the orders itself."""
        return self.channels

"""A provider's Xtream panel: requests to its ``player_api.php``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO

from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.masking import mask_url
from streamflow.records.account import MOST_CONNECTIONS
from streamflow.sources import web

INFO_SECONDS = 15.0
INFO_BYTES = 1 << 20
_UNLIMITED = frozenset({"unlimited", "no limit", "infinite", "∞"})


@dataclass(frozen=True)
class UserInfo:
    """A panel's figures about a login; None stands for a missing one.

    ``max_connections`` 0 = unlimited. ``active_connections`` counts the connections of all who use the login.
    """

    status: str = ""
    max_connections: int | None = None
    active_connections: int | None = None
    expires_at: datetime | None = None
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """One login at one panel.

    :param server: the panel's address, with a path prefix if it has one.
    :param seconds: the longest time that :meth:`user_info` may take.
    :param source_host: the host of the source that lists the panel's streams; empty for a panel that a person has
        entered. See :func:`streamflow.sources.web.download`.
    """

    server: str
    username: str
    password: str = field(repr=False)
    user_agent: str = web.USER_AGENT
    seconds: float = INFO_SECONDS
    source_host: str = ""

    @property
    def name(self) -> str:
        """The panel as a message names it."""
        return f"the Xtream panel at {mask_url(self.server)}"

    def user_info(self) -> UserInfo:
        """Return the figures about the login, from one request.

        :raises SourceUnavailable: the panel cannot be reached, or its reply is not a panel's.
        :raises SourceRefused: the login is wrong.
        """
        with self.query(seconds=self.seconds, max_bytes=INFO_BYTES) as body:
            try:
                reply = json.loads(body.read().decode("utf-8-sig", "replace"))
            except (ValueError, RecursionError) as error:
                # Also a number of thousands of digits, and brackets nested without end.
                raise self._no_panel() from error
        if not isinstance(reply, dict) or "user_info" not in reply:
            raise self._no_panel()
        info = reply["user_info"]
        if not isinstance(info, dict) or str(info.get("auth", 1)).lower() in ("0", "false"):
            raise SourceRefused(f"{self.name} has no such login: check user name and password")
        formats = info.get("allowed_output_formats")
        return UserInfo(
            status=str(info.get("status") or ""),
            max_connections=_limit(info.get("max_connections")),
            active_connections=_count(info.get("active_cons")),
            expires_at=_time(info.get("exp_date")),
            formats=tuple(map(str, formats)) if isinstance(formats, list) else (),
        )

    @contextmanager
    def query(self, *, seconds: float, max_bytes: int, **query: str) -> Iterator[BinaryIO]:
        """Open the panel's reply to a query as a file.

        :param seconds: the longest time that the whole exchange may take.
        :raises SourceError: the reply cannot be read.
        """
        params = {"username": self.username, "password": self.password, **query}
        with web.download(
            f"{self.server.rstrip('/')}/player_api.php",
            name=self.name,
            params=params,
            user_agent=self.user_agent,
            seconds=seconds,
            max_bytes=max_bytes,
            source_host=self.source_host,
        ) as body:
            yield body

    def _no_panel(self) -> SourceUnavailable:
        return SourceUnavailable(f"{self.name}: its reply is not that of an Xtream panel: is the address right?")


def _limit(value: Any) -> int | None:
    """Return a limit of connections: 0 for a word such as "Unlimited", at most ``MOST_CONNECTIONS``."""
    if isinstance(value, str) and value.strip().casefold() in _UNLIMITED:
        return 0
    limit = _count(value)
    return None if limit is None else min(limit, MOST_CONNECTIONS)


def _count(value: Any) -> int | None:
    """Return a whole number of at least 0, which may be written as text or with a fraction of zero; else None."""
    try:
        number = float(str(value).strip())
        return int(number) if number >= 0 and number.is_integer() else None
    except (ValueError, OverflowError):
        return None


def _time(value: Any) -> datetime | None:
    seconds = _count(value)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, OSError, ValueError):
        return None

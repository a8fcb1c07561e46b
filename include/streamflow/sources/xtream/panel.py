"""A provider's Xtream panel: what its ``player_api.php`` tells a login."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO

from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.masking import mask_url
from streamflow.sources import web

INFO_SECONDS = 15.0
INFO_BYTES = 1 << 20


@dataclass(frozen=True)
class UserInfo:
    """What a panel says about a login; None is what it does not say.

    ``max_connections`` 0 = unlimited. ``active_connections`` counts those of everybody who uses the login.
    """

    status: str = ""
    max_connections: int | None = None
    active_connections: int | None = None
    expires_at: datetime | None = None
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """One login at one panel; ``server`` is the panel's address, with a path prefix if it has one."""

    server: str
    username: str
    password: str = field(repr=False)
    user_agent: str = web.USER_AGENT
    # Bound of one call of `user_info`.
    seconds: float = INFO_SECONDS

    @property
    def name(self) -> str:
        return f"the Xtream panel at {mask_url(self.server)}"

    def user_info(self) -> UserInfo:
        """Ask once; raises SourceUnavailable, or SourceRefused when the login is wrong."""
        with self.asked(seconds=self.seconds, most_bytes=INFO_BYTES) as body:
            try:
                told = json.loads(body.read().decode("utf-8-sig", "replace"))
            except json.JSONDecodeError as error:
                raise self._no_panel() from error
        info = told.get("user_info") if isinstance(told, dict) else None
        if not isinstance(told, dict) or "user_info" not in told:
            raise self._no_panel()
        if not isinstance(info, dict) or str(info.get("auth", 1)).lower() in ("0", "false"):
            raise SourceRefused(f"{self.name}: it knows no such login: check user name and password")
        formats = info.get("allowed_output_formats")
        return UserInfo(
            status=str(info.get("status") or ""),
            max_connections=_count(info.get("max_connections")),
            active_connections=_count(info.get("active_cons")),
            expires_at=_time(info.get("exp_date")),
            formats=tuple(map(str, formats)) if isinstance(formats, list) else (),
        )

    @contextmanager
    def asked(self, *, seconds: float, most_bytes: int, **query: str) -> Iterator[BinaryIO]:
        """The panel's answer to a query, as a file; raises SourceError."""
        params = {"username": self.username, "password": self.password, **query}
        with web.answer(
            f"{self.server.rstrip('/')}/player_api.php",
            what=self.name,
            params=params,
            user_agent=self.user_agent,
            seconds=seconds,
            most_bytes=most_bytes,
        ) as body:
            yield body

    def _no_panel(self) -> SourceUnavailable:
        return SourceUnavailable(f"{self.name}: its answer is none of an Xtream panel: is the address right?")


def _count(value: Any) -> int | None:
    """Panels write numbers as text, and leave them out."""
    try:
        count = int(str(value).strip())
    except ValueError:
        return None
    return count if count >= 0 else None


def _time(value: Any) -> datetime | None:
    seconds = _count(value)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, OSError, ValueError):
        return None

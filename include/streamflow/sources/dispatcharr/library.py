"""Dispatcharr's records as the UDI's: a record that cannot be read is skipped, counted and named."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from streamflow.records import Account, Channel, Group, Profile, Stream

T = TypeVar("T")
Raw = dict[str, Any]
Broken = list[tuple[str, str]]

# URLs of an account that its login is told from.
LOGINS_LOOKED_AT = 20


def read(kind: str, records: Iterable[Raw], make: Callable[[Raw], T], broken: Broken) -> list[T]:
    """The records made, and a note in ``broken`` for each that can't be."""
    made = []
    for raw in records:
        try:
            made.append(make(raw))
        except (ValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
            name = raw.get("id", "without id") if isinstance(raw, dict) else "that is no object"
            broken.append((f"{kind} {name}", _why(error)))
    return made


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        # Without the input, which may hold a password.
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return f"{type(error).__name__}: {error}"


def group_of(raw: Raw) -> Group:
    return Group(id=raw["id"], name=raw["name"])


def user_agent_of(raw: Raw) -> tuple[int, str]:
    return int(raw["id"]), str(raw["user_agent"])


def stream_of(raw: Raw) -> Stream:
    return Stream(
        id=raw["id"],
        name=raw.get("name") or "",
        url=(raw.get("url") or "").strip() or None,
        account_id=raw.get("m3u_account"),
        group_id=raw.get("channel_group"),
        provider_id=None if raw.get("stream_id") is None else str(raw["stream_id"]),
        tvg_id=raw.get("tvg_id") or None,
        is_stale=bool(raw.get("is_stale")),
        is_custom=bool(raw.get("is_custom")),
    )


def channel_of(raw: Raw) -> Channel:
    """A user's overrides are in ``effective_*``, which versions before 0.2x leave out."""
    return Channel(
        id=raw["id"],
        name=raw.get("effective_name") or raw["name"],
        number=raw.get("effective_channel_number", raw.get("channel_number")),
        group_id=raw.get("effective_channel_group_id", raw.get("channel_group_id")),
        uuid=raw.get("uuid"),
        stream_ids=tuple(dict.fromkeys(raw["streams"])),
    )


def account_of(raw: Raw, user_agents: dict[int, str]) -> Account:
    profiles = tuple(_profile(profile) for profile in raw.get("profiles") or ())
    default = next((profile for profile in profiles if profile.is_default), None)
    return Account(
        id=raw["id"],
        name=raw["name"],
        account_type=raw.get("account_type") or "STD",
        max_streams=default.max_streams if default else raw.get("max_streams") or 0,
        is_active=bool(raw.get("is_active", True)),
        user_agent=user_agents.get(raw["user_agent"]) if raw.get("user_agent") is not None else None,
        server_group=raw.get("server_group"),
        budget=f"profile-{default.id}" if default else f"account-{raw['id']}",
        profiles=profiles,
    )


def _profile(raw: Raw) -> Profile:
    return Profile(
        id=raw["id"],
        name=raw.get("name") or "",
        max_streams=raw.get("max_streams") or 0,
        is_active=bool(raw.get("is_active", True)),
        is_default=bool(raw.get("is_default")),
        search_pattern=raw.get("search_pattern") or "",
        replace_pattern=raw.get("replace_pattern") or "",
    )


class Logins:
    """The logins that the first URLs of each account hold. Dispatcharr answers no passwords."""

    def __init__(self) -> None:
        self._seen: dict[int, Counter[tuple[str, str, str]]] = defaultdict(Counter)

    def look_at(self, streams: Iterable[Stream]) -> None:
        for stream in streams:
            if stream.account_id is not None and stream.url:
                seen = self._seen[stream.account_id]
                if seen.total() < LOGINS_LOOKED_AT and (found := login(stream.url)):
                    seen[found] += 1

    def of(self, account: Account) -> str | None:
        """A mark of the account's login, the same for all that use it; accounts of one server group are one server."""
        seen = self._seen.get(account.id)
        if not seen:
            return None
        host, username, password = seen.most_common(1)[0][0]
        server = host if account.server_group is None else f"group {account.server_group}"
        return hashlib.sha256(f"{server}\n{username.lower()}\n{password}".encode()).hexdigest()[:16]


def shared_budgets(accounts: list[Account], logins: Logins) -> list[Account]:
    """The accounts, those with one login under one budget."""
    marks = {account.id: mark for account in accounts if (mark := logins.of(account))}
    users = Counter(marks.values())
    return [
        account.model_copy(update={"budget": f"login-{marks[account.id]}"})
        if users[marks.get(account.id, "")] > 1
        else account
        for account in accounts
    ]


_LOGIN_PATH = re.compile(r"^/(?:live/|movie/|series/)?([^/]+)/([^/]+)/[^/]+$")


def login(url: str) -> tuple[str, str, str] | None:
    """Host, user name and password of an Xtream URL (``/live/USER/PASSWORD/ID.ts``, also without ``live``)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    found = _LOGIN_PATH.match(parts.path)
    return (parts.netloc.rpartition("@")[2], found.group(1), found.group(2)) if found else None

"""Dispatcharr's JSON as records of the UDI."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from streamflow import url_patterns
from streamflow.errors import UnusablePattern
from streamflow.masking import host_of
from streamflow.records import Account, Channel, Group, Profile, Stream
from streamflow.sources.broken import BrokenRecords
from streamflow.sources.web_pages import is_web_page, opens_pages
from streamflow.sources.xtream.login import Login, login_of

T = TypeVar("T")
Raw = dict[str, Any]

# The first URLs of an account show its login.
URLS_PER_ACCOUNT = 20


def read(kind: str, records: Iterable[Raw], make: Callable[[Raw], T], broken: BrokenRecords) -> list[T]:
    """Return what ``make`` makes of the records, and add to ``broken`` those of which it can make nothing."""
    readable = []
    for raw in records:
        try:
            readable.append(make(raw))
        except (ValidationError, KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            name = raw.get("id", "without id") if isinstance(raw, dict) else "that is not an object"
            broken.add(f"{kind} {name}", _reason(error))
    return readable


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        # The input is left out: it may hold a password.
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return f"{type(error).__name__}: {error}"


def group_of(raw: Raw) -> Group:
    """Return a group of channels or streams."""
    return Group(id=raw["id"], name=raw["name"])


def user_agent_of(raw: Raw) -> tuple[int, str]:
    """Return a user agent's id and text."""
    return int(raw["id"]), str(raw["user_agent"])


@dataclass(frozen=True)
class PageProfiles:
    """The stream profiles that open web pages, and the streams of the channels with such a profile."""

    profiles: frozenset[int] = frozenset()
    streams: frozenset[int] = frozenset()

    @classmethod
    def of(cls, raw_profiles: Iterable[Raw], raw_channels: Iterable[Raw]) -> Self:
        """Find the profiles among all of them, and the streams in the channels."""
        profiles = [raw.get("id") for raw in _objects(raw_profiles) if opens_pages(str(raw.get("command") or ""))]
        channels = [raw for raw in _objects(raw_channels) if effective(raw, "stream_profile_id") in profiles]
        streams = [raw.get("streams") for raw in channels]
        return cls(_ids(profiles), _ids(i for listed in streams if isinstance(listed, list) for i in listed))

    def include(self, raw: Raw) -> bool:
        """Return whether a stream is a web page by its own profile, or else by that of a channel."""
        profile = raw.get("stream_profile_id")
        return raw["id"] in self.streams if profile is None else profile in self.profiles


def effective(raw_channel: Raw, field: str) -> Any:
    """Return a field of a channel with the user's override, which versions before 0.2x leave out."""
    return raw_channel.get(f"effective_{field}", raw_channel.get(field))


def _ids(values: Iterable[Any]) -> frozenset[int]:
    return frozenset(value for value in values if isinstance(value, int))


def _objects(records: Iterable[Any]) -> Iterable[Raw]:
    return (raw for raw in records if isinstance(raw, dict))


def stream_of(raw: Raw, pages: PageProfiles) -> Stream:
    """Return a stream."""
    url = (raw.get("url") or "").strip() or None
    return Stream(
        id=raw["id"],
        name=raw.get("name") or "",
        url=url,
        account_id=raw.get("m3u_account"),
        group_id=raw.get("channel_group"),
        provider_id=None if raw.get("stream_id") is None else str(raw["stream_id"]),
        tvg_id=raw.get("tvg_id") or None,
        is_stale=bool(raw.get("is_stale")),
        is_custom=bool(raw.get("is_custom")),
        is_page=pages.include(raw) or is_web_page(url),
    )


def channel_of(raw: Raw) -> Channel:
    """Return a channel."""
    own_name = raw["name"]
    name = effective(raw, "name") or own_name
    return Channel(
        id=raw["id"],
        name=name,
        own_name=own_name if own_name != name else None,
        number=effective(raw, "channel_number"),
        group_id=effective(raw, "channel_group_id"),
        uuid=raw.get("uuid"),
        stream_ids=tuple(dict.fromkeys(raw["streams"])),
        tvg_id=raw.get("effective_tvg_id") or raw.get("tvg_id") or None,
        is_hidden=bool(raw.get("hidden_from_output")),
    )


def account_of(raw: Raw, user_agents: dict[int, str], broken: BrokenRecords) -> Account:
    """Return an account. Its default profile carries its limit and its budget.

    :param broken: takes the profiles whose patterns cannot be used.
    """
    name = raw["name"]
    profiles = tuple(_usable(_profile(profile), name, broken) for profile in raw.get("profiles") or ())
    default = next((profile for profile in profiles if profile.is_default), None)
    return Account(
        id=raw["id"],
        name=name,
        account_type=raw.get("account_type") or "STD",
        max_streams=default.max_streams if default else raw.get("max_streams") or 0,
        is_active=bool(raw.get("is_active", True)),
        user_agent=user_agents.get(raw["user_agent"]) if raw.get("user_agent") is not None else None,
        server_group=raw.get("server_group"),
        server_host=host_of(raw.get("server_url")),
        budget=f"profile-{default.id}" if default else f"account-{raw['id']}",
        expires_at=min(filter(None, map(_expiry, _objects([raw, *(raw.get("profiles") or ())]))), default=None),
        profiles=profiles,
    )


def _expiry(raw: Raw) -> datetime | None:
    """Return the end of a login's subscription; None when it is unknown, or not a date."""
    text = raw.get("exp_date")
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) and raw.get("is_active", True) else None
    except ValueError:
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


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


def _usable(profile: Profile, account: str, broken: BrokenRecords) -> Profile:
    """Return a profile; an inactive one when its pattern cannot be used, so that checks use other logins."""
    if profile.is_default or not profile.is_active:
        return profile
    try:
        url_patterns.check(profile.search_pattern, profile.replace_pattern)
    except UnusablePattern as error:
        broken.add(f"profile {profile.name or profile.id} of {account}", f"{error}; checks use the other logins")
        return profile.model_copy(update={"is_active": False})
    return profile


class Logins:
    """The logins in the first URLs of each account. Dispatcharr's API hides the accounts' passwords."""

    def __init__(self) -> None:
        self._by_account: dict[int, Counter[Login]] = defaultdict(Counter)

    def add(self, streams: Iterable[Stream]) -> None:
        """Read the logins of further streams."""
        for stream in streams:
            if stream.account_id is not None and stream.url:
                logins = self._by_account[stream.account_id]
                if logins.total() < URLS_PER_ACCOUNT and (login := login_of(stream.url)):
                    logins[login] += 1

    def digest(self, account: Account) -> str | None:
        """Return a digest of the account's login, None where its URLs show none.

        Accounts with the same login have the same digest. Accounts of one server group count as one server.
        """
        logins = self._by_account.get(account.id)
        if not logins:
            return None
        login = logins.most_common(1)[0][0]
        server = login.host if account.server_group is None else f"group {account.server_group}"
        return hashlib.sha256(f"{server}\n{login.username.lower()}\n{login.password}".encode()).hexdigest()[:16]


def shared_budgets(accounts: list[Account], logins: Logins) -> list[Account]:
    """Return the accounts, with one common budget for all accounts that use the same login."""
    digests = {account.id: digest for account in accounts if (digest := logins.digest(account))}
    users = Counter(digests.values())
    return [
        account.model_copy(update={"budget": f"login-{digests[account.id]}"})
        if users[digests.get(account.id, "")] > 1
        else account
        for account in accounts
    ]

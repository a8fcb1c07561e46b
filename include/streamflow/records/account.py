"""Provider accounts and their logins."""

from __future__ import annotations

from streamflow.records.record import Record


class Profile(Record):
    """One login of an account, with the rewriting that turns the account's URLs into this login's."""

    id: int
    name: str = ""
    max_streams: int = 0
    is_active: bool = True
    is_default: bool = False
    search_pattern: str = ""
    replace_pattern: str = ""


class Account(Record):
    """A provider account; ``max_streams`` connections at once, 0 = unlimited.

    ``budget`` names what its connections are counted against: accounts that share one login share it.
    """

    id: int
    name: str
    account_type: str = "STD"
    max_streams: int = 0
    is_active: bool = True
    user_agent: str | None = None
    server_group: int | None = None
    budget: str = ""
    profiles: tuple[Profile, ...] = ()

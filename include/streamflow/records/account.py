"""Provider accounts and their logins."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, AwareDatetime

from streamflow.records.record import Record
from streamflow.records.text import Name, Sentence, Url, Word

# No login has more; the limiter holds every number up to this one exactly.
MOST_CONNECTIONS = 1_000_000
Connections: TypeAlias = Annotated[int, AfterValidator(lambda number: min(number, MOST_CONNECTIONS))]


class Profile(Record):
    """One login of an account.

    ``search_pattern`` and ``replace_pattern`` rewrite the account's URLs to those of this login. ``max_streams`` 0
    means unlimited.
    """

    id: int
    name: Name = ""
    max_streams: Connections = 0
    is_active: bool = True
    is_default: bool = False
    search_pattern: Url = ""
    replace_pattern: Url = ""


class Account(Record):
    """A provider account.

    It allows ``max_streams`` connections at once, where 0 means unlimited. ``budget`` names the limit that counts its
    connections: accounts that share one login share one budget. ``server_host`` is the host of the provider's server,
    empty for an account without one. ``expires_at`` is the end of the subscription; None when it is unknown.
    """

    id: int
    name: Name
    account_type: Word = "STD"
    max_streams: Connections = 0
    is_active: bool = True
    user_agent: Sentence | None = None
    server_group: int | None = None
    budget: str = ""
    server_host: Name = ""
    expires_at: AwareDatetime | None = None
    profiles: tuple[Profile, ...] = ()

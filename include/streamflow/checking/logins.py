"""The URL of a stream for one login of its account: the account's further profiles rewrite it."""

from __future__ import annotations

from streamflow.checking.budgets import budget_of
from streamflow.errors import UnusablePattern
from streamflow.records import Account, Stream
from streamflow.url_patterns import rewritten


def url_for(stream: Stream, account: Account | None, budget: str | None) -> str:
    """Return the stream's URL as the profile behind ``budget`` opens it; empty for a stream without a URL.

    :raises UnusablePattern: when the profile's pattern cannot rewrite the URL; the message names the profile.
    """
    url = stream.url or ""
    for profile in account.profiles if account else ():
        if not profile.is_default and budget_of(profile) == budget:
            try:
                return rewritten(url, profile.search_pattern, profile.replace_pattern)
            except UnusablePattern as error:
                raise UnusablePattern(f"the profile {profile.name or profile.id} cannot be used: {error}") from None
    return url

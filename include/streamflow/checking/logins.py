"""The URL of a stream for one login of its account: the account's further profiles rewrite it."""

from __future__ import annotations

import re

from streamflow.checking.budgets import budget_of
from streamflow.records import Account, Profile, Stream


def url_for(stream: Stream, account: Account | None, budget: str | None) -> str:
    """Return the stream's URL as the profile behind ``budget`` opens it; empty for a stream without a URL."""
    url = stream.url or ""
    for profile in account.profiles if account else ():
        if not profile.is_default and budget_of(profile) == budget:
            return rewritten(url, profile)
    return url


def rewritten(url: str, profile: Profile) -> str:
    """Return the URL rewritten by a profile's patterns.

    Dispatcharr's patterns have JavaScript's syntax: ``(?<name>…)``, ``$1`` and ``$<name>`` (ECMA-262, RegExp and
    String.prototype.replace).
    """
    pattern = re.sub(r"\(\?<(?![=!])", "(?P<", profile.search_pattern)
    replacement = profile.replace_pattern.replace("\\", r"\\")
    replacement = re.sub(r"\$(\d+)", r"\\g<\1>", re.sub(r"\$<(\w+)>", r"\\g<\1>", replacement))
    return re.sub(pattern, replacement, url) if pattern else url

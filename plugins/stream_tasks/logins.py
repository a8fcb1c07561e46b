"""The URL of a stream for the login whose slot is held: an account's further profiles rewrite it."""

from __future__ import annotations

import re

from stream_tasks.limits import budget_of
from streamflow.records import Account, Profile, Stream


def url_for(stream: Stream, account: Account | None, budget: str | None) -> str:
    """The stream's URL as the profile behind ``budget`` opens it; empty for a stream without one."""
    url = stream.url or ""
    for profile in account.profiles if account else ():
        if not profile.is_default and budget_of(profile) == budget:
            return rewritten(url, profile)
    return url


def rewritten(url: str, profile: Profile) -> str:
    """The URL by a profile's patterns, which are written as in JavaScript: ``(?<name>…)``, ``$1`` and ``$<name>``."""
    pattern = re.sub(r"\(\?<(?![=!])", "(?P<", profile.search_pattern)
    replacement = profile.replace_pattern.replace("\\", r"\\")
    replacement = re.sub(r"\$(\d+)", r"\\g<\1>", re.sub(r"\$<(\w+)>", r"\\g<\1>", replacement))
    return re.sub(pattern, replacement, url) if pattern else url

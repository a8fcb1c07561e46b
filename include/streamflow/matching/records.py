"""The fields of channels and streams that matching reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChannelName:
    """A channel that looks for streams."""

    id: int
    name: str
    tvg_id: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class StreamName:
    """A stream that looks for its channel.

    :param account: the name of its account.
    """

    id: int
    name: str
    tvg_id: str = ""
    group: str = ""
    account_id: int | None = None
    account: str = ""

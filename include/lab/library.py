"""What the lab serves: accounts, streams with their behaviour and the verdict expected of them, channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Refusal = Literal["403", "429", "458", "503", "cut_oldest", "slate"]

# Where a stream's URL points: to the provider, or to somewhere that never serves it.
Place = Literal["provider", "untrusted_tls", "unresolvable", "refused", "silent"]

# What comes after a request: media, or one of the ways in which providers fail.
Kind = Literal[
    "play",  # media in real time
    "status",  # an HTTP status
    "html",  # a page with status 200
    "json",  # an error message as JSON with status 200
    "garbage",  # random bytes
    "empty",  # status 200 and the end
    "never",  # the request is taken, no answer comes
    "stall",  # media that stop after ``after_s``, for ``for_s`` seconds or for ever
    "drop",  # media, and the end after ``after_s``
    "truncate",  # media, and the end after ``after_bytes``
    "trickle",  # one byte a second
    "jump",  # media whose time stamps jump every ``after_s``
]


@dataclass(frozen=True)
class Behaviour:
    """How a stream answers; times in seconds.

    ``delay_s`` is the wait before the first byte, ``hops`` the redirects before the edge (each with a token that holds
    once), ``speed`` the share of real time that the server keeps up, ``burst_s`` the media sent at once on joining.
    ``wrap_in_s`` lets the time stamps pass 2**33 so long after the join. ``in_packets`` spreads the media over their
    time in packets of a network, seven of the transport stream in each, instead of tenths of a second at once.
    """

    kind: Kind = "play"
    status: int = 200
    retry_after: int | None = None
    delay_s: float = 0.0
    hops: int = 0
    after_s: float = 3.0
    for_s: float | None = None
    after_bytes: int = 0
    speed: float = 1.0
    burst_s: float = 1.0
    wrap_in_s: float | None = None
    in_packets: bool = False


PLAY = Behaviour()


@dataclass(frozen=True)
class Hls:
    """A stream in segments of about two seconds, the last ``window`` of them when live: HLS, or DASH if so wanted."""

    window: int = 5
    encrypted: bool = False
    vod: bool = False
    stale: bool = False
    variants: tuple[str, ...] = ()
    dash: bool = False


@dataclass(frozen=True)
class Account:
    """A provider login; ``max_streams`` 0 = unlimited. A closed connection still counts for ``linger_s`` seconds."""

    id: int
    name: str
    username: str
    password: str = field(repr=False)
    max_streams: int = 0
    refusal: Refusal = "403"
    linger_s: float = 0.0
    account_type: Literal["STD", "XC"] = "XC"
    is_active: bool = True


@dataclass(frozen=True)
class Stream:
    """One stream of one account, and what a good checker says about it; ``clip`` names a recipe."""

    id: int
    name: str
    account_id: int
    clip: str = "hd25_2m"
    behaviour: Behaviour = PLAY
    hls: Hls | None = None
    place: Place = "provider"
    group_id: int | None = None
    verdict: str = "ok"
    reason: str | None = None
    label_mismatch: bool = False


@dataclass(frozen=True)
class Group:
    id: int
    name: str


@dataclass(frozen=True)
class Channel:
    """A channel with its streams in the order that the lab's Dispatcharr starts with."""

    id: int
    number: float
    name: str
    group_id: int
    stream_ids: tuple[int, ...]


@dataclass(frozen=True)
class Library:
    """All that the lab serves."""

    accounts: Sequence[Account]
    streams: Sequence[Stream]
    channels: Sequence[Channel] = ()
    groups: Sequence[Group] = ()

    @cached_property
    def account(self) -> dict[int, Account]:
        return {account.id: account for account in self.accounts}

    @cached_property
    def stream(self) -> dict[int, Stream]:
        return {stream.id: stream for stream in self.streams}

    def named(self, name: str) -> Stream:
        """The first stream of that name; raises KeyError."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise KeyError(name)

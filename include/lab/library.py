"""The data that the lab serves: accounts, channels, and streams with their behaviour and expected verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Refusal = Literal["403", "429", "458", "503", "cut_oldest", "slate"]

# The server that a stream's URL points to: the provider, or a place that never serves the stream.
Place = Literal["provider", "untrusted_tls", "not_tls", "unresolvable", "refused", "silent"]

# The kind of response: media, or a typical failure of providers.
Kind = Literal[
    "play",  # media in real time
    "status",  # an HTTP status
    "html",  # a page with status 200
    "json",  # a JSON error message with status 200
    "garbage",  # random bytes
    "empty",  # status 200 and no body
    "never",  # no response
    "stall",  # media that pause after ``after_s``, for ``for_s`` seconds or for ever
    "drop",  # media that end after ``after_s``
    "truncate",  # media that end after ``after_bytes``
    "trickle",  # one byte a second
    "jump",  # media whose time stamps jump every ``after_s``
    "notice",  # a short file with its length, in place of the channel
    "false_length",  # media in real time behind the length of a file of gigabytes
    "false_head",  # media behind a head that violates the standard, as players accept it
    "proxy_error",  # null packets, and an error in the last of them
    "tuner",  # status 503 with the reason of a network tuner
]


@dataclass(frozen=True)
class Behaviour:
    """The way in which the provider serves a stream. Times are in seconds.

    :param kind: the kind of response; see :data:`Kind`.
    :param status: the HTTP status of kind ``status``.
    :param tuner_error: the header ``X-HDHomeRun-Error`` of kind ``tuner``.
    :param retry_after: the header ``Retry-After`` of kind ``status``.
    :param delay_s: the wait before the first byte.
    :param hops: the number of redirects before the edge. Each one carries a token that is valid once.
    :param after_s: the media time before a stall, a drop or a jump.
    :param for_s: the length of a stall. None means for ever.
    :param after_bytes: the number of bytes before a truncation.
    :param speed: the share of real time at which the server sends.
    :param burst_s: the media time that the server sends at once when a client joins.
    :param wrap_in_s: the time after the join at which the time stamps pass 2**33.
    :param in_packets: send packets of a network, with seven packets of the transport stream in each, instead of slices
        of a tenth of a second.
    """

    kind: Kind = "play"
    status: int = 200
    tuner_error: str = ""
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
    """A stream that is served in segments of about two seconds, by HLS or DASH.

    :param window: the number of segments in a live playlist.
    :param encrypted: encrypt the segments with AES-128.
    :param vod: serve a finished recording instead of a live playlist.
    :param notice: make the recording as short as a provider's notice in place of a channel.
    :param stale: stop adding segments after a minute.
    :param variants: the clips of a master playlist. Empty means no master playlist.
    :param dash: serve DASH instead of HLS.
    """

    window: int = 5
    encrypted: bool = False
    vod: bool = False
    notice: bool = False
    stale: bool = False
    variants: tuple[str, ...] = ()
    dash: bool = False


@dataclass(frozen=True)
class Account:
    """A login at the provider.

    :param max_streams: the number of connections that the provider allows. 0 means unlimited.
    :param refusal: the response to a connection above the limit.
    :param linger_s: the seconds for which a closed connection still counts.
    """

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
    """A stream of an account, with the verdict that a correct checker returns.

    :param clip: the name of a recipe in the catalogue.
    :param place: the server that the URL points to.
    :param label_mismatch: the name promises something that the stream does not deliver.
    """

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
    """A group of channels and streams."""

    id: int
    name: str


@dataclass(frozen=True)
class Channel:
    """A channel and its streams, in the order in which the simulated Dispatcharr starts."""

    id: int
    number: float
    name: str
    group_id: int
    stream_ids: tuple[int, ...]


@dataclass(frozen=True)
class Library:
    """Everything that the lab serves."""

    accounts: Sequence[Account]
    streams: Sequence[Stream]
    channels: Sequence[Channel] = ()
    groups: Sequence[Group] = ()

    @cached_property
    def account(self) -> dict[int, Account]:
        """Return the accounts by id."""
        return {account.id: account for account in self.accounts}

    @cached_property
    def stream(self) -> dict[int, Stream]:
        """Return the streams by id."""
        return {stream.id: stream for stream in self.streams}

    def named(self, name: str) -> Stream:
        """Return the first stream with a name.

        :raises KeyError: no stream has this name.
        """
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise KeyError(name)

"""The target, the progress and the outcome of a probe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from streamflow.records import Result

HTTP = ("http", "https")
# From the start to the first byte of media: redirects and playlists, each with a read time-out.
OPENING_READS = 3
# The time from the first byte in which a first key frame is waited for. x264's usual distance is 250 frames, and
# cameras send 12 to 15 a second.
FIRST_PICTURE_SECONDS = 22.0
# The schemes that libav opens itself, each with all protocols that it may use for it.
LIBAV = {
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,udp,tcp,tls",
    "udp": "udp",
    "rtp": "rtp,udp",
    "srt": "srt",
}


# The largest thumbnail, and the size of a slate: a grey copy of a picture, 64 x 36 points.
MAX_THUMBNAIL_BYTES = 20_000
SLATE_BYTES = 64 * 36

# Fields of ``Result.extra``. A busy provider sends the same status as one that is down: the reason of the stream in
# that case, and whether other connections of the login were in use.
FAILED_WITH = "failed_with"
BESIDE_OTHERS = "beside_others"

#: A recording's address, that of a panel's channel, of a file, or of anything else.
AddressForm = Literal["recording", "panel", "file", "other"]


@dataclass(frozen=True)
class KnownFigures:
    """The figures of an unchanged stream at its last good check, which a short sample can confirm."""

    video_codec: str | None
    width: int | None
    height: int | None
    fps: float | None
    bitrate_kbps: float
    audio_codecs: tuple[str, ...] = ()

    @classmethod
    def of(cls, result: Result) -> KnownFigures | None:
        """Return the figures of a good result; None for any other."""
        if result.verdict != "ok" or not result.bitrate_kbps:
            return None
        codecs = tuple(track.codec for track in result.audio)
        return cls(result.video_codec, result.width, result.height, result.fps, result.bitrate_kbps, codecs)


@dataclass(frozen=True)
class ProbeTarget:
    """A stream to probe.

    :param radio: whether its channel is radio, so that no video is expected.
    :param account_busy: whether other connections of the account are in use, so that a 403 may mean one too many.
    :param account_full: whether this connection is the last that the account allows, so that a still picture may mean
        one too many, unless it is one of ``known_slates``, and so may an early end: some providers end the older
        connection.
    :param known: the stream's figures at its last good check under the same URL, None without one.
    :param source_host: the host of the source that lists the stream, empty for a stream that a person has entered: a
        stream on a private address is probed only where its source is on one too.
    :param allowed_networks: networks (CIDR) on which a stream is probed in any case.
    """

    url: str = field(repr=False)
    name: str = ""
    account_id: int | None = None
    stream_id: int = 0
    user_agent: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    radio: bool = False
    account_busy: bool = False
    account_full: bool = False
    known_slates: tuple[bytes, ...] = field(default=(), repr=False)
    known: KnownFigures | None = None
    source_host: str = ""
    allowed_networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """A running probe: seconds since its start, bytes so far, and their bitrate over media time in kbit/s."""

    seconds: float
    bytes: int
    bitrate_kbps: int | None
    first_frame_ms: int | None
    phase: str


@dataclass(frozen=True)
class ProbeOutcome:
    """A probe's result.

    :param thumbnail: a JPEG of the picture.
    :param retryable: whether another try may end better.
    :param retry_after: seconds that the provider asked to wait.
    :param slate: the picture that stood still or repeated, in the form of :attr:`ProbeTarget.known_slates`.
    """

    result: Result
    thumbnail: bytes | None = field(default=None, repr=False)
    retryable: bool = False
    retry_after: float | None = None
    slate: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Address:
    """A URL without the options that players write behind it, and the headers that these ask for."""

    url: str = field(repr=False)
    scheme: str
    headers: Mapping[str, str]


# The addresses of films, episodes and recordings.
_RECORDING = re.compile(r"/(movie|series|timeshift|vod|recordings?|archive|catchup)/", re.IGNORECASE)
# The address of a live stream at a panel: user, password and number.
_PANEL_LIVE = re.compile(r"(/live)?/[^/]+/[^/]+/\d+(\.\w+)?")
_HEADER_NAMES = {"user-agent": "User-Agent", "referer": "Referer", "referrer": "Referer", "origin": "Origin"}


def address(target: ProbeTarget, user_agent: str) -> Address:
    """Split ``URL|User-Agent=…&Referer=…``, the form of Kodi and of playlists made from ``#EXTVLCOPT`` lines.

    :returns: the address; its scheme is empty where the text is no URL.
    """
    url, _, options = target.url.strip().partition("|")
    headers = {"User-Agent": target.user_agent or user_agent, **target.headers}
    for name, value in parse_qsl(options):
        if "\r" in value or "\n" in value:
            continue
        # "http-user-agent" is VLC's word, "User-Agent" Kodi's.
        headers[_HEADER_NAMES.get(name.lower().removeprefix("http-"), name)] = value
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        scheme = ""
    return Address(url, scheme, headers)


def form_of(url: str) -> AddressForm:
    """Return what the form of an address says about its stream."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return "other"
    if _RECORDING.search(path):
        return "recording"
    if _PANEL_LIVE.fullmatch(path):
        return "panel"
    return "file" if "." in path.rpartition("/")[2] else "other"

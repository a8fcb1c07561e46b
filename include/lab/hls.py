"""The provider's HLS and DASH: segments of the endless clips, in sessions that count as connections."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from aiohttp import web
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab.ledger import Connection
from lab.library import Account, Hls, Stream
from lab.manifests import Variant, manifest
from lab.mpegts import CLOCK
from lab.timeline import Timeline

if TYPE_CHECKING:
    from lab.provider import Provider

SEGMENT_SECONDS = 2.0
# A recording repeats its clip for this long. A notice is one loop of it.
RECORDING_SECONDS = 150.0
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"


@dataclass
class Session:
    """A client of a playlist. It counts until the socket of its latest request is closed."""

    account: Account
    stream: Stream
    connection: Connection
    key: bytes


@dataclass(frozen=True)
class Cuts:
    """The segments of a clip: the offsets at which they begin, and their lengths in seconds."""

    edges: list[int]
    seconds: list[float]

    @classmethod
    def of(cls, timeline: Timeline) -> Cuts:
        """Cut a clip into segments at its key frames."""
        clip = timeline.clip
        starts = [(0, 0)]
        first = clip.keys[0][1] if clip.keys else 0
        for offset, ticks in clip.keys:
            if (ticks - first - starts[-1][1]) / CLOCK >= SEGMENT_SECONDS - 0.1:
                starts.append((offset, ticks - first))
        times = [ticks for _, ticks in starts] + [clip.ticks]
        return cls([offset for offset, _ in starts] + [len(clip.data)], [(b - a) / CLOCK for a, b in pairwise(times)])

    def segment(self, timeline: Timeline, number: int) -> bytes:
        """Return the bytes of a segment."""
        loop, place = divmod(number, len(self.seconds))
        return timeline.cut(loop, self.edges[place], self.edges[place + 1])

    def window(self, timeline: Timeline, hls: Hls) -> tuple[int, int]:
        """Return the number of the first segment on offer, and the number after the last one."""
        count = len(self.seconds)
        if hls.vod:
            loops = 1 if hls.notice else math.ceil(RECORDING_SECONDS / sum(self.seconds))
            return 0, count * loops
        elapsed = 60.0 if hls.stale else timeline.now() * timeline.slice_s
        last = int(elapsed / sum(self.seconds)) * count
        while self.starts_at(last + 1) <= elapsed:
            last += 1
        return max(0, last - hls.window), last

    def starts_at(self, number: int) -> float:
        """Return the start of a segment in seconds since the start of the timeline."""
        loop, place = divmod(number, len(self.seconds))
        return loop * sum(self.seconds) + sum(self.seconds[:place])


class Playlists:
    """The routes of playlists, segments and keys."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._sessions: dict[str, Session] = {}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes to a router."""
        router.add_get("/live/{username}/{password}/{number:\\d+}.m3u8", self._open)
        router.add_get("/live/{username}/{password}/{number:\\d+}.mpd", self._open)
        router.add_get("/hls/{token}/{clip}.m3u8", self._playlist)
        router.add_get("/hls/{token}/{clip}/{number:\\d+}.ts", self._segment)
        router.add_get("/hls/{token}/key", self._key)

    async def _open(self, request: web.Request) -> web.StreamResponse:
        account = self._provider.login(request)
        stream = self._provider.wanted(request, account)
        token = self._session_of(request, stream)
        if token is None:
            connection = self._provider.ledger.admit(account, stream.id, request.transport)
            if connection is None:
                return self._provider.refusal(account)
            token = secrets.token_urlsafe(12)
            self._sessions[token] = Session(account, stream, connection, secrets.token_bytes(16))
        hls = stream.hls or Hls()
        if request.path.endswith(".mpd"):
            return web.Response(text=await self._manifest(token, stream, hls), content_type="application/dash+xml")
        if hls.variants:
            return _text(await self._master(token, hls))
        return _text(await self._media(token, stream.clip, hls))

    def _session_of(self, request: web.Request, stream: Stream) -> str | None:
        for token, session in self._sessions.items():
            held = session.connection
            if session.stream is stream and held.transport is request.transport and held.closed is None:
                return token
        return None

    def _session(self, request: web.Request) -> tuple[str, Session]:
        """Return the token and the session of a request, and count the session on the socket of this request.

        :raises aiohttp.web.HTTPForbidden: the token is unknown or the account is full.
        """
        token = request.match_info["token"]
        session = self._sessions.get(token)
        if session is None:
            raise web.HTTPForbidden(text="Token expired")
        if session.connection.closed is None:
            session.connection.transport = request.transport
        else:
            again = self._provider.ledger.admit(session.account, session.stream.id, request.transport)
            if again is None:
                raise web.HTTPForbidden(text="Maximum number of connections reached")
            session.connection = again
        return token, session

    async def _master(self, token: str, hls: Hls) -> str:
        lines = ["#EXTM3U", "#EXT-X-VERSION:3"]
        for clip in hls.variants:
            truth = (await self._provider.timeline(clip)).clip.truth
            lines.append(
                f"#EXT-X-STREAM-INF:BANDWIDTH={int(truth.bitrate_kbps * 1100)},"
                f"RESOLUTION={truth.width}x{truth.height},FRAME-RATE={truth.fps}"
            )
            lines.append(f"/hls/{token}/{clip}.m3u8")
        return "\n".join(lines) + "\n"

    async def _manifest(self, token: str, stream: Stream, hls: Hls) -> str:
        variants = []
        for clip in hls.variants or (stream.clip,):
            timeline = await self._provider.timeline(clip)
            cuts = Cuts.of(timeline)
            first, last = cuts.window(timeline, hls)
            lengths = [cuts.seconds[number % len(cuts.seconds)] for number in range(first, last)]
            variants.append(Variant(timeline.clip.truth, first, cuts.starts_at(first), lengths))
        return manifest(f"/hls/{token}/", variants, is_live=not hls.vod)

    async def _media(self, token: str, clip: str, hls: Hls) -> str:
        cuts = Cuts.of(timeline := await self._provider.timeline(clip))
        count = len(cuts.seconds)
        first, last = cuts.window(timeline, hls)
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            f"#EXT-X-TARGETDURATION:{math.ceil(max(cuts.seconds))}",
            f"#EXT-X-MEDIA-SEQUENCE:{first}",
        ]
        if hls.encrypted:
            lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="/hls/{token}/key"')
        for number in range(first, last):
            lines += [f"#EXTINF:{cuts.seconds[number % count]:.3f},", f"/hls/{token}/{clip}/{number}.ts"]
        if hls.vod:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"

    async def _playlist(self, request: web.Request) -> web.StreamResponse:
        token, session = self._session(request)
        return _text(await self._media(token, self._clip(request, session), session.stream.hls or Hls()))

    @staticmethod
    def _clip(request: web.Request, session: Session) -> str:
        clip = request.match_info["clip"]
        hls = session.stream.hls or Hls()
        if clip != session.stream.clip and clip not in hls.variants:
            raise web.HTTPNotFound(text="No such variant")
        return clip

    async def _segment(self, request: web.Request) -> web.StreamResponse:
        _, session = self._session(request)
        timeline = await self._provider.timeline(self._clip(request, session))
        number = int(request.match_info["number"])
        data = Cuts.of(timeline).segment(timeline, number)
        if session.stream.hls and session.stream.hls.encrypted:
            data = _encrypted(data, session.key, number)
        return web.Response(body=data, content_type="video/mp2t")

    async def _key(self, request: web.Request) -> web.StreamResponse:
        _, session = self._session(request)
        return web.Response(body=session.key, content_type="application/octet-stream")


def _encrypted(data: bytes, key: bytes, number: int) -> bytes:
    """Encrypt a segment by AES-128-CBC. The IV is the segment's number (RFC 8216, 5.2)."""
    pad = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(key), modes.CBC(number.to_bytes(16, "big"))).encryptor()
    return cipher.update(pad.update(data) + pad.finalize()) + cipher.finalize()


def _text(playlist: str) -> web.Response:
    return web.Response(text=playlist, content_type=PLAYLIST_TYPE)

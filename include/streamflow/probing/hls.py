"""HLS as a feed of bytes: the best variant's segments, decrypted, in order, as they come (RFC 8216)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import m3u8
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from streamflow.probing.connection import Connection, joined
from streamflow.probing.refusal import Refusal, dead

MAX_PLAYLIST_BYTES = 4_000_000
MAX_SEGMENT_BYTES = 100_000_000
# Where players join a live playlist: so many segments from its end (RFC 8216, 6.3.3).
JOIN_SEGMENTS = 3
# Without a new segment for so many target durations, the source has stopped.
STALE_TARGETS = 3
MISSING_IN_A_ROW = 3
# What a playlist may have us believe, and note down.
MAX_TARGET_SECONDS = 60.0
MAX_NOTED = 20
MAX_NOTED_CHARACTERS = 100
LOOK_SECONDS = 0.1


def is_playlist(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"#EXTM3U")


@dataclass
class Hls:
    """What the playlists told."""

    is_live: bool = True
    stale_s: float | None = None
    segments: int = 0
    missing: int = 0
    encrypted: bool = False
    separate_audio: list[str] = field(default_factory=list)
    variants: list[dict[str, Any]] = field(default_factory=list)


class Feed:
    """Follows a playlist; every address in it passes the same guard as the first."""

    def __init__(self, connection: Connection, told: Hls, wanted: Callable[[], bool]) -> None:
        self._connection = connection
        self._told = told
        self._wanted = wanted
        self._keys: dict[str, bytes] = {}
        self._init: tuple[str, Any] | None = None

    def follow(self, url: str, text: str) -> Iterator[bytes]:
        """The bytes of the stream behind the playlist ``text`` from ``url``; raises Refusal."""
        playlist = _parsed(text, url)
        if playlist.is_variant:
            url, playlist = self._choose(url, playlist)
        done: int | None = None
        changed_at = time.monotonic()
        missing = 0
        while self._wanted():
            self._told.is_live = not playlist.is_endlist
            first = playlist.media_sequence or 0
            segments = list(enumerate(playlist.segments, first))
            if not segments and done is None and playlist.is_endlist:
                raise dead("no_data", "the playlist names no segment")
            if done is None:
                done = first - 1 if playlist.is_endlist else first + max(0, len(segments) - JOIN_SEGMENTS) - 1
            elif segments and segments[-1][0] < done - len(segments):
                # The server began to count anew.
                done = first - 1
            for number, segment in segments:
                if number <= done or not self._wanted():
                    continue
                try:
                    yield from self._segment(url, number, segment)
                    missing = 0
                    self._told.segments += 1
                except Refusal as refusal:
                    # A segment that has left the playlist meanwhile is no fault of the stream.
                    missing += 1
                    self._told.missing += 1
                    is_last = playlist.is_endlist and number == segments[-1][0] and not self._told.segments
                    if missing >= MISSING_IN_A_ROW or refusal.reason != "http_404" or is_last:
                        raise
                done, changed_at = number, time.monotonic()
            if playlist.is_endlist:
                return
            target = min(max(1.0, float(playlist.target_duration or 2)), MAX_TARGET_SECONDS)
            quiet = time.monotonic() - changed_at
            if quiet > STALE_TARGETS * target:
                self._told.stale_s = round(quiet, 1)
                return
            self._pause(target / 2 if quiet < 0.1 else min(1.0, target / 4))
            if self._wanted():
                url, text = self._fetch(url)
                playlist = _parsed(text, url)

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self._wanted() and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)

    def _choose(self, url: str, playlist: m3u8.M3U8) -> tuple[str, m3u8.M3U8]:
        """The media playlist of the best variant: most lines, then most bits."""
        for variant in playlist.playlists[:MAX_NOTED]:
            info = variant.stream_info
            width, height = info.resolution or (None, None)
            self._told.variants.append(
                {"width": width, "height": height, "kbps": (info.bandwidth or 0) // 1000, "codecs": _noted(info.codecs)}
            )
        if not playlist.playlists:
            raise dead("no_data", "the playlist names no variant")
        best = max(playlist.playlists, key=lambda variant: _rank(variant.stream_info))
        group = best.stream_info.audio
        self._told.separate_audio = [
            _noted(media.language) or "und"
            for media in playlist.media
            if media.type == "AUDIO" and media.group_id == group and media.uri
        ][:MAX_NOTED]
        chosen, text = self._fetch(joined(url, best.uri))
        media = _parsed(text, chosen)
        if media.is_variant:
            raise dead("not_media", "a variant of the playlist is a list of variants again", retryable=False)
        return chosen, media

    def _fetch(self, url: str) -> tuple[str, str]:
        with self._connection.get(url) as answer:
            text = read_text(answer.body)
            if not is_playlist(text.encode()[:64]):
                raise dead("not_media", "the playlist leads to something that is no playlist")
            return answer.url, text

    def _segment(self, url: str, number: int, segment: Any) -> Iterator[bytes]:
        init = segment.init_section
        if not segment.uri:
            raise dead("not_media", "a segment of the playlist has no address")
        if init is not None and (init.uri, init.byterange) != self._init:
            self._init = init.uri, init.byterange
            yield from self._bytes(joined(url, init.uri), init.byterange)
        key = segment.key
        address = joined(url, segment.uri)
        if key is None or key.method in (None, "NONE"):
            yield from self._bytes(address, segment.byterange)
            return
        self._told.encrypted = True
        if key.method != "AES-128" or (key.keyformat or "identity") != "identity":
            raise dead("drm_protected", f"segments are encrypted by {key.method}", retryable=False)
        yield self._decrypted(joined(url, key.uri), key.iv, number, b"".join(self._bytes(address, segment.byterange)))

    def _bytes(self, url: str, byterange: str | None) -> Iterator[bytes]:
        wanted = _range(byterange) if byterange else None
        taken = 0
        with self._connection.get(url, byte_range=wanted) as answer:
            for chunk in answer.body:
                taken += len(chunk)
                if taken > MAX_SEGMENT_BYTES:
                    raise dead("not_media", f"a segment has more than {MAX_SEGMENT_BYTES // 1_000_000} MB")
                yield chunk

    def _decrypted(self, key_url: str, iv: str | None, number: int, data: bytes) -> bytes:
        if key_url not in self._keys:
            with self._connection.get(key_url) as answer:
                self._keys[key_url] = b"".join(answer.body)[:64]
        key = self._keys[key_url]
        if len(key) != 16 or len(data) % 16:
            raise dead("undecodable", "the key or a segment does not have the size that AES-128 needs")
        cipher = Cipher(algorithms.AES(key), modes.CBC(_vector(iv, number))).decryptor()
        plain = cipher.update(data) + cipher.finalize()
        try:
            unpad = padding.PKCS7(128).unpadder()
            return unpad.update(plain) + unpad.finalize()
        except ValueError:
            raise dead("undecodable", "a segment does not decrypt with its key") from None


def read_text(body: Iterator[bytes], begun: bytes = b"") -> str:
    """A whole playlist; raises Refusal when it is too long."""
    text = begun
    for chunk in body:
        text += chunk
        if len(text) > MAX_PLAYLIST_BYTES:
            raise dead("not_media", f"a playlist has more than {MAX_PLAYLIST_BYTES // 1_000_000} MB", retryable=False)
    return text.decode("utf-8", errors="replace")


def _range(text: str) -> tuple[int, int]:
    """First byte and number of bytes of ``count@first`` (RFC 8216, 4.3.2.2)."""
    count, _, first = text.partition("@")
    if not (count.isdigit() and (first or "0").isdigit()):
        raise dead("not_media", "a byte range of the playlist is none")
    return int(first or 0), int(count)


def _vector(iv: str | None, number: int) -> bytes:
    """The initialization vector: as given in hexadecimal digits, or the segment's number."""
    try:
        return (int(iv, 16) if iv else number).to_bytes(16, "big")
    except (ValueError, OverflowError):
        raise dead("undecodable", "the playlist's initialization vector is none") from None


def _parsed(text: str, url: str) -> m3u8.M3U8:
    try:
        return m3u8.loads(text, uri=url)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise dead("not_media", f"the playlist cannot be read: {type(error).__name__}") from error


def _noted(text: str | None) -> str | None:
    return text[:MAX_NOTED_CHARACTERS] if text else None


def _rank(info: Any) -> tuple[int, int]:
    return (info.resolution or (0, 0))[1], info.bandwidth or 0

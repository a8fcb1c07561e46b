"""What HLS and DASH have in common: media in segments, fetched one after the other over one guarded connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from streamflow.probing.judgement.refusal import Refusal, dead
from streamflow.probing.net.http_client import HttpClient

MAX_PLAYLIST_BYTES = 4_000_000
MAX_SEGMENT_BYTES = 100_000_000
# Half a minute of lossless surround sound.
MAX_SOUND_BYTES = 20_000_000
# Where players join a live stream: so many segments from its end (RFC 8216, 6.3.3).
JOIN_SEGMENTS = 3
# Without a new segment for so many target durations, the source has stopped.
STALE_TARGETS = 3
MISSING_IN_A_ROW = 3
# What a playlist may have us believe, and note down.
MAX_TARGET_SECONDS = 60.0
MAX_NOTED = 20
MAX_NOTED_CHARACTERS = 100
LOOK_SECONDS = 0.1

Sound = TypeVar("Sound")


@dataclass
class PlaylistInfo:
    """What the playlists told."""

    protocol: Literal["hls", "dash"]
    is_live: bool = True
    stale_s: float | None = None
    segments: int = 0
    missing: int = 0
    encrypted: bool = False
    # Places where the playlist says that the time stamps begin anew.
    announced_jumps: int = 0
    separate_audio: list[str] = field(default_factory=list)
    subtitles: list[str] = field(default_factory=list)
    # The bytes of sound that comes in segments of its own, its language, and why there are no more of them.
    sound: bytearray = field(default_factory=bytearray)
    sound_language: str | None = None
    sound_failure: str | None = None
    variants: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_sound_coming(self) -> bool:
        """Whether sound of its own is offered, of which nothing has come yet and nothing has failed."""
        return bool(self.separate_audio) and not self.sound and self.sound_failure is None

    def note_variant(self, size: tuple[int, int] | None, bits: int | None, codecs: str | None) -> None:
        if len(self.variants) < MAX_NOTED:
            width, height = size or (None, None)
            told = {"width": width, "height": height, "kbps": (bits or 0) // 1000, "codecs": noted(codecs)}
            self.variants.append(told)

    def note_audio(self, language: str | None) -> None:
        if len(self.separate_audio) < MAX_NOTED:
            self.separate_audio.append(noted(language) or "und")

    def note_subtitles(self, language: str | None) -> None:
        if len(self.subtitles) < MAX_NOTED:
            self.subtitles.append(f"webvtt:{noted(language) or 'und'}")

    def sound_opened(self, opened: Callable[[], Sound]) -> Sound | None:
        """What opens the sound; None, and noted, where that is refused: there is still a picture to look at."""
        try:
            return opened()
        except Refusal as refusal:
            self.sound_failure = refusal.detail
            return None

    def take_sound(self, segment: Iterator[bytes]) -> bool:
        """Keep a segment of the sound; False when there will be no more of them."""
        return self.sound_opened(lambda: self._kept(segment)) is not None

    def _kept(self, segment: Iterator[bytes]) -> bool | None:
        for chunk in segment:
            self.sound += chunk
        return True if len(self.sound) < MAX_SOUND_BYTES else None


class SegmentFetcher:
    """Fetches playlists and segments while they are ``wanted``; every address passes the same guard as the first."""

    def __init__(self, connection: HttpClient, told: PlaylistInfo, wanted: Callable[[], bool]) -> None:
        self.told = told
        self.wanted = wanted
        self._connection = connection
        self._missing = 0
        self._changed_at = time.monotonic()

    def text(self, url: str) -> tuple[str, str]:
        """Where a playlist came from, and what it says."""
        with self._connection.get(url) as answer:
            return answer.url, read_text(answer.body)

    def media(self, url: str, byte_range: tuple[int, int] | None = None) -> Iterator[bytes]:
        """A segment; ``byte_range`` is first byte and number of bytes."""
        taken = 0
        with self._connection.get(url, byte_range=byte_range) as answer:
            for chunk in answer.body:
                taken += len(chunk)
                if taken > MAX_SEGMENT_BYTES:
                    raise dead("not_media", f"a segment has more than {MAX_SEGMENT_BYTES // 1_000_000} MB")
                yield chunk

    def counted(self, segment: Iterator[bytes], *, is_only: bool) -> Iterator[bytes]:
        """Hand on a segment's bytes; passes over one that has left the playlist meanwhile, which is no fault."""
        try:
            yield from segment
        except Refusal as refusal:
            self._missing += 1
            self.told.missing += 1
            if self._missing >= MISSING_IN_A_ROW or refusal.reason != "http_404" or is_only:
                raise
        else:
            self._missing = 0
            self.told.segments += 1
        self._changed_at = time.monotonic()

    def is_stale(self, target_s: float) -> bool:
        """Wait for the next look at a live playlist, or answer that the source has stopped, and note it."""
        target = min(max(1.0, target_s), MAX_TARGET_SECONDS)
        quiet = time.monotonic() - self._changed_at
        if quiet > STALE_TARGETS * target:
            self.told.stale_s = round(quiet, 1)
            return True
        end = time.monotonic() + (target / 2 if quiet < LOOK_SECONDS else min(1.0, target / 4))
        while self.wanted() and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        return False


def read_text(body: Iterator[bytes], begun: bytes = b"") -> str:
    """A whole playlist; raises Refusal when it is too long."""
    text = begun
    for chunk in body:
        text += chunk
        if len(text) > MAX_PLAYLIST_BYTES:
            raise dead("not_media", f"a playlist has more than {MAX_PLAYLIST_BYTES // 1_000_000} MB", retryable=False)
    return text.decode("utf-8", errors="replace")


def noted(text: str | None) -> str | None:
    return text[:MAX_NOTED_CHARACTERS] if text else None


def refuse_encrypted_entries(init: bytes) -> None:
    """Raise Refusal for an initialization segment whose sample entries are encrypted (ISO/IEC 23001-7)."""
    if any(name in init for name in (b"encv", b"enca", b"pssh")):
        raise dead("drm_protected", "the media are under common encryption", retryable=False)

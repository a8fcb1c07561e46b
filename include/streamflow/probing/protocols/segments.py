"""Media in segments, as HLS and DASH send them: fetched one after the other over one HTTP client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from streamflow.probing.judgement.refusal import Refusal, dead
from streamflow.probing.net.http_client import HttpClient, HttpResponse
from streamflow.probing.protocols.picture_prefix import without_picture

# A recording window of a day, each address with a long token.
MAX_DOCUMENT_BYTES = 16_000_000
MAX_SEGMENT_BYTES = 100_000_000
# Half a minute of lossless surround sound.
MAX_AUDIO_BYTES = 20_000_000
# Players join a live stream this many segments from its end (RFC 8216, 6.3.3).
JOIN_SEGMENTS = 3
# A source has stopped when it publishes no segment for this many target durations.
STALE_TARGETS = 3
MAX_FAILURES_IN_A_ROW = 3
RETRY_SECONDS = 0.5
MAX_TARGET_SECONDS = 60.0
MAX_NOTED = 20
MAX_NOTED_CHARACTERS = 100
WAIT_SECONDS = 0.1
# Failures that another segment, variant or reload may not have.
_PASSING = frozenset(
    {
        "http_404", "http_410", "http_4xx", "http_5xx", "unauthorized", "provider_busy", "no_data", "dns_failure",
        "connection_refused", "connect_timeout", "tls_error",
    }
)  # fmt: skip

Opened = TypeVar("Opened")


def is_passing(refusal: Refusal) -> bool:
    """Return whether a failure concerns one request rather than the whole stream."""
    return refusal.reason in _PASSING


@dataclass
class PlaylistInfo:
    """Facts about a segmented stream, noted by its feed while it runs.

    :param has_moved: whether a live playlist has had a new segment since it was first read.
    :param duration_s: seconds from the start of a recording to its end, 0 where the playlist does not say.
    :param stale_s: seconds for which a live playlist has had no new segment, when it has stopped.
    :param segments: segments that were fetched, ``missing`` those that were not.
    :param announced_jumps: places where the playlist announces that the time stamps restart.
    :param separate_audio: languages of the audio in segments of its own, ``subtitles`` formats with languages.
    :param encrypted: segments are encrypted, ``has_sample_key`` their samples are.
    :param sample_key: the key, in hexadecimal digits, of a fragmented file whose samples are encrypted with a key that
        anyone may fetch.
    :param audio: bytes of the audio in segments of its own, ``audio_language`` its language, and ``audio_failure``
        why no more of them arrive.
    :param lost_variants: the variants that failed, each with the cause.
    :param borders: offsets in the feed's bytes where segments begin.
    """

    protocol: Literal["hls", "dash"]
    is_live: bool = True
    has_moved: bool = False
    duration_s: float = 0.0
    stale_s: float | None = None
    segments: int = 0
    missing: int = 0
    encrypted: bool = False
    has_sample_key: bool = False
    announced_jumps: int = 0
    separate_audio: list[str] = field(default_factory=list)
    subtitles: list[str] = field(default_factory=list)
    sample_key: str | None = field(default=None, repr=False)
    audio: bytearray = field(default_factory=bytearray)
    audio_language: str | None = None
    audio_failure: str | None = None
    variants: list[dict[str, Any]] = field(default_factory=list)
    lost_variants: list[dict[str, Any]] = field(default_factory=list)
    borders: list[int] = field(default_factory=list)

    @property
    def is_audio_pending(self) -> bool:
        """Whether audio of its own is offered, of which nothing has arrived and nothing has failed yet."""
        return bool(self.separate_audio) and not self.audio and self.audio_failure is None

    def note_variant(self, size: tuple[int, int] | None, bits: int | None, codecs: str | None) -> None:
        """Note a variant; only the first twenty are kept.

        :param bits: its bandwidth in bit/s.
        """
        if len(self.variants) < MAX_NOTED:
            self.variants.append(_described(size, bits, codecs))

    def note_lost_variant(self, size: tuple[int, int] | None, bits: int | None, refusal: Refusal) -> None:
        """Note that a variant failed and another one is measured in its place."""
        if len(self.lost_variants) < MAX_NOTED:
            width, height = size or (None, None)
            fault = {"width": width, "height": height, "kbps": (bits or 0) // 1000, "detail": refusal.detail}
            self.lost_variants.append(fault)

    def note_audio(self, language: str | None) -> None:
        """Note an audio track in segments of its own."""
        if len(self.separate_audio) < MAX_NOTED:
            self.separate_audio.append(_shortened(language) or "und")

    def note_subtitles(self, language: str | None) -> None:
        """Note a subtitle track."""
        if len(self.subtitles) < MAX_NOTED:
            self.subtitles.append(f"webvtt:{_shortened(language) or 'und'}")

    def audio_opened(self, open_audio: Callable[[], Opened]) -> Opened | None:
        """Return the audio that is opened; a failure is noted, since the picture can be measured without it."""
        try:
            return open_audio()
        except Refusal as refusal:
            self.audio_failure = refusal.detail
            return None

    def take_audio(self, segment: Iterator[bytes]) -> bool:
        """Keep a segment of the audio; False when no more of them are wanted."""
        return self.audio_opened(lambda: self._kept(segment)) is not None

    def _kept(self, segment: Iterator[bytes]) -> bool | None:
        for chunk in segment:
            self.audio += chunk
            if len(self.audio) >= MAX_AUDIO_BYTES:
                return None
        return True


def _described(size: tuple[int, int] | None, bits: int | None, codecs: str | None) -> dict[str, Any]:
    width, height = size or (None, None)
    return {"width": width, "height": height, "kbps": (bits or 0) // 1000, "codecs": _shortened(codecs)}


class SegmentFetcher:
    """Fetches playlists and segments while they are wanted.

    :param is_wanted: returns False once the sample is complete.
    """

    def __init__(self, client: HttpClient, info: PlaylistInfo, is_wanted: Callable[[], bool]) -> None:
        self.info = info
        self.is_wanted = is_wanted
        self._client = client
        self._failures = 0
        self._offset = 0
        self._is_reread = False
        self._changed_at = time.monotonic()

    @property
    def has_sent(self) -> bool:
        """Whether any byte of media has been handed on."""
        return self._offset > 0

    def document(self, url: str) -> tuple[str, bytes]:
        """Return a playlist or manifest, behind the address that it was sent from."""
        with self._client.get(url) as response:
            return response.url, read_document(response.body)

    def media(self, url: str, byte_range: tuple[int, int] | None = None) -> Iterator[bytes]:
        """Yield a segment's bytes, without a picture in front of them.

        :param byte_range: first byte and number of bytes.
        """
        with self._client.get(url, byte_range=byte_range) as response:
            yield from _bounded(without_picture(_ranged(response, byte_range)))

    def whole(self, url: str, byte_range: tuple[int, int] | None = None) -> bytes:
        """Return a key or an initialization segment."""
        with self._client.get(url, byte_range=byte_range) as response:
            return read_document(_ranged(response, byte_range))

    def counted(
        self, open_segment: Callable[[], Iterator[bytes]], *, is_only: bool, is_gap: bool = False
    ) -> Iterator[bytes]:
        """Yield a segment's bytes. A segment that fails is requested again once, then left out.

        :param is_only: there is no other segment, so that its failure is the stream's.
        :param is_gap: the playlist says that there may be nothing, so that its failure is none.
        :raises Refusal: after several failures in a row, and for failures that concern the whole stream.
        """
        self.info.borders.append(self._offset)
        begin = self._offset
        for is_retry in (False, True):
            try:
                for chunk in open_segment():
                    self._offset += len(chunk)
                    yield chunk
            except Refusal as refusal:
                if not is_passing(refusal) or not self.is_wanted():
                    raise
                if is_gap:
                    break
                # The newest segment of a live stream may be listed before each server of a network has it.
                if self._offset == begin and not is_retry and (refusal.retryable or refusal.reason == "http_404"):
                    self._pause(RETRY_SECONDS)
                    continue
                self._failures += 1
                self.info.missing += 1
                if self._failures >= MAX_FAILURES_IN_A_ROW or is_only:
                    raise
            else:
                self._failures = 0
                self.info.segments += 1
                self.info.has_moved = self._is_reread
            break
        self._changed_at = time.monotonic()

    def reread(self) -> None:
        """Note that what follows was not in the playlist when it was first read."""
        self._is_reread = True

    def is_stale(self, target_s: float) -> bool:
        """Wait until a live playlist is due again; True, and noted, when its source has stopped.

        :param target_s: the playlist's target duration in seconds.
        """
        target = min(max(1.0, target_s), MAX_TARGET_SECONDS)
        quiet = time.monotonic() - self._changed_at
        if quiet > STALE_TARGETS * target:
            self.info.stale_s = round(quiet, 1)
            return True
        self._pause(target / 2 if quiet < WAIT_SECONDS else min(1.0, target / 4))
        return False

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.is_wanted() and time.monotonic() < end:
            time.sleep(WAIT_SECONDS)


def read_document(body: Iterator[bytes], begun: bytes = b"") -> bytes:
    """Return a whole playlist or manifest that starts with ``begun``; raises Refusal when it is too long."""
    document = bytearray(begun)
    for chunk in body:
        document += chunk
        if len(document) > MAX_DOCUMENT_BYTES:
            raise dead("not_media", f"a playlist has more than {MAX_DOCUMENT_BYTES // 1_000_000} MB", retryable=False)
    return bytes(document)


def refuse_encrypted_entries(init: bytes) -> None:
    """Raise Refusal for an initialization segment whose sample entries are encrypted (ISO/IEC 23001-7)."""
    if any(name in init for name in (b"encv", b"enca", b"pssh")):
        raise dead("drm_protected", "the media are encrypted sample by sample", retryable=False)


def _bounded(body: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in body:
        size += len(chunk)
        if size > MAX_SEGMENT_BYTES:
            raise dead("not_media", f"a segment has more than {MAX_SEGMENT_BYTES // 1_000_000} MB")
        yield chunk


def _ranged(response: HttpResponse, byte_range: tuple[int, int] | None) -> Iterator[bytes]:
    """Yield the range of a body that was asked for, also where the server has sent the whole file."""
    if byte_range is None or response.status == HTTPStatus.PARTIAL_CONTENT:
        yield from response.body
        return
    (first, count), at = byte_range, 0
    for chunk in response.body:
        part = chunk[max(0, first - at) : max(0, first + count - at)]
        at += len(chunk)
        if part:
            yield part
        if at >= first + count:
            return


def _shortened(text: str | None) -> str | None:
    return text[:MAX_NOTED_CHARACTERS] if text else None

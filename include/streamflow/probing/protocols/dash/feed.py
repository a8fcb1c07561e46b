"""The bytes of a DASH stream: the best representation's segments in order (ISO/IEC 23009-1)."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from streamflow.probing.judgement.refusal import Refusal, dead
from streamflow.probing.net.http_client import HttpClient, joined
from streamflow.probing.protocols.dash import manifest
from streamflow.probing.protocols.dash.manifest import Manifest, SegmentRef
from streamflow.probing.protocols.segments import (
    JOIN_SEGMENTS,
    MAX_FAILURES_IN_A_ROW,
    PlaylistInfo,
    SegmentFetcher,
    is_passing,
    refuse_encrypted_entries,
)

# Representations that are tried when the better ones fail.
MAX_ATTEMPTS = 6


def server_ahead_s(headers: Mapping[str, str]) -> float:
    """Return the seconds by which the server's clock is ahead of this one; segments become available by its clock."""
    try:
        return email.utils.parsedate_to_datetime(headers.get("date", "")).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0


class DashFeed:
    """Follows a manifest; the client checks every address in it by the same policy as the first.

    :param ahead_s: see :func:`server_ahead_s`.
    """

    def __init__(self, client: HttpClient, info: PlaylistInfo, is_wanted: Callable[[], bool], ahead_s: float) -> None:
        self._fetcher = SegmentFetcher(client, info, is_wanted)
        self._info = info
        self._is_wanted = is_wanted
        self._ahead_s = ahead_s
        self._init: SegmentRef | None = None
        self._audio_init: SegmentRef | None = None
        self._audio_done: tuple[float, int] | None = None
        self._failures = 0
        self._origin = ""

    def follow(self, url: str, document: bytes, origin: str) -> Iterator[bytes]:
        """Yield the media bytes of the stream behind the manifest ``document`` from ``url``, where ``origin`` led.

        :raises Refusal: when there is nothing to yield, and when the stream fails later on.
        """
        first: Refusal | None = None
        self._origin = origin
        for skipped in range(MAX_ATTEMPTS):
            current = self._parsed(document, url, skipped)
            try:
                yield from self._followed(url, current, skipped)
            except Refusal as refusal:
                if self._fetcher.has_sent or not is_passing(refusal):
                    raise
                first = first or refusal
                if not current.alternatives:
                    break
                self._info.note_lost_variant(current.size, current.bandwidth, refusal)
            else:
                return
        if first:
            raise first

    def _followed(self, url: str, current: Manifest, skipped: int) -> Iterator[bytes]:
        if not current.segments and not current.is_live:
            raise dead("no_data", "the manifest names no segment")
        done = current.segments[-JOIN_SEGMENTS - 1][0] if self._joins_late(current) else None
        self._info.is_live, self._info.duration_s = current.is_live, current.duration_s
        while self._is_wanted():
            for key, segment in current.segments:
                if (done is not None and key <= done) or not self._is_wanted():
                    continue
                is_only = not current.is_live and not self._info.segments and key == current.segments[-1][0]
                yield from self._fetcher.counted(partial(self._segment, current, segment), is_only=is_only)
                done = key
                if current.audio and not self._info.audio_failure:
                    self._info.take_audio(self._audio(current.audio))
            if not current.is_live or self._fetcher.is_stale(current.target_s):
                return
            if self._is_wanted():
                url, current = self._reloaded(url, current, skipped)
                self._fetcher.reread()

    def _reloaded(self, url: str, current: Manifest, skipped: int) -> tuple[str, Manifest]:
        """Return the current manifest, or the old one for up to three failed requests in a row."""
        try:
            # The address that a redirect led to may expire.
            following = joined(url, current.location) if current.location else url
            address, document = self._fetcher.document(self._origin if self._failures else following)
            fresh = self._parsed(document, address, skipped)
        except Refusal as refusal:
            self._failures += 1
            if self._failures >= MAX_FAILURES_IN_A_ROW or not (is_passing(refusal) or refusal.reason == "not_media"):
                raise
            return url, current
        self._failures = 0
        return address, fresh

    @staticmethod
    def _joins_late(current: Manifest) -> bool:
        return current.is_live and len(current.segments) > JOIN_SEGMENTS

    def _parsed(self, document: bytes, url: str, skipped: int) -> Manifest:
        # The alternatives are noted once.
        info = self._info if not self._info.variants else PlaylistInfo("dash")
        return manifest.parse(document, url, time.time() + self._ahead_s, info, skipped=skipped)

    def _audio(self, audio: Manifest) -> Iterator[bytes]:
        """Yield the audio's next segment; the first has the same distance from the end as the video's first had."""
        if self._audio_done is None and self._joins_late(audio):
            self._audio_done = audio.segments[-JOIN_SEGMENTS - 1][0]
        due = [one for one in audio.segments if self._audio_done is None or one[0] > self._audio_done]
        for at, segment in due[:1]:
            self._audio_done = at
            if audio.init and audio.init != self._audio_init:
                self._audio_init = audio.init
                yield self._initialization(audio.init)
            yield from self._fetcher.media(segment.url, segment.byte_range)

    def _initialization(self, init: SegmentRef) -> bytes:
        data = self._fetcher.whole(init.url, init.byte_range)
        refuse_encrypted_entries(data)
        return data

    def _segment(self, current: Manifest, segment: SegmentRef) -> Iterator[bytes]:
        if current.init and current.init != self._init:
            data = self._initialization(current.init)
            self._init = current.init
            yield data
        yield from self._fetcher.media(segment.url, segment.byte_range)

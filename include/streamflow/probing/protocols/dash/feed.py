"""DASH as a feed of bytes: the best representation's segments in order, as they come (ISO/IEC 23009-1)."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator, Mapping

from streamflow.probing.judgement.refusal import dead
from streamflow.probing.net.http_client import HttpClient
from streamflow.probing.protocols.dash import manifest
from streamflow.probing.protocols.dash.manifest import Manifest, SegmentRef
from streamflow.probing.protocols.segments import JOIN_SEGMENTS, PlaylistInfo, SegmentFetcher, refuse_encrypted_entries


def ahead_by(headers: Mapping[str, str]) -> float:
    """Seconds by which the server's clock is ahead of this one; by its clock segments become available."""
    try:
        return email.utils.parsedate_to_datetime(headers.get("date", "")).timestamp() - time.time()
    except ValueError:
        return 0.0


class DashFeed:
    """Follows a manifest; every address in it passes the same guard as the first."""

    def __init__(
        self, connection: HttpClient, told: PlaylistInfo, wanted: Callable[[], bool], server_ahead_s: float
    ) -> None:
        self._fetcher = SegmentFetcher(connection, told, wanted)
        self._told = told
        self._wanted = wanted
        self._server_ahead_s = server_ahead_s
        self._init: SegmentRef | None = None
        self._sound_init: SegmentRef | None = None
        self._sound_done: tuple[float, int] | None = None

    def follow(self, url: str, text: str) -> Iterator[bytes]:
        """The bytes of the stream behind the manifest ``text`` from ``url``; raises Refusal."""
        current = self._read(text, url)
        if not current.segments and not current.is_live:
            raise dead("no_data", "the manifest names no segment")
        done = current.segments[-JOIN_SEGMENTS - 1][0] if self._joins_late(current) else None
        while self._wanted():
            self._told.is_live = current.is_live
            for key, segment in current.segments:
                if (done is not None and key <= done) or not self._wanted():
                    continue
                is_only = not current.is_live and not self._told.segments and key == current.segments[-1][0]
                yield from self._fetcher.counted(self._segment(current, segment), is_only=is_only)
                done = key
                if current.sound and not self._told.sound_failure:
                    self._told.take_sound(self._sound(current.sound))
            if not current.is_live or self._fetcher.is_stale(current.target_s):
                return
            if self._wanted():
                url, text = self._fetcher.text(url)
                current = self._read(text, url)

    @staticmethod
    def _joins_late(current: Manifest) -> bool:
        return current.is_live and len(current.segments) > JOIN_SEGMENTS

    def _read(self, text: str, url: str) -> Manifest:
        # What else is offered is noted once.
        told = self._told if not self._told.variants else PlaylistInfo("dash")
        return manifest.read(text, url, time.time() + self._server_ahead_s, told)

    def _sound(self, sound: Manifest) -> Iterator[bytes]:
        """The sound's next segment; the first is the one that stands as far from the end as the video's did."""
        if self._sound_done is None and self._joins_late(sound):
            self._sound_done = sound.segments[-JOIN_SEGMENTS - 1][0]
        due = [one for one in sound.segments if self._sound_done is None or one[0] > self._sound_done]
        for at, segment in due[:1]:
            self._sound_done = at
            if sound.init and sound.init != self._sound_init:
                self._sound_init = sound.init
                yield from self._begun(sound.init)
            yield from self._fetcher.media(segment.url, segment.byte_range)

    def _begun(self, init: SegmentRef) -> Iterator[bytes]:
        data = b"".join(self._fetcher.media(init.url, init.byte_range))
        refuse_encrypted_entries(data)
        yield data

    def _segment(self, current: Manifest, segment: SegmentRef) -> Iterator[bytes]:
        if current.init and current.init != self._init:
            self._init = current.init
            yield from self._begun(current.init)
        yield from self._fetcher.media(segment.url, segment.byte_range)

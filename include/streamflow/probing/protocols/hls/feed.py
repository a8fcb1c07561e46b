"""The bytes of an HLS stream: the best variant's segments, decrypted, in order (RFC 8216)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from streamflow.probing.judgement.refusal import Refusal, dead
from streamflow.probing.net.http_client import HttpClient, joined
from streamflow.probing.protocols.hls import sample_aes
from streamflow.probing.protocols.hls.decryption import decrypted, vector
from streamflow.probing.protocols.hls.playlist import (
    InitSection,
    MasterPlaylist,
    MediaPlaylist,
    Rendition,
    Segment,
    Variant,
    is_playlist,
    parse,
)
from streamflow.probing.protocols.hls.position import Position
from streamflow.probing.protocols.segments import (
    MAX_FAILURES_IN_A_ROW,
    PlaylistInfo,
    SegmentFetcher,
    is_passing,
    refuse_encrypted_entries,
)

# A list of variants may name another one (as proxies make them), this deep.
MAX_DEPTH = 3
# Variants that are tried when the better ones fail.
MAX_ATTEMPTS = 6
MAX_KEYS = 16
MAX_KEY_BYTES = 64
MAX_METHOD_CHARACTERS = 20


@dataclass
class _Track:
    """A media playlist that is being followed.

    :param url: where it was sent from, after redirects; its addresses are relative to that.
    :param origin: the address that led there.
    """

    url: str
    playlist: MediaPlaylist
    origin: str
    position: Position = field(default_factory=Position)
    init: InitSection | None = None
    failures: int = 0


class HlsFeed:
    """Follows a playlist; the client checks every address in it by the same policy as the first."""

    def __init__(self, client: HttpClient, info: PlaylistInfo, is_wanted: Callable[[], bool]) -> None:
        self._fetcher = SegmentFetcher(client, info, is_wanted)
        self._info = info
        self._is_wanted = is_wanted
        self._keys: dict[str, bytes] = {}
        self._variables: Mapping[str, str] = {}

    def follow(self, url: str, document: bytes, origin: str) -> Iterator[bytes]:
        """Yield the media bytes of the stream behind the playlist ``document`` from ``url``, where ``origin`` led.

        Audio of its own goes to the :class:`PlaylistInfo`, one segment after each one of the video.

        :raises Refusal: when there is nothing to yield, and when the stream fails later on.
        """
        yield from self._followed(url, parse(document, url), MAX_DEPTH, origin)

    def _followed(self, url: str, playlist: MasterPlaylist | MediaPlaylist, depth: int, origin: str) -> Iterator[bytes]:
        if isinstance(playlist, MediaPlaylist):
            yield from self._media(_Track(url, playlist, origin), None)
        elif depth == 0:
            raise dead("not_media", "lists of variants lead to further lists only", retryable=False)
        else:
            yield from self._best(url, playlist, depth)

    def _best(self, url: str, master: MasterPlaylist, depth: int) -> Iterator[bytes]:
        """Yield the bytes of the best variant that works; the better ones that fail are noted."""
        self._variables = master.variables
        for variant in master.variants:
            self._info.note_variant(variant.size, variant.bandwidth, variant.codecs)
        candidates = sorted(master.variants, key=lambda variant: variant.rank, reverse=True)[:MAX_ATTEMPTS]
        first: Refusal | None = None
        for variant in candidates:
            try:
                yield from self._variant(url, master, variant, depth)
            except Refusal as refusal:
                if self._fetcher.has_sent or not (is_passing(refusal) or refusal.reason == "not_media"):
                    raise
                first = first or refusal
                self._info.note_lost_variant(variant.size, variant.bandwidth, refusal)
            else:
                return
        raise first or dead("no_data", "the playlist names no variant")

    def _variant(self, url: str, master: MasterPlaylist, variant: Variant, depth: int) -> Iterator[bytes]:
        origin = joined(url, variant.uri)
        address, playlist = self._fetch(origin)
        if isinstance(playlist, MediaPlaylist):
            yield from self._media(_Track(address, playlist, origin), self._audio(url, master, variant))
        else:
            yield from self._followed(address, playlist, depth - 1, origin)

    def _audio(self, url: str, master: MasterPlaylist, variant: Variant) -> _Track | None:
        """Return the audio of a variant that comes in a playlist of its own, and note all its renditions."""
        if not self._info.subtitles:
            for one in master.renditions:
                if one.type == "SUBTITLES" and one.group == variant.subtitle_group:
                    self._info.note_subtitles(one.language)
        renditions = [one for one in master.renditions if one.type == "AUDIO" and one.group == variant.audio_group]
        # The default comes first. A rendition without an address is inside the variant.
        renditions.sort(key=lambda one: not one.is_default)
        if not self._info.separate_audio:
            for one in renditions:
                if one.uri:
                    self._info.note_audio(one.language)
        if not renditions or not renditions[0].uri:
            return None
        self._info.audio_language = renditions[0].language
        return self._info.audio_opened(lambda: self._rendition(url, renditions[0]))

    def _rendition(self, url: str, rendition: Rendition) -> _Track:
        origin = joined(url, rendition.uri)
        address, playlist = self._fetch(origin)
        if isinstance(playlist, MasterPlaylist):
            raise dead("not_media", "the playlist of the audio is a list of variants", retryable=False)
        return _Track(address, playlist, origin)

    def _media(self, track: _Track, audio: _Track | None) -> Iterator[bytes]:
        """Yield the segments of a media playlist until it ends, stops or is no longer wanted."""
        if not track.playlist.segments and track.playlist.is_ended:
            raise dead("no_data", "the playlist names no segment")
        # A live stream that ends later on has ended early, and is no recording.
        self._info.is_live = not track.playlist.is_ended
        self._info.duration_s = track.playlist.duration_s
        while self._is_wanted():
            is_ended = track.playlist.is_ended
            due = track.position.due(track.playlist)
            for segment in due:
                if not self._is_wanted():
                    break
                is_only = is_ended and segment is due[-1] and not self._info.segments
                if segment.is_discontinuity and self._info.segments:
                    self._info.announced_jumps += 1
                yield from self._fetcher.counted(
                    partial(self._segment, track, segment), is_only=is_only, is_gap=segment.is_gap
                )
                track.position.take(segment)
                if audio and not self._take_audio(audio):
                    audio = None
            if is_ended or self._fetcher.is_stale(track.playlist.target_s):
                return
            if self._is_wanted():
                self._reload(track)
                self._fetcher.reread()

    def _take_audio(self, audio: _Track) -> bool:
        """Fetch the next segment of the audio; False when no more of them are wanted."""
        is_taken = self._info.take_audio(self._next_audio(audio))
        if is_taken:
            audio.failures = 0
            return True
        audio.failures += 1
        if self._info.audio_failure is None or audio.failures >= MAX_FAILURES_IN_A_ROW:
            return False
        self._info.audio_failure = None
        return True

    def _next_audio(self, audio: _Track) -> Iterator[bytes]:
        due = audio.position.due(audio.playlist)
        if not due and not audio.playlist.is_ended:
            self._reload(audio)
            due = audio.position.due(audio.playlist)
        for segment in due[:1]:
            audio.position.take(segment)
            yield from self._segment(audio, segment)

    def _reload(self, track: _Track) -> None:
        """Fetch a live playlist again; keeps the old one when that fails, up to three times in a row."""
        try:
            # The address that a redirect led to may expire.
            address, playlist = self._fetch(track.origin if track.failures else track.url)
        except Refusal as refusal:
            track.failures += 1
            if track.failures >= MAX_FAILURES_IN_A_ROW or not (is_passing(refusal) or refusal.reason == "not_media"):
                raise
            return
        if isinstance(playlist, MediaPlaylist):
            track.failures = 0
            track.url, track.playlist = address, playlist

    def _fetch(self, url: str) -> tuple[str, MasterPlaylist | MediaPlaylist]:
        address, document = self._fetcher.document(url)
        if not is_playlist(document[:64]):
            raise dead("not_media", "the playlist leads to something that is not a playlist")
        return address, parse(document, address, self._variables)

    def _segment(self, track: _Track, segment: Segment) -> Iterator[bytes]:
        if segment.fault:
            raise dead("not_media", f"the playlist's {segment.fault} is invalid")
        if segment.init is not None and segment.init != track.init:
            data = self._fetcher.whole(joined(track.url, segment.init.uri), segment.init.byte_range)
            if not (segment.key and segment.key.is_open and segment.key.is_for_samples):
                refuse_encrypted_entries(data)
            track.init = segment.init
            yield data
        media = self._fetcher.media(joined(track.url, segment.uri), segment.byte_range)
        key = segment.key
        if key is None:
            yield from media
            return
        self._info.encrypted = True
        if not key.is_open:
            method = key.method[:MAX_METHOD_CHARACTERS]
            raise dead("drm_protected", f"segments are encrypted by {method}", retryable=False)
        if not key.uri:
            raise dead("undecodable", "EXT-X-KEY has no URI")
        secret, start = self._key(joined(track.url, key.uri)), vector(key.vector, segment.number)
        if not key.is_for_samples:
            yield from decrypted(media, secret, start)
            return
        self._info.has_sample_key = True
        if len(secret) != sample_aes.BLOCK:
            raise dead("drm_protected", "the server of the keys answers with something else", retryable=False)
        if segment.init is None:
            yield from sample_aes.decrypted(media, secret, start)
        else:
            # The fragments name what is encrypted themselves (ISO/IEC 23001-7), and libav decrypts them.
            self._info.sample_key = secret.hex()
            yield from media

    def _key(self, url: str) -> bytes:
        if url not in self._keys:
            if len(self._keys) >= MAX_KEYS:
                self._keys.clear()
            self._keys[url] = self._fetcher.whole(url)[:MAX_KEY_BYTES]
        return self._keys[url]

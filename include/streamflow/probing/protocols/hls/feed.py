"""HLS as a feed of bytes: the best variant's segments, decrypted, in order, as they come (RFC 8216)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import m3u8
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from streamflow.probing.judgement.refusal import dead
from streamflow.probing.net.http_client import HttpClient, joined
from streamflow.probing.protocols.segments import JOIN_SEGMENTS, PlaylistInfo, SegmentFetcher, refuse_encrypted_entries


def is_playlist(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"#EXTM3U")


@dataclass
class _Media:
    """A media playlist that is being followed; ``done`` is the number of the last segment taken."""

    url: str
    playlist: m3u8.M3U8
    done: int | None = None
    init: tuple[str, Any] | None = None

    @property
    def target_s(self) -> float:
        return float(self.playlist.target_duration or 2)

    def due(self) -> list[tuple[int, Any]]:
        """The segments that were not taken yet, each with its number; of a live playlist, from near its end on."""
        first, is_ended = self.playlist.media_sequence or 0, self.playlist.is_endlist
        segments = list(enumerate(self.playlist.segments, first))
        if self.done is None:
            self.done = first - 1 if is_ended else first + max(0, len(segments) - JOIN_SEGMENTS) - 1
        elif segments and segments[-1][0] < self.done - len(segments):
            # The server began to count anew.
            self.done = first - 1
        return [(number, segment) for number, segment in segments if number > self.done]


class HlsFeed:
    """Follows a playlist; every address in it passes the same guard as the first."""

    def __init__(self, connection: HttpClient, told: PlaylistInfo, wanted: Callable[[], bool]) -> None:
        self._fetcher = SegmentFetcher(connection, told, wanted)
        self._told = told
        self._wanted = wanted
        self._keys: dict[str, bytes] = {}
        self._range_ends: dict[str, int] = {}

    def follow(self, url: str, text: str) -> Iterator[bytes]:
        """The bytes of the stream behind the playlist ``text`` from ``url``; raises Refusal.

        Sound of its own goes to the :class:`PlaylistInfo`, a segment after each one of the video.
        """
        playlist, sound = _parsed(text, url), None
        if playlist.is_variant:
            media, sound = self._choose(url, playlist)
        else:
            media = _Media(url, playlist)
        if not media.playlist.segments and media.playlist.is_endlist:
            raise dead("no_data", "the playlist names no segment")
        while self._wanted():
            is_ended = media.playlist.is_endlist
            self._told.is_live = not is_ended
            due = media.due()
            for number, segment in due:
                if not self._wanted():
                    break
                is_only = is_ended and number == due[-1][0] and not self._told.segments
                yield from self._fetcher.counted(self._segment(media, number, segment), is_only=is_only)
                media.done = number
                if sound and not self._told.take_sound(self._sound(sound)):
                    sound = None
            if is_ended or self._fetcher.is_stale(media.target_s):
                return
            if self._wanted():
                self._refresh(media)

    def _choose(self, url: str, playlist: m3u8.M3U8) -> tuple[_Media, _Media | None]:
        """The media playlist of the best variant (most lines, then most bits), and that of its sound if it has one."""
        for variant in playlist.playlists:
            info = variant.stream_info
            self._told.note_variant(info.resolution, info.bandwidth, info.codecs)
        if not playlist.playlists:
            raise dead("no_data", "the playlist names no variant")
        best = max(playlist.playlists, key=lambda variant: _rank(variant.stream_info))
        groups = best.stream_info.audio, best.stream_info.subtitles
        renditions = [media for media in playlist.media if media.group_id in groups]
        for one in renditions:
            if one.type == "SUBTITLES":
                self._told.note_subtitles(one.language)
        sounds = [one for one in renditions if one.type == "AUDIO"]
        media = self._media(joined(url, best.uri))
        if not sounds:
            return media, None
        # The default comes first. One without an address is within the video's segments.
        sounds.sort(key=lambda one: one.default != "YES")
        for one in sounds:
            if one.uri:
                self._told.note_audio(one.language)
        if not sounds[0].uri:
            return media, None
        self._told.sound_language = sounds[0].language
        return media, self._told.sound_opened(lambda: self._media(joined(url, sounds[0].uri)))

    def _media(self, url: str) -> _Media:
        url, text = self._fetch(url)
        playlist = _parsed(text, url)
        if playlist.is_variant:
            raise dead("not_media", "a variant of the playlist is a list of variants again", retryable=False)
        return _Media(url, playlist)

    def _refresh(self, media: _Media) -> None:
        media.url, text = self._fetch(media.url)
        media.playlist = _parsed(text, media.url)

    def _sound(self, sound: _Media) -> Iterator[bytes]:
        """The next segment of the sound, if there is one by now."""
        due = sound.due()
        if not due and not sound.playlist.is_endlist:
            self._refresh(sound)
            due = sound.due()
        for number, segment in due[:1]:
            sound.done = number
            yield from self._segment(sound, number, segment)

    def _fetch(self, url: str) -> tuple[str, str]:
        url, text = self._fetcher.text(url)
        if not is_playlist(text[:64].encode()):
            raise dead("not_media", "the playlist leads to something that is no playlist")
        return url, text

    def _segment(self, playlist: _Media, number: int, segment: Any) -> Iterator[bytes]:
        url = playlist.url
        if not segment.uri:
            raise dead("not_media", "a segment of the playlist has no address")
        if segment.discontinuity and playlist.done is not None and self._told.segments:
            self._told.announced_jumps += 1
        init = segment.init_section
        if init is not None and (init.uri, init.byterange) != playlist.init:
            playlist.init = init.uri, init.byterange
            data = b"".join(self._bytes(joined(url, init.uri), init.byterange))
            refuse_encrypted_entries(data)
            yield data
        key = segment.key
        media = self._bytes(joined(url, segment.uri), segment.byterange)
        if key is None or key.method in (None, "NONE"):
            yield from media
            return
        self._told.encrypted = True
        if key.method != "AES-128" or (key.keyformat or "identity") != "identity":
            raise dead("drm_protected", f"segments are encrypted by {key.method}", retryable=False)
        yield self._decrypted(joined(url, key.uri), key.iv, number, b"".join(media))

    def _bytes(self, url: str, byterange: str | None) -> Iterator[bytes]:
        return self._fetcher.media(url, self._range(url, byterange) if byterange else None)

    def _range(self, url: str, text: str) -> tuple[int, int]:
        """First byte and number of bytes of ``count@first``; without the first, it follows the range before."""
        count, _, first = text.partition("@")
        if not (count.isdigit() and (first or "0").isdigit()):
            raise dead("not_media", "a byte range of the playlist is none")
        begin = int(first) if first else self._range_ends.get(url, 0)
        self._range_ends[url] = begin + int(count)
        return begin, int(count)

    def _decrypted(self, key_url: str, iv: str | None, number: int, data: bytes) -> bytes:
        if key_url not in self._keys:
            self._keys[key_url] = b"".join(self._fetcher.media(key_url))[:64]
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


def _vector(iv: str | None, number: int) -> bytes:
    """The initialization vector: as given in hexadecimal digits, or the segment's number."""
    try:
        return (int(iv, 16) if iv else number).to_bytes(16, "big")
    except (ValueError, OverflowError):
        raise dead("undecodable", "the playlist's initialization vector is none") from None


def _parsed(text: str, url: str) -> m3u8.M3U8:
    try:
        return m3u8.loads(text, uri=url)
    except (ValueError, OverflowError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise dead("not_media", f"the playlist cannot be read: {type(error).__name__}") from error


def _rank(info: Any) -> tuple[int, int]:
    return (info.resolution or (0, 0))[1], info.bandwidth or 0

"""A stream over HTTP as a sample: fetched by one process, analysed by another."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from streamflow.probing.handover import ReceivedMedia
from streamflow.probing.judgement.no_media import of_measurement
from streamflow.probing.judgement.refusal import Refusal, busy, dead
from streamflow.probing.media.analyzer import Analyzer
from streamflow.probing.media.measurement import Measurement, Sample
from streamflow.probing.media.source import Source
from streamflow.probing.media.transport_stream import is_transport_stream
from streamflow.probing.protocols import audio_rendition
from streamflow.probing.protocols.source_info import SourceInfo
from streamflow.probing.requests import MeasureRequest
from streamflow.probing.target import OPENING_READS, AddressForm

# A stream that is cut off this early, with this little media: the account's limit, or a token that was refused.
INSTANT_SECONDS = 1.0
INSTANT_MEDIA_SECONDS = 1.0
# A connection that lasted longer was not cut off for want of a place: what came could not be decoded.
CUT_SECONDS = 3.0
# Ten packets of a transport stream; less is no data.
LEAST_BYTES = 1880
# A stream that ends this shortly before the sample's end has not ended early.
EARLY_SECONDS = 0.5
# A recording shorter than this in place of a live stream is a notice of the provider.
NOTICE_SECONDS = 120.0
# A playlist without the form of a panel's channel is a notice when it is shorter than this.
PLAYLIST_NOTICE_SECONDS = 30.0
# A null packet of a transport stream (ISO/IEC 13818-1, 2.4.3.3): Dispatcharr's proxy sends them while it waits.
_NULL_PACKET = re.compile(rb"\x47[\x1f\x3f\x5f\x7f]\xff", re.DOTALL)
_PACKET_BYTES = 188
_HEADER_BYTES = 4
MAX_MESSAGE_CHARACTERS = 100


def measure(
    received: ReceivedMedia, request: MeasureRequest, source: SourceInfo, analyzer: Callable[[Source], Analyzer]
) -> Sample:
    """Measure a stream.

    :param received: the media, as the fetcher hands them over.
    :param source: holds what the fetcher knows about the stream's source.
    :param analyzer: makes the analyzer of what arrives.
    :raises Refusal: when there is nothing to measure.
    """
    found = _analysed(received, request, source, analyzer)
    received.finish()
    failure = received.failure
    if failure and failure.reason == "internal_error":
        raise failure
    playlist = source.playlist
    if playlist and playlist.audio and not found.audio:
        sound = audio_rendition.measure(bytes(playlist.audio), playlist.audio_language)
        sound.add_to(found)
        playlist.audio_failure = sound.failure
    _check_length(found, received, source, request)
    source.notice_s = _notice_s(found, received, source, request.address_form)
    return _sample(found, received, source, request)


def _analysed(
    received: ReceivedMedia, request: MeasureRequest, source: SourceInfo, analyzer: Callable[[Source], Analyzer]
) -> Measurement:
    received.deadline = received.started + request.connect_timeout + OPENING_READS * request.read_timeout
    received.peek(1)
    if received.first_byte is None:
        raise received.failure or dead("no_data", f"no media in {time.monotonic() - received.started:.1f} s")
    received.deadline = received.first_byte + request.read_timeout
    head = received.peek(LEAST_BYTES)
    if len(head) < LEAST_BYTES and received.ended is None:
        raise dead("no_data", f"{len(head)} bytes in {request.read_timeout:g} s")
    made = analyzer(received)
    container_format = "mpegts" if is_transport_stream(head) else None
    if source.playlist is None:
        return made.analyze_file(received, container_format)
    made.measurement.headers.restarts = source.playlist.borders
    return made.analyze_file(received, container_format, source.playlist.sample_key)


def _check_length(found: Measurement, received: ReceivedMedia, source: SourceInfo, request: MeasureRequest) -> None:
    """Disbelieve the length of a body that ended before it, or that comes no faster than a live stream."""
    is_incomplete = source.length is not None and received.bytes < source.length
    is_short = found.saved_s is None and found.media_s < request.sample_seconds - EARLY_SECONDS
    source.is_length_false = is_incomplete and is_short


def _notice_s(found: Measurement, received: ReceivedMedia, source: SourceInfo, form: AddressForm) -> float | None:
    """Return the duration of a short recording in place of a live stream, None for anything else."""
    if not (source.is_finite and found.has_video and found.bitrate_kbps) or form in ("recording", "file"):
        return None
    is_panel = form == "panel"
    if source.playlist:
        seconds = source.playlist.duration_s or found.media_s
        return seconds if seconds < (NOTICE_SECONDS if is_panel else PLAYLIST_NOTICE_SECONDS) else None
    is_video = (source.content_type or "").lower().startswith("video/")
    if source.length is None or not (is_panel or is_video):
        return None
    is_whole = received.ended is not None and received.bytes >= source.length and received.is_exhausted
    seconds = found.media_s if is_whole else source.length * 8 / 1000 / found.bitrate_kbps
    return seconds if seconds < NOTICE_SECONDS else None


def _sample(found: Measurement, received: ReceivedMedia, source: SourceInfo, request: MeasureRequest) -> Sample:
    if found.media_s == 0 and not found.pictures:
        raise _without_media(found, received, source)
    has_ended = received.ended is not None
    ended = time.monotonic() if received.ended is None else min(received.ended, time.monotonic())
    began = received.first_byte or received.started
    lasted = ended - began
    longest = max(lasted, found.media_s)
    is_complete = source.is_finite or found.saved_s is not None or longest >= request.sample_seconds - EARLY_SECONDS
    is_stale = source.playlist is not None and source.playlist.stale_s is not None
    early = None if not has_ended or is_complete or is_stale else lasted
    if early is not None and early < INSTANT_SECONDS and found.media_s < INSTANT_MEDIA_SECONDS:
        raise busy(f"cut off after {early:.1f} s")
    last = found.arrivals[-1][0] if found.arrivals else ended
    how = "nothing more came" if received.failure else "ended by itself"
    cut = None if early is None else f"{how} after {found.media_s:.1f} s of media"
    if source.is_finite or found.saved_s is not None:
        # A sample that has settled ends with its last packet.
        end = last
    else:
        end = max(last, ended if has_ended else min(time.monotonic(), received.deadline))
    return Sample(found, end, received.starved, cut, received.first_byte, received.bytes)


def _without_media(found: Measurement, received: ReceivedMedia, source: SourceInfo) -> Refusal:
    lasted = (received.ended or time.monotonic()) - (received.first_byte or received.started)
    is_cut = received.ended is not None and source.length is None and lasted < CUT_SECONDS
    refusal = of_measurement(found)
    # The first packets of a track may hold nothing that its decoder can begin with.
    is_early = refusal and refusal.reason == "codec_unsupported" and (is_cut or received.bytes < LEAST_BYTES)
    if refusal and not is_early:
        return refusal
    if found.headers.packets == 0 and _NULL_PACKET.match(received.head):
        return _null_packets(received)
    if received.failure:
        return received.failure
    if is_cut and found.headers.packets > 0:
        return busy(f"cut off after {received.bytes} bytes")
    if received.bytes < LEAST_BYTES:
        return dead("no_data", f"{received.bytes} bytes in {time.monotonic() - received.started:.0f} s")
    if received.head[4:8] == b"ftyp" and found.broken:
        return Refusal(
            "skipped", "unsupported_protocol", "an MP4 file whose index comes after its media", retryable=False
        )
    if found.has_video or found.audio:
        return dead("undecodable", f"tracks are announced, but nothing in {received.bytes} bytes could be decoded")
    return dead("not_media", f"{received.bytes} bytes that are no media of a known kind")


def _null_packets(received: ReceivedMedia) -> Refusal:
    """Return the Refusal for a stream of null packets, with the message in the last of them if there is one."""
    last = received.last_chunk[-_PACKET_BYTES:]
    message = last[_HEADER_BYTES:].rstrip(b"\x00\xff") if _NULL_PACKET.match(last) else b""
    text = message.decode("ascii", errors="replace")
    if text and text.isprintable():
        return dead("no_data", f"the proxy reports {text[:MAX_MESSAGE_CHARACTERS]!r} in place of media")
    lasted = time.monotonic() - (received.first_byte or received.started)
    return dead("no_data", f"null packets only, for {lasted:.0f} s, as a proxy sends them while its source starts")

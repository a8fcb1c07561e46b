"""A stream over HTTP as a sample: one guarded connection, received in one thread and measured in another."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamflow import config
from streamflow.probing.judgement.refusal import Refusal, busy, dead
from streamflow.probing.media.analyzer import Analyzer
from streamflow.probing.media.measurement import Measurement, Sample
from streamflow.probing.media.source import Source
from streamflow.probing.media.transport_stream import is_transport_stream
from streamflow.probing.net.http_client import HttpClient
from streamflow.probing.net.receive_buffer import ReceiveBuffer
from streamflow.probing.protocols import audio_rendition
from streamflow.probing.protocols.http_feed import SourceInfo, feed
from streamflow.probing.target import Address

# Cut off so soon, with so little: the account's limit, or a token that was refused.
INSTANT_SECONDS = 1.0
INSTANT_MEDIA_SECONDS = 1.0
# Fewer bytes than a few packets are no data at all.
LEAST_BYTES = 1880
# From the start to the first byte of media: a connection, and redirects and playlists, each with its own time-out.
OPENING_READS = 3
# An end so close before the sample's own is no end.
EARLY_SECONDS = 0.5


def measure(
    where: Address,
    settings: config.Probe,
    opening: SourceInfo,
    measuring: Callable[[Source], Analyzer],
    *,
    account_busy: bool,
) -> Sample:
    """Measure the stream, noting in ``opening`` what answered; raises Refusal.

    ``account_busy`` as in a ProbeTarget.
    """
    connection = HttpClient(
        where.headers,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        proxy=settings.proxy,
        account_busy=account_busy,
    )

    def close() -> None:
        opening.stopping = True
        connection.close()

    reception = ReceiveBuffer(lambda: feed(connection, where.url, opening, settings.read_timeout), close)
    try:
        found = _measured(reception, settings, measuring)
        if reception.failure and not isinstance(reception.failure, Refusal):
            raise reception.failure
        segmented = opening.segmented
        if segmented and segmented.sound and not found.audio:
            segmented.sound_failure = audio_rendition.measure(bytes(segmented.sound), segmented.sound_language, found)
        ended = time.monotonic() if reception.ended is None else min(reception.ended, time.monotonic())
        return _sample(found, reception, opening, settings, ended)
    finally:
        reception.stop()


def _measured(reception: ReceiveBuffer, settings: config.Probe, measuring: Callable[[Source], Analyzer]) -> Measurement:
    reception.deadline = reception.started + settings.connect_timeout + OPENING_READS * settings.read_timeout
    reception.peek(1)
    if reception.first_byte is None:
        raise reception.failure or dead("no_data", f"no media in {time.monotonic() - reception.started:.1f} s")
    reception.deadline = reception.first_byte + settings.read_timeout
    head = reception.peek(LEAST_BYTES)
    if len(head) < LEAST_BYTES and reception.ended is None:
        raise dead("no_data", f"{len(head)} bytes in {settings.read_timeout:g} s")
    return measuring(reception).analyze_file(reception, "mpegts" if is_transport_stream(head) else None)


def _sample(
    found: Measurement, reception: ReceiveBuffer, opening: SourceInfo, settings: config.Probe, ended: float
) -> Sample:
    began = reception.first_byte or reception.started
    by_itself = reception.ended is not None
    if found.media_s == 0 and not found.pictures:
        raise _without_media(found, reception, opening)
    lasted = ended - began
    complete = opening.is_finite or found.saved_s is not None or lasted >= settings.sample_seconds - EARLY_SECONDS
    is_stale = opening.segmented is not None and opening.segmented.stale_s is not None
    early = None if not by_itself or complete or is_stale else lasted
    if early is not None and early < INSTANT_SECONDS and found.media_s < INSTANT_MEDIA_SECONDS:
        raise busy(f"cut off after {early:.1f} s")
    last = found.arrivals[-1][0] if found.arrivals else ended
    how = "nothing more came" if isinstance(reception.failure, Refusal) else "ended by itself"
    cut = None if early is None else f"{how} after {max(0.0, last - began):.1f} s"
    if opening.is_finite or found.saved_s is not None:
        # What a sample waits for that ends early is its own conclusion.
        end = last
    else:
        end = max(last, ended if by_itself else min(time.monotonic(), reception.deadline))
    return Sample(found, end, reception.late.spells(), cut, reception.first_byte, reception.bytes)


def _without_media(found: Measurement, reception: ReceiveBuffer, opening: SourceInfo) -> Refusal:
    if found.headers.is_scrambled:
        return dead("drm_protected", "the packets are scrambled", retryable=False)
    if isinstance(reception.failure, Refusal):
        return reception.failure
    if reception.ended is not None and found.headers.packets > 0 and opening.length is None:
        return busy(f"cut off after {reception.bytes} bytes")
    if reception.bytes < LEAST_BYTES:
        return dead("no_data", f"{reception.bytes} bytes in {time.monotonic() - reception.started:.0f} s")
    if reception.head[4:8] == b"ftyp" and found.broken:
        return Refusal(
            "skipped", "unsupported_protocol", "an MP4 file whose index comes after its media", retryable=False
        )
    if found.has_video or found.audio:
        return dead("undecodable", "streams are announced, none carries a packet")
    return dead("not_media", f"{reception.bytes} bytes that are no media of a known kind")

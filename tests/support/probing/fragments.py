"""Clips of the lab as segments of HLS and DASH: fragmented MP4 by kind of track, or a transport stream in pieces."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise

import av

from lab import Clip

SECOND = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
SOUND = {"movflags": "empty_moov+default_base_moof", "frag_duration": "1000000"}


def fragmented(clip: Clip, kind: str, **encryption: str) -> tuple[bytes, list[bytes]]:
    """Return the initialization segment of the clip's ``video`` or ``audio``, and its fragments of about a second.

    :param encryption: options of libav's muxer that encrypt the samples.
    """
    out = io.BytesIO()
    options = (SECOND if kind == "video" else SOUND) | encryption
    data = io.BytesIO(bytes(clip.data))
    with av.open(data, format="mpegts") as source, av.open(out, "w", format="mp4", options=options) as made:
        if kind == "audio":
            # MP4 cannot hold AAC frames with ADTS headers, as a transport stream carries them.
            sound = made.add_stream("aac", rate=48_000)
            sound.bit_rate = 128_000
            for frame in source.decode(audio=0):
                made.mux(sound.encode(frame))
            made.mux(sound.encode(None))
        else:
            track = made.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = track
                    made.mux(packet)
    boxes = list(_top_boxes(out.getvalue()))
    parts = [data + boxes[at + 1][1] for at, (name, data) in enumerate(boxes) if name == b"moof"]
    return b"".join(data for name, data in boxes if name in (b"ftyp", b"moov")), parts


def cut(clip: Clip, seconds: int = 2) -> list[bytes]:
    """Return the transport stream in pieces of ``seconds`` groups of pictures, each of a second."""
    edges = [offset for offset, _ in clip.keys][::seconds]
    return [clip.data[start:end] for start, end in pairwise(edges)]


def packed_sound(clip: Clip) -> list[bytes]:
    """Return the clip's first audio track as packed audio (RFC 8216, 3.4), a second a piece."""
    pieces: list[bytes] = []
    with av.open(io.BytesIO(bytes(clip.data)), format="mpegts") as source:
        audio = source.streams.audio[0]
        frames = [bytes(packet) for packet in source.demux(audio) if packet.size]
    for at in range(0, len(frames), 47):
        stamp = (at * 1024 * 90_000 // 48_000).to_bytes(8, "big")
        owner = b"com.apple.streaming.transportStreamTimestamp\0" + stamp
        tag = b"PRIV" + len(owner).to_bytes(4, "big") + b"\0\0" + owner
        pieces.append(b"ID3\x04\0\0\0\0\0" + bytes((len(tag),)) + tag + b"".join(frames[at : at + 47]))
    return pieces


def _top_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at : at + size]
        at += size

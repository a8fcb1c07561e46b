"""Compression of results in Redis: raw DEFLATE (RFC 1951) with a preset dictionary of frequent text.

A packed result takes a fifth of its JSON. Results are by far the largest part of the data in Redis. Reading a stored
result needs the same ``COMMON``: a change of it needs a new layout.
"""

from __future__ import annotations

import zlib

from streamflow.records import Result
from streamflow.udi.snapshot import to_json

COMMON = (
    b'"extra":{"attempts":[{"verdict":"dead","reason":"connect_timeout","detail":"connection_refused"}],"variants":[]},'
    b'"reason":"http_404","reason":"no_data","reason":"unstable","reason":"low_bitrate","label_mismatch":"named 4K, '
    b'measured 1080p","verdict":"unknown","verdict":"degraded","verdict":"dead","reason":"unauthorized","detail":"'
    b'"attempts":3,"elapsed_s":10.0,"width":1280,"height":720,"fps":50.0,"interlaced":true,"hdr":"HDR10",'
    b'"video_codec":"hevc","video_profile":"Main 10","pixel_format":"yuv420p10le","container":"hls","audio":[{"codec":'
    b'"ac3","channels":6,"sample_rate":44100,"language":"deu"}],"codec":"mp2","stream_id":1,"account_id":1,"url_hash":"'
    b'0123456789abcdef","checked_at":"2026-01-01T00:00:00.000000Z","run_id":"manual__2026-01-01T00:00:00.000000+00:00",'
    b'"run_id":"scheduled__2026-01-01T00:00:00+00:00","verdict":"ok","elapsed_s":10.2,"first_frame_ms":400,"width":1920,'
    b'"height":1080,"fps":25.0,"interlaced":false,"video_codec":"h264","video_profile":"High","pixel_format":"yuv420p",'
    b'"bitrate_kbps":6000,"container":"mpegts","audio":[{"codec":"aac","channels":2,"sample_rate":48000,"language":"eng'
    b'"}],"black_ratio":0.0,"frozen_ratio":0.0,"silent_ratio":0.0,"decode_errors":0,"discontinuities":0,"score":0.8}'
)
# The negative of the window's binary logarithm selects raw DEFLATE. A window of 4 KiB holds COMMON and a result, and
# takes less time to set up than one of 32 KiB.
WINDOW = -12


def packed(result: Result) -> bytes:
    """Return a result as compressed JSON."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, WINDOW, 5, zdict=COMMON)
    return deflate.compress(to_json(result).encode()) + deflate.flush()


def unpacked(value: bytes) -> Result:
    """Return the result of a compressed JSON."""
    return Result.model_validate_json(_inflated(value))


def url_hash(value: bytes) -> bytes:
    """Return the URL's hash of a packed result, or empty bytes if it has none.

    This takes a tenth of the time of :func:`unpacked`.
    """
    return _inflated(value).partition(b'"url_hash":"')[2].partition(b'"')[0]


def _inflated(value: bytes) -> bytes:
    inflate = zlib.decompressobj(WINDOW, zdict=COMMON)
    return inflate.decompress(value) + inflate.flush()

"""The demuxer: libav's formats and limits for media that others send."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

# Demuxers for a feed of bytes: none of them opens further files or addresses by itself.
FORMATS = "mpegts,flv,mov,matroska,aac,mp3,ac3,eac3,ogg,flac,mpeg,h264,hevc,mpegvideo,asf,wav,loas,ivf,avi"
# Decoders of what broadcast and the web send; codecs of single images are no television.
CODECS = (
    "h264,hevc,vvc,av1,libdav1d,vp8,vp9,mpeg1video,mpeg2video,mpeg4,vc1,wmv3,cavs,flv,h263,theora,mjpeg,"
    "aac,aac_latm,ac3,eac3,dca,truehd,mlp,mp1,mp1float,mp2,mp2float,mp3,mp3float,opus,libopus,vorbis,flac,alac,s302m,"
    "wmav1,wmav2,wmapro,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_bluray,pcm_dvd,pcm_mulaw,"
    "pcm_alaw,dvbsub,pgssub,cc_dec,ass,srt,subrip,webvtt,mov_text"
)
# The most points of a picture, and the most bytes that libav takes at once: such a picture with half as many points of
# colour, two bytes a point, which some decoders keep in one piece.
MAX_PIXELS = 8192 * 4608
MAX_ALLOCATION_BYTES = 3 * MAX_PIXELS + 1_000_000
_LIBAVUTIL = re.compile(r"(/\S*libavutil\S*)$", re.MULTILINE)
# The largest amount that is read to find out about the streams. The same bytes are measured as well.
MAX_PROBE_BYTES = 3_000_000
MIN_PROBE_BYTES = 64_000
BUFFER_BYTES = 65_536
OPTIONS = {
    "probesize": str(MAX_PROBE_BYTES),
    "analyzeduration": "1500000",
    "fpsprobesize": "0",
    "format_whitelist": FORMATS,
    "protocol_whitelist": "",
    "codec_whitelist": CODECS,
    "max_streams": "100",
    "max_pixels": str(MAX_PIXELS),
    # Bytes after which a format that is still unknown counts as no media.
    "formatprobesize": "131072",
}


def limit_allocations() -> None:
    """Have libav refuse pictures of more than ``MAX_PIXELS`` wherever it decodes, for the rest of this process.

    It decodes some to learn about the streams, and takes no options for those that it finds on the way.
    """
    mapped = _LIBAVUTIL.search(Path("/proc/self/maps").read_text(encoding="utf-8"))
    if mapped is None:
        raise RuntimeError("libavutil is not loaded")
    # libavutil/mem.h
    ctypes.CDLL(mapped[1]).av_max_alloc(ctypes.c_size_t(MAX_ALLOCATION_BYTES))


class Readable(Protocol):
    """A file of bytes, as libav reads it."""

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end."""


def open_container(
    file: Readable,
    container_format: str | None = None,
    probe_bytes: int | None = None,
    sample_key: str | None = None,
) -> InputContainer:
    """Open a file of bytes.

    :param container_format: libav's name of the format; None to detect it.
    :param probe_bytes: the most that is read to find out about the streams.
    :param sample_key: decrypts the samples of a fragmented file; in hexadecimal digits.
    :raises FFmpegError: when the bytes are no media of a known format.
    """
    options = OPTIONS if probe_bytes is None else OPTIONS | {"probesize": str(probe_bytes)}
    if sample_key:
        options = options | {"decryption_key": sample_key}
    return av.open(
        file, "r", format=container_format, options=options, buffer_size=BUFFER_BYTES, metadata_errors="ignore"
    )


def packets(container: InputContainer) -> Iterator[Packet[Stream]]:
    """Yield all packets, except those of streams that a program adds later: PyAV raises IndexError for each of them."""
    while True:
        try:
            yield from container.demux()
        except IndexError:
            continue
        return

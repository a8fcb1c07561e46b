"""Elementary streams: closed groups of pictures at an exact bitrate, and whole frames of sound."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import cast

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from lab import pictures
from lab.recipes import Audio, Video

RATE = 48_000
FRAME_SAMPLES = {"aac": 1024, "ac3": 1536, "eac3": 1536, "mp2": 1152}
# The number of groups after which the pictures of a looped slate repeat.
SLATE_PERIOD = 2

_ENCODERS = {"h264": "libx264", "hevc": "libx265", "mpeg2video": "mpeg2video"}
_FILLER = {"h264": b"\x00\x00\x00\x01\x0c", "hevc": b"\x00\x00\x00\x01\x4c\x01"}


def encode_video(video: Video, kbps: float, groups: int) -> list[list[bytes]]:
    """Encode closed groups of pictures, each with exactly the bytes that the bitrate needs.

    Only the first group is encoded in whole. The other groups combine its predicted frames with key frames of their
    own.
    The stream is legal, all key frames differ, and the cost is that of one group.

    :raises ValueError: the frames do not fit into the bitrate.
    """
    size = round(kbps * 125 * video.gop / video.fps)
    heads, tail = _frames(video, groups)
    for _ in range(6):
        keys, rest = _coded(video, heads, tail)
        needed = max(map(len, keys)) + sum(map(len, rest)) + 8 * video.gop
        if needed <= size:
            return [_padded([keys[number % len(keys)], *rest], size, video.codec) for number in range(groups)]
        # Six steps of the quantiser halve the bits, roughly.
        video = replace(video, quality=video.quality + math.ceil(7 * math.log2(needed / size)))
    raise ValueError(f"{video} does not fit into {size} bytes a group")


def _coded(video: Video, heads: list[VideoFrame], tail: list[VideoFrame]) -> tuple[list[bytes], list[bytes]]:
    """Return the key frames, and the predicted frames of the first group."""
    context = _encoder(video)
    units: list[bytes] = []
    for number, frame in enumerate([heads[0], *tail, *heads[1:]]):
        key = number == 0 or number > len(tail)
        frame.pict_type = PictureType.I if key else PictureType.P
        frame.pts, frame.time_base = number, 1 / video.fps
        units += [bytes(packet) for packet in context.encode(frame)]
    units += [bytes(packet) for packet in context.encode(None)]
    return [units[0], *units[video.gop :]], units[1 : video.gop]


def _frames(video: Video, groups: int) -> tuple[list[VideoFrame], list[VideoFrame]]:
    """Return the key pictures (one a group, or one if they repeat) and the pictures that follow the first one."""
    after = video.gop - 1
    if video.picture == "moving":
        heads = pictures.moving(video, groups, video.fps / video.gop)
        return heads, pictures.moving(video, video.gop, video.fps)[1:]
    if video.picture == "slate_loop":
        heads = [pictures.slate(video, (step + 1) / SLATE_PERIOD) for step in range(SLATE_PERIOD)]
        return heads, [pictures.slate(video, 1 / SLATE_PERIOD) for _ in range(after)]
    if video.picture == "black":
        shown = pictures.black(video, 1)[0]
    elif video.picture == "slate":
        shown = pictures.slate(video)
    else:
        shown = pictures.moving(video, 1, video.fps)[0]
    return [shown], [shown] * after


def _encoder(video: Video) -> VideoCodecContext:
    context = cast("VideoCodecContext", av.CodecContext.create(_ENCODERS[video.codec], "w"))
    context.width, context.height, context.pix_fmt = video.width, video.height, video.pixel_format
    context.framerate, context.time_base = video.fps, 1 / video.fps
    context.gop_size, context.max_b_frames = 9999, 0
    common = f"aud=1:keyint=9999:scenecut=0:qp={video.quality}"
    if video.codec == "h264":
        field_order = ":tff=1" if video.interlaced else ""
        context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x264-params": f"{common}:sliced-threads=0{field_order}",
        }
    elif video.codec == "hevc":
        # The cheapest decisions of x265. Its fastest preset alone takes three times as long.
        cheap = "ctu=32:min-cu-size=32:max-tu-size=32:rd=1:early-skip=1:me=dia:merange=8:subme=0:max-merge=1"
        colour = ""
        if video.hdr:
            transfer = {"hdr10": 16, "hlg": 18}[video.hdr]
            colour = f":colorprim=9:transfer={transfer}:colormatrix=9:range=limited"
        if video.hdr == "hdr10":
            master = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
            colour += f":hdr10=1:master-display={master}:max-cll=1000,400"
        context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x265-params": f"{common}:{cheap}:open-gop=0:log-level=none{colour}",
        }
    else:
        context.options = {
            "flags": "+ildct+ilme+cgop" if video.interlaced else "+cgop",
            "sc_threshold": "1000000000",
            "qmin": str(video.quality),
            "qmax": str(video.quality),
        }
    return context


def _padded(units: list[bytes], size: int, codec: str) -> list[bytes]:
    """Stretch a group to ``size`` bytes by filler behind each picture, as an encoder with constant bitrate does."""
    missing = size - sum(map(len, units))
    if missing < 8 * len(units):
        raise ValueError(f"a group of {size - missing} bytes has no room for filler in {size}")
    share, odd = divmod(missing, len(units))
    return [unit + _filler(share + (number < odd), codec) for number, unit in enumerate(units)]


def _filler(size: int, codec: str) -> bytes:
    head = _FILLER.get(codec)
    # MPEG-2 video allows any number of zero bytes before a start code.
    return bytes(size) if head is None else head.ljust(size - 1, b"\xff") + b"\x80"


@lru_cache(maxsize=16)
def encode_audio(audio: Audio, seconds: Fraction) -> list[bytes]:
    """Encode the frames that fill ``seconds`` exactly.

    :raises ValueError: no whole number of frames fills the time.
    """
    count = seconds * RATE / FRAME_SAMPLES[audio.codec]
    if count.denominator != 1:
        raise ValueError(f"{float(seconds)} s hold no whole number of {audio.codec} frames")
    context = av.CodecContext.create(audio.codec, "w")
    context.sample_rate, context.bit_rate = RATE, audio.kbps * 1000
    context.layout = {1: "mono", 2: "stereo", 6: "5.1"}[audio.channels]
    formats = context.codec.audio_formats or []
    context.format = formats[0]
    samples = FRAME_SAMPLES[audio.codec]
    resampler = av.AudioResampler(format=context.format, layout=context.layout, rate=RATE, frame_size=samples)
    frames: list[bytes] = []
    sound = pictures.tones(RATE, audio.channels, audio.sound, seconds + 1)
    for frame in [piece for whole in sound for piece in resampler.resample(whole)]:
        frames += [bytes(packet) for packet in context.encode(frame)]
    # The first frames contain the encoder's delay. The loop begins after them.
    chosen = frames[3 : 3 + int(count)]
    if len(chosen) != count:
        raise ValueError(f"{len(frames)} frames of {audio.codec} do not fill {float(seconds)} s")
    return [_adts(frame, audio.channels) for frame in chosen] if audio.codec == "aac" else chosen


def _adts(frame: bytes, channels: int) -> bytes:
    """Put an ADTS header before a frame: AAC-LC, 48 kHz (ISO/IEC 13818-7)."""
    size = len(frame) + 7
    configuration = 6 if channels == 6 else channels
    return (
        bytes(
            (
                0xFF,
                0xF1,
                0x40 | 3 << 2 | configuration >> 2,
                (configuration & 3) << 6 | size >> 11,
                size >> 3 & 0xFF,
                (size & 7) << 5 | 0x1F,
                0xFC,
            )
        )
        + frame
    )

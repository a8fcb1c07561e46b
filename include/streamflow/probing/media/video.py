"""VideoAnalyzer: pictures decoded from few packets of the video, at a tenth of the cost of all."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from statistics import median
from typing import Any, cast

from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamflow.probing.media import freeze
from streamflow.probing.media.measurement import Measurement

MAX_PIXELS = 8192 * 4608
# Key pictures are decoded at most this often, in seconds of media; those of 2160 lines cost a tenth of a CPU-second.
PICTURE_EVERY = 0.45
# More pictures than this of one sample tell nothing more.
PICTURES = 20
BIG_PICTURE_EVERY = 1.9
BIG_LINES = 1440
# Where key frames are further apart than this, the pictures between them are decoded too, but of 2160 lines.
RARE_KEY_SECONDS = 2.6
RARE_PICTURE_EVERY = 0.9
# Where no packet is marked as key for so long, all of them are decoded until a picture comes.
NO_KEY_SECONDS = 4.0
# Of the frames between key pictures, so many are weighed; what fills them up to a constant bitrate is made of these
# bytes (ITU-T H.264, 7.3.2.7 and 7.3.2.14; ISO/IEC 13818-2, 5.2.3).
WEIGHED_EVERY = 7
FILLING = b"\x00\x03\xff"
# The start of an IDR slice of H.264 (ITU-T H.264, 7.4.1).
_IDR = re.compile(rb"\x00\x00\x01[\x25\x45\x65]")


class VideoAnalyzer:
    """The video of one sample: packets in; pictures, damage and what a picture tells into the measurement.

    ``on_first`` is told the packet of the first picture.
    """

    def __init__(
        self,
        video: VideoStream,
        found: Measurement,
        *,
        sample_seconds: float,
        thumbnails: bool,
        on_first: Callable[[Packet[Stream]], None],
    ) -> None:
        _prepare(video)
        self._video = video
        self._found = found
        self._thumbnails = thumbnails
        self._on_first = on_first
        self._every = max(PICTURE_EVERY, sample_seconds / PICTURES)
        self._scaler = freeze.Scaler()
        self._key_times: list[float] = []
        self._weights: list[int] = []
        self._since_key: list[tuple[Packet[Stream], float]] = []
        self._is_following = False
        self._is_gradual = False
        self._pictured_at = float("-inf")
        self._best_shot: tuple[bool, VideoFrame] | None = None

    def look(self, packet: Packet[Stream], media: float) -> None:
        """Take a packet of the video, ``media`` seconds of media after the first."""
        found = self._found
        found.video_packets += 1
        if packet.is_keyframe:
            found.key_frames += 1
            self._key_times.append(media)
            self._since_key = [(packet, media)]
            if self._is_following and not self._is_gradual:
                self._follow(False)
            if not self._is_following:
                self._look_at_key(packet, media)
                return
        else:
            if found.video_packets % WEIGHED_EVERY == 0:
                self._weights.append(len(bytes(packet).translate(None, FILLING)))
            if not self._is_following:
                self._look_between(packet, media)
                return
        self._decode_on(packet, media)

    def _look_at_key(self, packet: Packet[Stream], media: float) -> None:
        every = max(self._every, BIG_PICTURE_EVERY if (self._found.height or 0) > BIG_LINES else 0.0)
        if media - self._pictured_at >= every or not self._found.pictures:
            self._decode_alone(packet, media)

    def _look_between(self, packet: Packet[Stream], media: float) -> None:
        """Keep what follows a key frame; begin to decode all of it when the next one is long in coming."""
        if not self._key_times:
            if media > NO_KEY_SECONDS:
                self._follow(True)
                self._decode_on(packet, media)
            return
        if (self._found.height or 0) > BIG_LINES:
            return
        self._since_key.append((packet, media))
        if media - self._key_times[-1] > RARE_KEY_SECONDS:
            kept, self._since_key = self._since_key, []
            self._follow(True)
            for one, at in kept:
                self._decode_on(one, at)

    def _follow(self, following: bool) -> None:
        """Go over from key frames by themselves to all frames that others refer to, or back."""
        self._is_following = following
        self._video.codec_context.flush_buffers()
        self._video.codec_context.skip_frame = "NONREF" if following else "NONKEY"

    def _decode_on(self, packet: Packet[Stream], media: float) -> None:
        """Decode a frame in its turn; a picture is taken of few."""
        for frame in self._decoded(packet):
            # Before the first whole picture, damage is only what was missed before the start.
            if frame.is_corrupt and not self._is_gradual:
                self._found.decode_errors += bool(self._found.pictures)
            elif media - self._pictured_at >= max(self._every, RARE_PICTURE_EVERY) or not self._found.pictures:
                self._take_picture(frame, packet, media)

    def _decode_alone(self, packet: Packet[Stream], media: float) -> None:
        """Decode a key frame by itself; a decoder that reorders would hold it back until the next."""
        frames = self._decoded(packet, alone=True)
        if frames:
            self._found.decode_errors += frames[0].is_corrupt
            self._take_picture(frames[0], packet, media)
        elif self._video.codec_context.codec.canonical_name != "h264" or _IDR.search(bytes(packet)):
            self._found.decode_errors += 1
        else:
            # No key frame but a point from which H.264 refreshes the picture bit by bit.
            self._is_gradual = True
            self._follow(True)
            self._decode_on(packet, media)

    def _decoded(self, packet: Packet[Stream], *, alone: bool = False) -> list[VideoFrame]:
        context, payload = self._video.codec_context, cast("Packet[VideoStream]", packet)
        try:
            frames = context.decode(payload)
            if alone:
                frames += context.decode(None)
                context.flush_buffers()
        except FFmpegError:
            self._found.decode_errors += not alone and bool(self._found.pictures)
            context.flush_buffers()
            return []
        return frames

    def _take_picture(self, frame: VideoFrame, packet: Packet[Stream], media: float) -> None:
        self._pictured_at = media
        self._see(frame, media)
        if len(self._found.pictures) == 1:
            self._on_first(packet)

    def _see(self, frame: VideoFrame, media: float) -> None:
        found = self._found
        if found.width is None:
            found.width, found.height = frame.width, frame.height
            found.pixel_format = frame.format.name
            found.hdr = _hdr(frame)
        found.interlaced = bool(found.interlaced) or frame.interlaced_frame
        # What refreshes bit by bit is never marked as whole.
        is_whole = self._is_gradual or not frame.is_corrupt
        picture = replace(self._scaler.small(frame, media), is_whole=is_whole)
        found.pictures.append(picture)
        if self._thumbnails:
            shows = picture.is_whole and not picture.is_black
            if self._best_shot is None or (shows and not self._best_shot[0]):
                self._best_shot = shows, frame

    def note(self) -> None:
        """Note what the decoder knows by now."""
        found, video = self._found, self._video
        context = video.codec_context
        found.video_codec = context.codec.canonical_name
        found.video_profile = context.profile or video.profile
        found.level = _level(found.video_codec, context.level)
        if found.width is None and context.width:
            found.width, found.height = context.width, context.height
            found.pixel_format = context.pix_fmt
        if self._weights and found.width and found.height:
            found.residue = median(self._weights) * 8 / (found.width * found.height)
        ratio = self._sample_aspect
        found.sar = f"{ratio.numerator}:{ratio.denominator}" if ratio else None
        if len(self._key_times) >= 2 and (span := self._key_times[-1] - self._key_times[0]) > 0:
            found.gop_s = round(span / (len(self._key_times) - 1), 3)

    @property
    def _sample_aspect(self) -> Fraction | None:
        return self._video.codec_context.sample_aspect_ratio or self._video.sample_aspect_ratio

    def thumbnail(self) -> bytes | None:
        """A JPEG of the first picture that shows something; None where none is wanted or was seen."""
        return freeze.jpeg(self._best_shot[1], self._sample_aspect) if self._best_shot else None


def _prepare(video: VideoStream) -> None:
    context = video.codec_context
    # Frame threads would keep a picture each: a 2160-line stream then takes 250 MB.
    context.thread_count = 1
    context.skip_frame = "NONKEY"
    # What the loop filter smoothes is nothing to small pictures, and a third of their cost.
    context.options = {"max_pixels": str(MAX_PIXELS), "threads": "1", "skip_loop_filter": "all"}


def _hdr(frame: VideoFrame) -> str | None:
    """By the transfer function (ITU-T H.273: 16 = SMPTE ST 2084, 18 = ARIB STD-B67) and Dolby Vision's metadata."""
    if any("DOVI" in str(data.type).upper() for data in cast("Any", frame.side_data)):
        return "dolby_vision"
    return {16: "hdr10", 18: "hlg"}.get(int(frame.color_trc or 0))


def _level(codec: str, level: int | None) -> str | None:
    if not level or level < 0:
        return None
    scale = {"h264": 10, "hevc": 30}.get(codec)
    return f"{level / scale:.1f}" if scale else str(level)

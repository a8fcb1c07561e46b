"""Pictures of the video, decoded from a few packets at a tenth of the cost of all."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from statistics import mean, median
from typing import cast

from av import CodecContext
from av.error import FFmpegError
from av.packet import Packet
from av.sidedata.encparams import VideoEncParams
from av.sidedata.sidedata import SideData
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamflow.probing.media.demuxer import MAX_PIXELS
from streamflow.probing.media.luma import Scaler
from streamflow.probing.media.measurement import Measurement, VideoFormat
from streamflow.probing.media.thumbnail import BestShot

# Seconds of media between two decoded key pictures, at least; those of 2160 lines cost a tenth of a CPU-second each.
PICTURE_EVERY = 0.45
BIG_PICTURE_EVERY = 1.9
BIG_LINES = 1440
# More pictures of one sample would show nothing more.
PICTURES = 20
# Where key frames are further apart than this, the pictures between them are decoded too, unless they are big.
RARE_KEY_SECONDS = 2.6
RARE_PICTURE_EVERY = 0.9
# Where no packet is marked as key for this long, all packets are decoded until a picture comes.
NO_KEY_SECONDS = 4.0
# Every n-th packet between key pictures is weighed. Encoders fill up to a constant bitrate with these bytes (ITU-T
# H.264, 7.3.2.7 and 7.3.2.14; ISO/IEC 13818-2, 5.2.3).
WEIGHED_EVERY = 7
FILLING = b"\x00\x03\xff"
# Bits per point between key pictures below which the quantizer shows whether a picture needs no more.
FEW_BITS = 0.02
# An IDR slice of H.264, and any slice whose type is I (7 or 2; ITU-T H.264, 7.3.3): first_mb_in_slice is 0 there.
_IDR = re.compile(rb"\x00\x00\x01[\x25\x45\x65]")
_INTRA = re.compile(rb"\x00\x00\x01[\x21\x41\x61][\x88-\x8f\xb0-\xb7]")
# Transfer functions (ITU-T H.273): 16 is SMPTE ST 2084, 18 is ARIB STD-B67.
_TRANSFERS = {16: "hdr10", 18: "hlg"}
_LEVEL_SCALES = {"h264": 10, "hevc": 30}
# Integers in one block of libav's AVVideoBlockParams: place, size, and last the difference of the quantizer.
_BLOCK_INTEGERS = 5


# The loop filter's smoothing does not show in small pictures, and is a third of their cost.
_LIMITS = {"max_pixels": str(MAX_PIXELS), "threads": "1", "skip_loop_filter": "all"}


class VideoAnalyzer:
    """The video of one part of a sample: takes packets and adds pictures and damage to the measurement.

    :param on_format: is called with the format of the pictures, when the first comes and when it changes.
    """

    def __init__(
        self,
        video: VideoStream,
        measurement: Measurement,
        best_shot: BestShot | None,
        *,
        sample_seconds: float,
        on_format: Callable[[VideoFormat], None],
    ) -> None:
        _prepare(video)
        self.format: VideoFormat | None = None
        self._video = video
        self._measurement = measurement
        self._best_shot = best_shot
        self._on_format = on_format
        self._every = max(PICTURE_EVERY, sample_seconds / PICTURES)
        self._scaler = Scaler()
        self._key_times: list[float] = []
        self._weights: list[int] = []
        self._since_key: list[tuple[Packet[Stream], float]] = []
        self._first_field: tuple[Packet[Stream], float] | None = None
        self._is_field_coded = False
        self._is_following = False
        self._is_gradual = False
        self._pictured_at = float("-inf")

    # -- packets -----------------------------------------------------------------------------
    def take(self, packet: Packet[Stream], at: float) -> None:
        """Take a packet of the video; ``at`` is its media time in seconds."""
        measurement = self._measurement
        measurement.video_packets += 1
        if self._first_field:
            (first, first_at), self._first_field = self._first_field, None
            if self._complete(first, first_at, packet):
                self._since_key.append((packet, at))
                return
        if packet.is_keyframe:
            measurement.key_frames += 1
            self._key_times.append(at)
            self._since_key = [(packet, at)]
            if self._is_following and not self._is_gradual:
                self._follow(False)
            if not self._is_following:
                self._look_at_key(packet, at)
                return
        else:
            if measurement.video_packets % WEIGHED_EVERY == 0:
                self._weights.append(len(bytes(packet).translate(None, FILLING)))
            if not self._is_following:
                self._look_between(packet, at)
                return
        self._decode_on(packet, at)

    def expect_change(self) -> None:
        """Decode the next key picture in any case: its format may be another."""
        self._pictured_at = float("-inf")

    def _look_at_key(self, packet: Packet[Stream], at: float) -> None:
        every = max(self._every, BIG_PICTURE_EVERY if self._is_big else 0.0)
        if at - self._pictured_at < every and self._measurement.pictures:
            return
        if self._is_field_coded:
            self._first_field = packet, at
        elif frame := self._decoded_alone(packet):
            self._take_picture(frame, at)
        elif self._video.codec_context.codec.canonical_name == "h264":
            # The first field of a pair (PAFF), or a point of gradual refresh.
            self._first_field = packet, at
        else:
            self._measurement.decode_errors += 1

    @property
    def _is_big(self) -> bool:
        return self.format is not None and (self.format.height or 0) > BIG_LINES

    def _complete(self, first: Packet[Stream], at: float, packet: Packet[Stream]) -> bool:
        """Decode the key picture that begins with ``first``; return whether ``packet`` was used up for it."""
        if frame := self._decoded_alone(first, packet):
            self._is_field_coded = self._is_field_coded or not self._measurement.pictures
            self._take_picture(frame, at)
            return not packet.is_keyframe or self._is_field_coded
        if _IDR.search(bytes(first)) or _INTRA.search(bytes(first)):
            self._measurement.decode_errors += 1
            return False
        # H.264 refreshes the picture bit by bit from here on.
        self._is_gradual = True
        self._follow(True)
        self._decode_on(first, at)
        return False

    def _look_between(self, packet: Packet[Stream], at: float) -> None:
        """Keep what follows a key frame; begin to decode all of it when the next one is long in coming."""
        if not self._key_times:
            if at > NO_KEY_SECONDS:
                self._follow(True)
                self._decode_on(packet, at)
            return
        if self._is_big:
            return
        self._since_key.append((packet, at))
        if at - self._key_times[-1] > RARE_KEY_SECONDS:
            kept, self._since_key = self._since_key, []
            self._follow(True)
            for one, time in kept:
                self._decode_on(one, time)

    # -- decoding ----------------------------------------------------------------------------
    def _follow(self, following: bool) -> None:
        """Change from single key frames to all frames that others refer to, or back."""
        self._is_following = following
        self._video.codec_context.flush_buffers()
        self._video.codec_context.skip_frame = "NONREF" if following else "NONKEY"

    def _decode_on(self, packet: Packet[Stream], at: float) -> None:
        """Decode a frame in its turn; a picture is taken of few."""
        measurement, context = self._measurement, self._video.codec_context
        try:
            frames = context.decode(cast("Packet[VideoStream]", packet))
        except FFmpegError:
            # Before the first whole picture, damage is only what was missed before the start.
            measurement.decode_errors += bool(measurement.pictures)
            context.flush_buffers()
            return
        for frame in frames:
            if frame.is_corrupt and not self._is_gradual:
                measurement.decode_errors += bool(measurement.pictures)
            elif at - self._pictured_at >= max(self._every, RARE_PICTURE_EVERY) or not measurement.pictures:
                self._take_picture(frame, at)

    def _decoded_alone(self, *packets: Packet[Stream]) -> VideoFrame | None:
        """Decode a key picture by itself: a decoder that reorders would hold it back until the next."""
        context = self._video.codec_context
        # The second field of a key picture may be predicted from the first; MPEG-2 sends both in one packet.
        may_be_pair = len(packets) > 1 or context.codec.canonical_name == "mpeg2video"
        context.skip_frame = "DEFAULT" if may_be_pair else "NONKEY"
        frames: list[VideoFrame] = []
        try:
            for packet in packets:
                frames += context.decode(cast("Packet[VideoStream]", packet))
            frames += context.decode(None)
        except FFmpegError:
            pass
        context.flush_buffers()
        context.skip_frame = "NONKEY"
        return next((frame for frame in frames if frame.pts == packets[0].pts), frames[0] if frames else None)

    # -- pictures ----------------------------------------------------------------------------
    def _take_picture(self, frame: VideoFrame, at: float) -> None:
        measurement = self._measurement
        if not self._is_following:
            measurement.decode_errors += frame.is_corrupt
        self._pictured_at = at
        self._note_format(frame)
        # A picture that is refreshed bit by bit is never marked as whole.
        is_whole = self._is_gradual or not frame.is_corrupt
        picture = replace(self._scaler.small(frame, at), is_whole=is_whole)
        measurement.pictures.append(picture)
        if self._best_shot:
            self._best_shot.offer(frame, self._shown_aspect(frame), shows=picture.is_whole and not picture.is_dark)

    def _note_format(self, frame: VideoFrame) -> None:
        was, now = self.format, self._described(frame)
        if was and was.size == now.size:
            # Film in an interlaced stream has pictures that are marked as progressive.
            now = replace(now, interlaced=was.interlaced or now.interlaced, hdr=was.hdr)
        else:
            # Reading a frame's side data keeps its buffers until the next garbage collection.
            now = replace(now, hdr=_hdr(frame))
        self.format = now
        if was != now:
            self._on_format(now)

    def _described(self, frame: VideoFrame) -> VideoFormat:
        described = self.announced()
        interlaced = bool(frame.interlaced_frame)
        # Field-coded HEVC comes as single fields (ITU-T H.265, D.3.3).
        lines = frame.height * 2 if interlaced and described.codec == "hevc" else frame.height
        return replace(
            described, width=frame.width, height=lines, pixel_format=frame.format.name, interlaced=interlaced
        )

    def announced(self) -> VideoFormat:
        """Return the format as far as the decoder knows it without a picture."""
        context = self._video.codec_context
        codec, ratio = context.codec.canonical_name, self._sample_aspect
        has_size = bool(context.width)
        return VideoFormat(
            codec=codec,
            profile=context.profile or self._video.profile,
            level=_level(codec, context.level),
            width=context.width if has_size else None,
            height=context.height if has_size else None,
            sar=f"{ratio.numerator}:{ratio.denominator}" if ratio else None,
            pixel_format=context.pix_fmt if has_size else None,
        )

    @property
    def _sample_aspect(self) -> Fraction | None:
        return self._video.codec_context.sample_aspect_ratio or self._video.sample_aspect_ratio

    def _shown_aspect(self, frame: VideoFrame) -> Fraction | None:
        """Return the sample aspect ratio in which a frame is shown; a single field has half the lines."""
        lines = self.format.height if self.format else None
        is_field = lines is not None and lines > frame.height
        return (self._sample_aspect or Fraction(1)) / 2 if is_field else self._sample_aspect

    def conclude(self) -> None:
        """Add to the measurement what follows from all packets so far."""
        measurement = self._measurement
        size = (self.format or self.announced()).size
        if self._weights and size[0] and size[1]:
            measurement.residue = median(self._weights) * 8 / (size[0] * size[1])
            if measurement.residue < FEW_BITS and measurement.quantizer is None:
                measurement.quantizer = _quantizer(self._video, [packet for packet, _ in self._since_key[:2]])
        if len(self._key_times) >= 2:
            measurement.gop_s = round(mean(after - before for before, after in pairwise(self._key_times)), 3) or None


def _prepare(video: VideoStream) -> None:
    context = video.codec_context
    # Frame threads would keep a picture each: a 2160-line stream then takes 250 MB. The sandbox of a decoder
    # allows none either.
    context.thread_count = 1
    context.skip_frame = "NONKEY"
    context.options = dict(_LIMITS)


def _hdr(frame: VideoFrame) -> str | None:
    if any("DOVI" in data.type.name for data in _side_data(frame)):
        return "dolby_vision"
    return _TRANSFERS.get(int(frame.color_trc or 0))


def _side_data(frame: VideoFrame) -> list[SideData]:
    """Return a frame's side data; none where PyAV does not know one of its kinds, such as LCEVC's."""
    try:
        return list(cast("Iterable[SideData]", frame.side_data))
    except ValueError:
        return []


def _quantizer(video: VideoStream, packets: list[Packet[Stream]]) -> float | None:
    """Return the mean quantizer (0 to 51) of a key picture of H.264 by a decoder of its own; None for other codecs."""
    if video.codec_context.codec.canonical_name != "h264":
        return None
    decoder = CodecContext.create("h264", "r")
    decoder.extradata = video.codec_context.extradata
    decoder.options = _LIMITS | {"export_side_data": "venc_params"}
    frames: list[VideoFrame] = []
    try:
        for packet in packets:
            frames += decoder.decode(cast("Packet[VideoStream]", packet))
        frames += decoder.decode(None)
    except FFmpegError:
        return None
    for data in (data for frame in frames[:1] for data in _side_data(frame)):
        if isinstance(data, VideoEncParams):
            size = data.nb_blocks * data.block_size
            blocks = array("i", bytes(memoryview(data))[data.blocks_offset : data.blocks_offset + size])
            differences = blocks[_BLOCK_INTEGERS - 1 :: _BLOCK_INTEGERS]
            return round(data.qp + sum(differences) / max(1, len(differences)), 1)
    return None


def _level(codec: str, level: int | None) -> str | None:
    if not level or level < 0:
        return None
    scale = _LEVEL_SCALES.get(codec)
    return f"{level / scale:.1f}" if scale else str(level)

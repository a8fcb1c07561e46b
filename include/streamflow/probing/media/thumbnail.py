"""Thumbnails: a decoded picture as a small JPEG."""

from __future__ import annotations

from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from streamflow.probing.target import MAX_THUMBNAIL_BYTES

WIDTH, MAX_HEIGHT = 320, 640
# libav's quality scale of JPEG, best first.
_QUALITIES = (4, 8, 16, 31)


class BestShot:
    """Keeps the first frame that shows something, for a thumbnail of the whole sample."""

    def __init__(self) -> None:
        self._frame: VideoFrame | None = None
        self._aspect: Fraction | None = None
        self._shows = False

    def offer(self, frame: VideoFrame, sample_aspect: Fraction | None, *, shows: bool) -> None:
        """Keep the frame unless a better one is kept; ``shows`` says whether it is whole and not black."""
        if self._frame is None or (shows and not self._shows):
            self._frame, self._aspect, self._shows = frame, sample_aspect, shows

    def jpeg(self) -> bytes | None:
        """Return the kept frame as a thumbnail; None where there is none."""
        return thumbnail(self._frame, self._aspect) if self._frame else None


def thumbnail(frame: VideoFrame, sample_aspect: Fraction | None = None) -> bytes | None:
    """Return the frame as a JPEG in the shape that it is watched in, 320 wide and at most 20 KB.

    :param sample_aspect: width of a point for its height; None where the stream does not say, which means 1.
    :returns: None if it cannot be made so small.
    """
    shape = frame.height / max(1, frame.width) / (sample_aspect or 1)
    height = max(2, round(WIDTH * shape / 2) * 2)
    scaled = frame.reformat(WIDTH, min(height, MAX_HEIGHT), "yuvj420p", dst_color_range="JPEG", threads=1)
    return next(
        (data for quality in _QUALITIES if 0 < len(data := _jpeg(scaled, quality)) <= MAX_THUMBNAIL_BYTES), None
    )


def _jpeg(frame: VideoFrame, quality: int) -> bytes:
    context = av.CodecContext.create("mjpeg", "w")
    if not isinstance(context, VideoCodecContext):
        raise TypeError("mjpeg is no video codec")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, "yuvj420p"
    context.time_base = Fraction(1, 25)
    context.thread_count = 1
    context.options = {"qmin": str(quality), "qmax": str(quality), "strict": "unofficial"}
    frame.pts = None
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])

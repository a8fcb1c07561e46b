"""Streams of other encoders and containers than the lab's, encoded by libav while a test runs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.filter import Graph

X264 = {"preset": "veryfast"}


@dataclass(frozen=True)
class Made:
    """How a file is made; ``seconds`` long; ``picture`` is a source of libavfilter, with options after ``=``."""

    format: str = "mpegts"
    codec: str = "libx264"
    fps: Fraction = Fraction(25)
    options: dict[str, str] = field(default_factory=lambda: dict(X264))
    audio: str = "aac"
    container: dict[str, str] = field(default_factory=dict)
    gop: int = 50
    picture: str = "testsrc2"
    size: tuple[int, int] = (320, 180)
    seconds: float = 7
    layout: str = "stereo"


def _graph(*steps: tuple[str, str]) -> Graph:
    made = Graph()
    made.link_nodes(*(made.add(*step) for step in steps)).configure()
    return made


def _pictures(made: Made) -> Iterator[av.VideoFrame]:
    name, _, more = made.picture.partition("=")
    source = ":".join(part for part in (f"size={made.size[0]}x{made.size[1]}:rate={made.fps}", more) if part)
    steps = [(name, source)] + ([("noise", "alls=8:allf=t")] if name == "testsrc2" else [])
    shown = _graph(*steps, ("format", "pix_fmts=yuv420p"), ("buffersink", ""))
    for number in range(int(made.seconds * made.fps)):
        frame = shown.vpull()
        frame.pts, frame.time_base, frame.pict_type = number, 1 / made.fps, 0
        yield frame


def encoded(made: Made) -> bytes:
    """Return the bytes of the file."""
    data = io.BytesIO()
    with av.open(data, "w", format=made.format, options=made.container) as out:
        video = out.add_stream(made.codec, rate=made.fps, options=made.options)
        video.width, video.height, video.pix_fmt = *made.size, "yuv420p"
        video.codec_context.gop_size = made.gop
        sound = out.add_stream(made.audio, rate=48000, layout=made.layout)
        tone = _graph(
            ("sine", "frequency=400:sample_rate=48000:samples_per_frame=1024"),
            ("aformat", f"sample_fmts=fltp:channel_layouts={made.layout}"),
            ("abuffersink", ""),
        )
        heard = 0
        for frame in _pictures(made):
            out.mux(video.encode(frame))
            while heard / 48000 < frame.time:
                piece = tone.pull()
                piece.pts, piece.time_base = heard, Fraction(1, 48000)
                heard += piece.samples
                out.mux(sound.encode(piece))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    return data.getvalue()

"""Pictures to encode: sources of libavfilter, and a slate that is drawn here because the wheel's libav has no fonts."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from lab.recipes import Video

# Letters of 5 x 7 dots, a row of five bits each.
_GLYPHS = {
    "A": "0E11111F111111",
    "C": "0E11101010110E",
    "E": "1F10101E10101F",
    "F": "1F10101E101010",
    "H": "1111111F111111",
    "I": "0E04040404040E",
    "L": "1010101010101F",
    "N": "11191513111111",
    "O": "0E11111111110E",
    " ": "00000000000000",
}
_LINES = ("CHANNEL", "OFFLINE")


def moving(video: Video, count: int, rate: Fraction) -> list[VideoFrame]:
    """Yield ``count`` frames of libav's moving test pattern with a little noise, at ``rate`` frames a second."""
    source = f"size={video.width}x{video.height}:rate={rate}"
    field_mode = "tff" if video.interlaced else "prog"
    # At large sizes the pattern alone fills the bitrate, and noise would cost x265 much time.
    noise = [("noise", "alls=6:allf=t")] if video.codec != "hevc" else []
    steps = [("testsrc2", source), *noise, ("format", f"pix_fmts={video.pixel_format}")]
    steps += [("setparams", f"field_mode={field_mode}{_colour(video)}"), ("buffersink", "")]
    graph = Graph()
    graph.link_nodes(*[graph.add(name, arguments or None) for name, arguments in steps]).configure()
    return [_frame(graph) for _ in range(count)]


def _frame(graph: Graph) -> VideoFrame:
    frame = graph.vpull()
    if not isinstance(frame, VideoFrame):
        raise TypeError("the graph gave no picture")
    return frame


def _colour(video: Video) -> str:
    transfer = {"hdr10": "smpte2084", "hlg": "arib-std-b67"}
    if not video.hdr:
        return ""
    return f":color_primaries=bt2020:color_trc={transfer[video.hdr]}:colorspace=bt2020nc:range=tv"


def still(video: Video, luma: bytes) -> VideoFrame:
    """Return a grey frame with a luma plane of ``width`` x ``height`` bytes."""
    frame = VideoFrame(video.width, video.height, "yuv420p")
    _fill(frame, 0, luma, video.width)
    for plane in (1, 2):
        _fill(frame, plane, b"\x80" * (video.width * video.height // 4), video.width // 2)
    return frame


def _fill(frame: VideoFrame, number: int, rows: bytes, width: int) -> None:
    plane = frame.planes[number]
    padding = b"\x00" * (plane.line_size - width)
    plane.update(b"".join(rows[at : at + width] + padding for at in range(0, len(rows), width)))


def black(video: Video, count: int) -> list[VideoFrame]:
    """Yield ``count`` frames of broadcast black (luma 16)."""
    return [still(video, b"\x10" * (video.width * video.height))] * count


def slate(video: Video, progress: float | None = None) -> VideoFrame:
    """Return the text "CHANNEL OFFLINE" on dark grey, with a bar that shows ``progress`` from 0 to 1."""
    dot = video.width // 60
    ground = bytes((40,)) * video.width
    rows = [ground] * video.height
    top = video.height // 2 - 9 * dot
    for line in _LINES:
        left = (video.width - 6 * dot * len(line)) // 2
        for row in range(7):
            ink = bytearray(ground)
            for at, lit in enumerate(_dots(line, row)):
                if lit:
                    ink[left + at * dot : left + (at + 1) * dot] = bytes((220,)) * dot
            rows[top : top + dot] = [bytes(ink)] * dot
            top += dot
        top += 2 * dot
    if progress is not None:
        bar = int(video.width * progress)
        rows[-4 * dot : -2 * dot] = [(bytes((200,)) * bar).ljust(video.width, bytes((40,)))] * (2 * dot)
    return still(video, b"".join(rows))


def _dots(line: str, row: int) -> Iterator[bool]:
    for letter in line:
        bits = int(_GLYPHS[letter][2 * row : 2 * row + 2], 16)
        yield from (bool(bits >> (4 - column) & 1) for column in range(5))
        yield False


def tones(rate: int, channels: int, sound: str, seconds: Fraction) -> list[av.AudioFrame]:
    """Return ``seconds`` of sound as float planes: beating tones, digital silence, or tones with hard clipping."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    expression = {
        "tone": "0.2*sin(440*2*PI*t)*(1.2+sin(3*t))+0.1*sin(1250*2*PI*t)",
        "silence": "0",
        "clipping": "clip(4*sin(300*2*PI*t),-1,1)",
    }[sound]
    graph = Graph()
    expressions = "|".join([expression] * channels)
    nodes = [
        graph.add("aevalsrc", f"exprs={expressions}:channel_layout={layout}:sample_rate={rate}:d={float(seconds)}"),
        graph.add("aformat", f"sample_fmts=fltp:channel_layouts={layout}"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    frames: list[av.AudioFrame] = []
    while True:
        try:
            frame = graph.pull()
        except (EOFError, av.error.EOFError):
            return frames
        if isinstance(frame, av.AudioFrame):
            frames.append(frame)

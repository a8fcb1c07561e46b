"""Pictures in fields, sound of many channels, unknown side data, encrypted files and languages that are no words."""

from __future__ import annotations

import io
from array import array
from collections.abc import Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import av
import pytest
from av.audio.frame import AudioFrame

from lab import Media
from streamflow import config
from streamflow.probing import ProbeOutcome, ProbeTarget, probe
from streamflow.probing.media import selection, video
from streamflow.probing.media.audio import AudioLevels
from streamflow.probing.media.iso_boxes import IsoBoxes
from streamflow.probing.media.luma import HEIGHT, WIDTH, Picture
from streamflow.probing.media.measurement import Measurement
from streamflow.probing.media.video import VideoAnalyzer
from streamflow.records import Result
from support.probing import mpeg2_fields
from support.probing.encoded import X264, Made, encoded
from support.probing.fragments import fragmented
from support.probing.scripted import Scripted, response

SETTINGS = config.Probe(sample_seconds=6, read_timeout=2)
PAIRS = [(mpeg2_fields.INTRA, mpeg2_fields.INTRA), (mpeg2_fields.INTRA, mpeg2_fields.PREDICTED)]


def measured(scripted: Scripted, data: bytes, **settings: object) -> Result:
    return probe(ProbeTarget(scripted.url("/file", response(data))), SETTINGS.model_copy(update=settings)).result


# -- fields ------------------------------------------------------------------------------------
class Decoder:
    """A decoder of field-coded H.264: a first field alone gives no frame, and ``torn`` fields give a damaged one."""

    codec = SimpleNamespace(canonical_name="h264")
    width, height, pix_fmt, level, profile, sample_aspect_ratio = 720, 576, "yuv420p", 30, "Main", None

    def __init__(self, frames: dict[int, Sequence[int]], torn: Sequence[int] = ()) -> None:
        self._frames, self._torn = frames, torn
        self._given: list[int] = []

    def decode(self, packet: Any) -> list[Any]:
        if packet is not None:
            self._given.append(packet.pts)
            return []
        whole = [first for first, fields in self._frames.items() if set(fields) <= set(self._given)]
        return [frame(first, is_torn=first in self._torn) for first in whole]

    def flush_buffers(self) -> None:
        self._given.clear()


def frame(pts: int, *, is_torn: bool) -> Any:
    made = av.VideoFrame(720, 576, "yuv420p")
    made.pts = pts
    return SimpleNamespace(
        pts=pts, is_corrupt=is_torn, interlaced_frame=True, width=720, height=576, format=made.format, color_trc=1,
        side_data=[], reformat=made.reformat, planes=made.planes, made=made,
    )  # fmt: skip


def packet(pts: int, *, is_key: bool, data: bytes = b"\0\0\1\x65\x88") -> Any:
    class Packet(SimpleNamespace):
        def __bytes__(self) -> bytes:
            return data

    return Packet(pts=pts, is_keyframe=is_key, size=len(data))


def analyzed(monkeypatch: pytest.MonkeyPatch, decoder: Decoder, packets: list[Any]) -> Measurement:
    monkeypatch.setattr(video.Scaler, "small", lambda _, shown, at: video_picture(shown.pts, at))
    measurement = Measurement()
    track = cast("Any", SimpleNamespace(codec_context=decoder, profile=None, sample_aspect_ratio=None))
    analyzer = VideoAnalyzer(track, measurement, None, sample_seconds=10, on_format=lambda _: None)
    for number, each in enumerate(packets):
        analyzer.take(each, number * 0.5)
    return measurement


def video_picture(level: int, at: float) -> Any:
    return Picture(at, bytes((level % 256,)) * (WIDTH * HEIGHT))


def test_a_key_picture_of_two_fields_is_decoded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = {number: (number, number + 1) for number in range(0, 20, 2)}
    packets = [packet(number, is_key=number % 2 == 0) for number in range(20)]
    measurement = analyzed(monkeypatch, Decoder(pairs), packets)
    assert (len(measurement.pictures), measurement.decode_errors, measurement.key_frames) == (10, 0, 10)


def test_whole_frames_and_field_pairs_may_alternate_and_a_torn_one_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = {0: (0, 1), 2: (2,), 4: (4, 5), 6: (6,)}
    packets = [packet(number, is_key=number % 2 == 0) for number in range(8)]
    measurement = analyzed(monkeypatch, Decoder(frames, torn=[2]), packets)
    assert [picture.is_whole for picture in measurement.pictures] == [True, False, True, True]
    assert measurement.decode_errors == 1


def test_a_first_field_without_its_second_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    packets = [packet(number, is_key=number % 2 == 0) for number in range(8)]
    measurement = analyzed(monkeypatch, Decoder({0: (0, 99)}), packets)
    assert (measurement.pictures, measurement.decode_errors) == ([], 4)


def test_field_coded_hevc_has_the_lines_of_both_fields(scripted: Scripted) -> None:
    options = {"preset": "ultrafast", "x265-params": "log-level=none:interlace=1:bframes=0:keyint=50"}
    made = Made(codec="libx265", options=options, fps=Fraction(50), size=(320, 180))
    result = measured(scripted, encoded(made))
    assert (result.width, result.height, result.fps, result.interlaced) == (320, 360, 25.0, True)


def test_the_picture_of_a_field_has_the_shape_of_its_frame(scripted: Scripted) -> None:
    options = {"preset": "ultrafast", "x265-params": "log-level=none:interlace=1:bframes=0:keyint=50"}
    made = Made(codec="libx265", options=options, fps=Fraction(50), size=(640, 180))
    shown = pictured(probe(ProbeTarget(scripted.url("/file", response(encoded(made)))), SETTINGS))
    assert (shown.width, shown.height) == (320, 180)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("in_one_packet", [True, False])
def test_both_fields_of_mpeg2_are_decoded(scripted: Scripted, pair: tuple[int, int], in_one_packet: bool) -> None:
    data = mpeg2_fields.stream(4, pair=pair, in_one_packet=in_one_packet)
    outcome = probe(ProbeTarget(scripted.url("/file", response(data))), SETTINGS)
    result = outcome.result
    assert (result.width, result.height, result.fps, result.interlaced) == (352, 288, 25.0, True)
    assert (result.verdict, result.reason, result.decode_errors) == ("degraded", "no_audio", 0)
    shown = pictured(outcome)
    rows = [bytes(shown.planes[0])[row * shown.planes[0].line_size :][: shown.width] for row in (8, 9)]
    assert max(abs(one - other) for one, other in zip(*rows, strict=True)) < 24


@pytest.mark.parametrize("pair", PAIRS)
def test_a_still_picture_in_fields_is_frozen(scripted: Scripted, pair: tuple[int, int]) -> None:
    data = mpeg2_fields.stream(6, pair=pair, in_one_packet=True, is_still=True)
    assert measured(scripted, data, sample_seconds=4).reason == "frozen_video"


def pictured(outcome: ProbeOutcome) -> av.VideoFrame:
    """Return the thumbnail as a frame."""
    with av.open(io.BytesIO(outcome.thumbnail or b"")) as container:
        return next(container.decode(video=0))


# -- sound -------------------------------------------------------------------------------------
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1", "7.1", "7.1.4", "22.2"])
@pytest.mark.parametrize("kind", ["fltp", "s16p", "s32p", "flt"])
def test_sound_of_any_number_of_channels_is_heard(layout: str, kind: str) -> None:
    made = AudioFrame(format=kind, layout=layout, samples=1024)
    made.sample_rate = 48_000
    levels = AudioLevels()
    levels.hear(made, 0.0)
    assert levels.frames == 1


@pytest.mark.parametrize("channel", [0, 1])
def test_sound_of_one_channel_alone_is_heard(channel: int) -> None:
    made = AudioFrame(format="flt", layout="stereo", samples=1024)
    made.sample_rate = 48_000
    made.planes[0].update(array("f", [0.3 if place % 2 == channel else 0.0 for place in range(2048)]).tobytes())
    levels = AudioLevels()
    levels.hear(made, 0.0)
    assert levels.silent == 0


def test_a_stream_with_eight_channels_is_measured(scripted: Scripted) -> None:
    result = measured(scripted, encoded(Made(format="matroska", audio="libopus", layout="7.1")))
    assert (result.verdict, [track.channels for track in result.audio]) == ("ok", [8])


@pytest.mark.parametrize(
    ("tag", "language"),
    [("deu", "deu"), ("pt-BR", "pt-BR"), ("und", None), ("\x7f\x7f\x7f", None), ("", None), ("e\n", None)],
)
def test_a_language_is_a_word(tag: str, language: str | None) -> None:
    assert selection.language(cast("Any", SimpleNamespace(language=tag))) == language


# -- pictures ----------------------------------------------------------------------------------
def test_side_data_that_is_not_known_does_no_harm() -> None:
    class Unknown(SimpleNamespace):
        @property
        def side_data(self) -> object:
            raise ValueError("41 is not a valid Type")

    assert video._hdr(cast("Any", Unknown(color_trc=16))) == "hdr10"


def test_titles_on_white_need_few_bits(scripted: Scripted) -> None:
    made = Made(size=(1280, 720), picture="color", options={**X264, "crf": "20"})
    result = measured(scripted, encoded(made))
    assert result.reason != "low_bitrate"


# Without places and colours of their own, gradients are other ones at each start.
GRADIENTS = [
    "gradients=x0=275:y0=582:x1=129:y1=261:c0=0x5d3ba1:c1=0xe8c23d",
    "gradients=x0=864:y0=29:x1=1080:y1=227:nb_colors=4:c0=0x204060:c1=0xd0b090:c2=0x30a040:c3=0xf0f0f0",
    "gradients=x0=62:y0=22:x1=52:y1=665:c0=0x101010:c1=0xfafafa",
]


@pytest.mark.parametrize("picture", GRADIENTS)
@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {**X264, "crf": "23"}),
        ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:crf=28:keyint=50"}),
    ],
)
def test_a_smooth_picture_needs_few_bits_in_any_codec(
    scripted: Scripted, codec: str, options: dict[str, str], picture: str
) -> None:
    made = Made(codec=codec, options=options, picture=picture, size=(1280, 720), seconds=5)
    result = measured(scripted, encoded(made), sample_seconds=4)
    assert result.reason != "low_bitrate", result.detail


def test_key_frames_fifteen_seconds_apart_are_waited_for(scripted: Scripted) -> None:
    rare = {**X264, "x264-params": "keyint=375:min-keyint=375:scenecut=0"}
    data = encoded(Made(options=rare, gop=375, seconds=17))
    joined = data[188 * (len(data) // 188 // 12) :]
    result = measured(scripted, joined)
    assert (result.verdict, result.reason, result.decode_errors) == ("ok", None, 0), result.detail


def test_a_stream_without_a_key_frame_for_long_is_unknown(scripted: Scripted) -> None:
    rare = {**X264, "x264-params": "keyint=2000:min-keyint=2000:scenecut=0"}
    data = encoded(Made(options=rare, gop=2000, seconds=25))
    result = measured(scripted, data[188 * (len(data) // 188 // 12) :])
    assert (result.verdict, result.reason) == ("unknown", "no_key_frame")


def test_a_short_clip_is_looked_at_to_its_end(scripted: Scripted) -> None:
    result = measured(scripted, encoded(Made(seconds=1, gop=5)))
    assert (result.verdict, result.width) == ("ok", 320), result.detail


@pytest.mark.parametrize("seconds", [1, 2, 5])
def test_few_frames_a_second_are_no_fault(scripted: Scripted, seconds: int) -> None:
    result = measured(scripted, encoded(Made(fps=Fraction(1, seconds), seconds=6 * seconds, gop=1)), sample_seconds=30)
    assert (result.verdict, result.discontinuities) == ("ok", 0), result.detail


# -- boxes -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [b"encv", b"pssh"])
@pytest.mark.parametrize("size", [7, 1000, 10_000_000])
def test_an_encrypted_file_is_found_in_pieces_of_any_size(lab_media: Media, name: bytes, size: int) -> None:
    init, fragments = fragmented(lab_media.clip("sd480p30"), "video")
    for described, is_encrypted in ((init, False), (init.replace(b"avc1", name, 1), True)):
        data, boxes = described + fragments[0], IsoBoxes()
        for at in range(0, len(data), size):
            assert boxes.take(data[at : at + size]) == []
        assert boxes.is_encrypted == is_encrypted


def test_an_encrypted_file_is_protected(scripted: Scripted, lab_media: Media) -> None:
    init, fragments = fragmented(lab_media.clip("sd480p30"), "video")
    result = measured(scripted, init.replace(b"isom", b"iso6").replace(b"avc1mp41", b"iso6mp41") + b"".join(fragments))
    assert result.verdict == "degraded"
    at = init.index(b"stsd")
    protected = init[:at] + init[at:].replace(b"avc1", b"encv", 1)
    result = measured(scripted, protected + b"".join(fragments))
    assert (result.verdict, result.reason) == ("dead", "drm_protected")


def test_another_file_begins_at_its_first_box(lab_media: Media) -> None:
    init, fragments = fragmented(lab_media.clip("sd480p30"), "video")
    first = init + fragments[0]
    boxes, starts = IsoBoxes(), []
    data = first + init + fragments[1]
    for at in range(0, len(data), 997):
        starts += [at + start for start in boxes.take(data[at : at + 997])]
    assert starts == [len(first)]


def test_bytes_of_another_format_are_no_boxes() -> None:
    boxes = IsoBoxes()
    assert boxes.take(b"FLV\x01\x05" + bytes(500)) == []
    assert (boxes.codecs, boxes.is_encrypted) == ([], False)

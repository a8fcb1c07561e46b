"""A track that no decoder here can read is named, and never decides about the picture."""

from __future__ import annotations

import io
from collections.abc import Callable

import av
import pytest

from lab import Media
from lab.mpegts import PACKET, Track
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.records import Result
from support.probing.rewritten import (
    AAC,
    H264,
    PRIVATE,
    SOUND,
    VIDEO,
    refilled,
    scrambled,
    with_private_data,
    with_tables,
)
from support.probing.scripted import Scripted, response

SETTINGS = config.Probe(sample_seconds=4, read_timeout=2)
AC4_REGISTERED, AC4_EXTENSION = b"\x05\x04AC-4", b"\x7f\x02\x15\x00"
FRAME_OF_AC4 = b"\xac\x40\x00\xb0\x13\x37\x5a"


def clip(lab_media: Media) -> bytes:
    return bytes(lab_media.clip("hd25_2m").data[: PACKET * 12_000])


def measured(scripted: Scripted, data: bytes, **settings: object) -> Result:
    return probe(ProbeTarget(scripted.url("/1.ts", response(data))), SETTINGS.model_copy(update=settings)).result


def assert_picture(result: Result) -> None:
    assert (result.width, result.height, result.fps, result.video_codec) == (1280, 720, 25.0, "h264")


@pytest.mark.parametrize("every", [50, 3000])
def test_private_data_holds_nothing_up(scripted: Scripted, lab_media: Media, every: int) -> None:
    data = with_tables(clip(lab_media), [H264, AAC, Track(PRIVATE, 0x06, 0xBD)])
    result = measured(scripted, with_private_data(data, PRIVATE, every))
    assert (result.verdict, [track.codec for track in result.audio]) == ("ok", ["aac"])
    assert_picture(result)


@pytest.mark.parametrize(
    ("track", "codec"),
    [
        (Track(SOUND, 0x06, 0xBD, AC4_REGISTERED), "ac4"),
        (Track(SOUND, 0x06, 0xBD, AC4_EXTENSION), "ac4"),
        (Track(SOUND, 0x2D, 0xC0), "mpegh_3d_audio"),
        (Track(SOUND, 0xD3, 0xC0), "avs_audio"),
    ],
    ids=["registered", "extension", "MPEG-H", "AVS"],
)
def test_sound_without_a_decoder_is_named_and_the_picture_judged(
    scripted: Scripted, lab_media: Media, track: Track, codec: str
) -> None:
    result = measured(scripted, with_tables(refilled(clip(lab_media), SOUND, FRAME_OF_AC4), [H264, track]))
    assert (result.verdict, result.reason) == ("ok", None)
    assert [track.codec for track in result.audio] == [codec]
    assert result.extra["unreadable_tracks"] == [codec]
    assert_picture(result)


@pytest.mark.parametrize(
    "damage",
    [lambda data: refilled(data, SOUND, b"\0"), lambda data: scrambled(data, SOUND)],
    ids=["zeros", "still encrypted"],
)
def test_sound_that_cannot_be_read_is_missing_and_named(
    scripted: Scripted, lab_media: Media, damage: Callable[[bytes], bytes]
) -> None:
    result = measured(scripted, damage(clip(lab_media)))
    assert (result.verdict, result.reason) == ("degraded", "no_audio")
    assert result.detail == "the track of aac cannot be decoded"
    assert_picture(result)


@pytest.mark.parametrize(("stream_type", "codec"), [(0xD2, "avs2"), (0xD4, "avs3"), (0x35, "evc")])
def test_a_picture_without_a_decoder_is_unknown_with_the_codecs_name(
    scripted: Scripted, lab_media: Media, stream_type: int, codec: str
) -> None:
    data = with_tables(refilled(clip(lab_media), VIDEO, b"\x5a\xc3"), [Track(VIDEO, stream_type, 0xE0), AAC])
    result = measured(scripted, data)
    assert (result.verdict, result.reason) == ("unknown", "codec_unsupported")
    assert codec in (result.detail or "")


def test_noise_before_the_first_packet_is_passed_over(scripted: Scripted, lab_media: Media) -> None:
    noise = bytes((number * 37 + 11) % 251 for number in range(5000)).replace(b"G", b"H")
    result = measured(scripted, noise + clip(lab_media))
    assert (result.verdict, result.reason) == ("ok", None)
    assert_picture(result)


def test_tables_that_come_late_are_waited_for(scripted: Scripted, lab_media: Media) -> None:
    data = clip(lab_media)
    late = len(data) // 3 // PACKET * PACKET
    begin = (data[at : at + PACKET] for at in range(0, late, PACKET))
    without = b"".join(packet for packet in begin if (packet[1] & 0x1F) << 8 | packet[2] in (VIDEO, SOUND))
    result = measured(scripted, without + data[late:])
    assert (result.verdict, result.reason) == ("ok", None)
    assert_picture(result)


def test_images_are_no_television(scripted: Scripted) -> None:
    made = io.BytesIO()
    fragmented = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(made, "w", format="mov", options=fragmented) as out:
        track = out.add_stream("png", rate=1)
        track.width, track.height, track.pix_fmt = 4000, 4000, "rgb24"
        for number in range(3):
            frame = av.VideoFrame(4000, 4000, "rgb24")
            frame.pts = number
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    result = measured(scripted, made.getvalue())
    assert (result.verdict, result.reason) == ("dead", "not_media")

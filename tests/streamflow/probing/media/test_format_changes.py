"""Where the tracks or their format change in the middle, the figures are those of the longer part, never a mixture."""

from __future__ import annotations

from fractions import Fraction

import pytest

from lab import Media
from lab.mpegts import PACKET, Track
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.records import Result
from support.probing.encoded import Made, encoded
from support.probing.fragments import fragmented
from support.probing.rewritten import AAC, H264, VIDEO, each, moved, with_tables
from support.probing.scripted import Scripted, response

SETTINGS = config.Probe(sample_seconds=12, read_timeout=2)
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
LONG, SHORT = 6, 4
PROGRAMME = Made(seconds=LONG)
ADVERTISEMENT = Made(seconds=SHORT, size=(640, 360), fps=Fraction(30))


def measured(scripted: Scripted, data: bytes) -> Result:
    return probe(ProbeTarget(scripted.url("/1", response(data))), SETTINGS).result


def figures(result: Result) -> tuple[int | None, int | None, float | None]:
    return result.width, result.height, result.fps


def other_pids(data: bytes) -> bytes:
    """Return a stream of libav's multiplexer with the PIDs of another one, and tables that announce them."""
    return with_tables(moved(data, {0x100: 0x1E1, 0x101: 0x1E2}), [Track(0x1E1, 0x1B, 0xE0), Track(0x1E2, 0x0F, 0xC0)])


@pytest.mark.parametrize("order", [("long", "short"), ("short", "long")])
@pytest.mark.parametrize("pids", ["the same", "others"])
def test_another_encoder_in_the_middle_does_not_mix_the_figures(
    scripted: Scripted, order: tuple[str, str], pids: str
) -> None:
    short = encoded(ADVERTISEMENT)
    parts = {"long": encoded(PROGRAMME), "short": other_pids(short) if pids == "others" else short}
    result = measured(scripted, b"".join(parts[part] for part in order))
    assert (result.verdict, result.reason) == ("ok", None), result.detail
    assert figures(result) == (320, 180, 25.0)
    assert result.bitrate_kbps == pytest.approx(len(parts["long"]) * 8 / 1000 / LONG, rel=0.07)
    assert [(track.codec, track.channels) for track in result.audio] == [("aac", 2)]
    assert result.extra["formats"] == 2
    assert result.extra["media_s"] == pytest.approx(LONG + SHORT, abs=0.3)


def test_a_programme_that_returns_counts_as_one(scripted: Scripted) -> None:
    half, advertisement = encoded(Made(seconds=3)), other_pids(encoded(ADVERTISEMENT))
    assert figures(measured(scripted, half + advertisement + half)) == (320, 180, 25.0)


def test_another_frame_rate_after_a_jump_is_not_mixed_in(scripted: Scripted) -> None:
    advertisement = encoded(Made(seconds=SHORT, fps=Fraction(30)))
    assert figures(measured(scripted, encoded(PROGRAMME) + advertisement)) == (320, 180, 25.0)


def test_fragments_of_another_file_are_read_by_their_own_description(scripted: Scripted) -> None:
    programme, advertisement = (encoded(Made(**{**vars(made), "format": "mp4", "container": FRAGMENTS}))
                                for made in (PROGRAMME, ADVERTISEMENT))  # fmt: skip
    result = measured(scripted, programme + advertisement)
    assert (result.verdict, result.decode_errors) == ("ok", 0), result.detail
    assert figures(result) == (320, 180, 25.0)


def test_a_picture_that_the_tables_announce_later_is_waited_for(scripted: Scripted, lab_media: Media) -> None:
    data = bytes(lab_media.clip("hd25_2m").data[: PACKET * 12_000])
    third = len(data) // 3 // PACKET * PACKET

    def to_null(made: bytearray, at: int) -> None:
        made[at + 1 : at + 4] = b"\x1f\xff\x10"

    sound_alone = each(with_tables(data[:third], [AAC]), VIDEO, to_null)
    result = measured(scripted, sound_alone + with_tables(data[third:], [H264, AAC]))
    assert (result.verdict, result.reason) == ("ok", None), result.detail
    assert figures(result) == (1280, 720, 25.0)


def test_sound_alone_behind_an_announced_picture_is_called_so(scripted: Scripted, lab_media: Media) -> None:
    def to_null(made: bytearray, at: int) -> None:
        made[at + 1 : at + 4] = b"\x1f\xff\x10"

    data = each(bytes(lab_media.clip("hd25_2m").data[: PACKET * 9000]), VIDEO, to_null)
    result = measured(scripted, data)
    assert (result.verdict, result.reason) == ("dead", "no_video")
    assert result.detail == "sound only; nothing of the announced video came"


def test_fragments_of_the_lab_are_one_part(scripted: Scripted, lab_media: Media) -> None:
    init, fragments = fragmented(lab_media.clip("hd25_2m"), "video")
    result = measured(scripted, init + b"".join(fragments[:8]))
    assert figures(result) == (1280, 720, 25.0)
    assert "formats" not in result.extra

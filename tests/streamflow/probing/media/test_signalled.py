"""Dolby Vision, subtitles and teletext are known from the tables of a container, without a packet of theirs."""

from __future__ import annotations

from lab import Media
from lab.mpegts import PACKET, PMT_PID, Track, _tables
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.records import Result
from support.probing.fragments import fragmented
from support.probing.scripted import Scripted, response

SETTINGS = config.Probe(sample_seconds=2, read_timeout=2)
VIDEO, SOUND, TELETEXT, SUBTITLES = 0x100, 0x110, 0x120, 0x121
# Profile 8.1, level 6, with a record of its own and a base layer that HDR10 shows.
DOLBY_VISION = bytes((0xB0, 5, 1, 0, 0x10, 0x35, 0x10))
TELETEXT_GERMAN = b"\x56\x05deu\x09\x00"
SUBTITLES_FRENCH = b"\x59\x08fra\x10\x00\x01\x00\x01"


def measured(scripted: Scripted, lab_media: Media, *more: Track, of_video: bytes = b"") -> Result:
    """Return the result of a clip of the lab with another program map."""
    tracks = [Track(VIDEO, 0x1B, 0xE0, of_video), Track(SOUND, 0x0F, 0xC0), *more]
    table = (b"\0" + _tables(tracks, "made")[PMT_PID]).ljust(184, b"\xff")
    data = bytearray(lab_media.clip("hd25_2m").data)
    for at in range(0, len(data), PACKET):
        if (data[at + 1] & 0x1F) << 8 | data[at + 2] == PMT_PID:
            data[at + 4 : at + PACKET] = table
            data[at + 3] = data[at + 3] & 0x0F | 0x10
    return probe(ProbeTarget(scripted.url("/1.ts", response(bytes(data)))), SETTINGS).result


def test_dolby_vision_is_known_from_the_program_map(scripted: Scripted, lab_media: Media) -> None:
    assert measured(scripted, lab_media).hdr is None
    assert measured(scripted, lab_media, of_video=b"\x0a\x04eng\x00" + DOLBY_VISION).hdr == "dolby_vision"


def test_teletext_and_subtitles_are_named_with_their_languages(scripted: Scripted, lab_media: Media) -> None:
    result = measured(
        scripted, lab_media, Track(TELETEXT, 6, 0xBD, TELETEXT_GERMAN), Track(SUBTITLES, 6, 0xBD, SUBTITLES_FRENCH)
    )
    assert result.extra["subtitles"] == ["teletext:deu", "dvbsub:fra"]
    assert result.verdict == "ok"


def with_box(init: bytes, box: bytes) -> bytes:
    """Return the description of one track with another box at the end of its sample entry."""
    made = bytearray(init)
    around = [made.index(name) - 4 for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")]
    end = around[-1] + int.from_bytes(made[around[-1] : around[-1] + 4], "big")
    for at in around:
        made[at : at + 4] = (int.from_bytes(made[at : at + 4], "big") + len(box)).to_bytes(4, "big")
    return bytes(made[:end] + box + made[end:])


def test_dolby_vision_is_known_from_a_box_of_the_sample_description(scripted: Scripted, lab_media: Media) -> None:
    init, parts = fragmented(lab_media.clip("hd25_2m"), "video")
    box = b"\0\0\0\x20dvvC" + bytes((1, 0, 0x10, 0x35, 0x10)).ljust(24, b"\0")
    for name, described, hdr in (("plain", init, None), ("vision", with_box(init, box), "dolby_vision")):
        url = scripted.url(f"/{name}.mp4", response(described + b"".join(parts)))
        result = probe(ProbeTarget(url), SETTINGS).result
        assert (result.verdict, result.hdr) == ("degraded", hdr)

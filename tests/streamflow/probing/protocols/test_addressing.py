"""Relative, redirected and ranged addresses, and the forms in which playlists ask for headers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import Media
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.records import Result
from support.probing.fragments import cut
from support.probing.scripted import Scripted, response

SETTINGS = config.Probe(sample_seconds=4, connect_timeout=2, read_timeout=2)


@pytest.fixture(scope="module")
def pieces(lab_media: Media) -> list[bytes]:
    return cut(lab_media.clip("sd480p30"))


@pytest.fixture
def offered(scripted: Scripted, pieces: list[bytes]) -> Scripted:
    for number, piece in enumerate(pieces):
        scripted.serve(f"/media/{number}.ts", piece)
    scripted.serve("/media/whole.ts", b"".join(pieces))
    return scripted


def playlist(lines: Iterator[str] | list[str], *, ended: bool = True) -> bytes:
    end = ["#EXT-X-ENDLIST"] if ended else []
    return response("\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:2", *lines, *end, ""]).encode())


def measured(url: str, settings: config.Probe = SETTINGS, **target: object) -> Result:
    result = probe(ProbeTarget(url, **target), settings).result  # type: ignore[arg-type]
    assert (result.verdict, result.reason) == ("ok", None), result.detail
    assert (result.height, result.fps, result.container) == (480, 30.0, "hls")
    assert result.discontinuities == 0
    return result


def entries(form: str) -> list[str]:
    return [line for number in range(3) for line in ("#EXTINF:2,", form.format(number))]


@pytest.mark.parametrize(
    "form", ["media/{}.ts", "./media/{}.ts", "/media/{}.ts", "../media/{}.ts", "//{host}/media/{}.ts"]
)
def test_an_address_is_relative_to_its_playlist(offered: Scripted, form: str) -> None:
    host = offered.url("").removeprefix("http://")
    place = "/live/1.m3u8" if form.startswith("..") else "/1.m3u8"
    measured(offered.url(place, playlist(entries(form.replace("{host}", host)))))


def test_an_address_is_relative_to_where_a_redirect_led(offered: Scripted) -> None:
    offered.url("/media/1.m3u8", playlist(entries("{}.ts")))
    result = measured(offered.url("/1.m3u8", response(b"", status=302, Location="/media/1.m3u8")))
    assert result.extra["redirects"] == 1


def test_a_variant_and_a_segment_may_be_redirected(offered: Scripted) -> None:
    offered.url("/media/1.m3u8", playlist(entries("{}.ts").__iter__()))
    offered.url("/v.m3u8", response(b"", status=307, Location="/media/1.m3u8"))
    offered.url("/0.ts", response(b"", status=302, Location="/media/0.ts"))
    master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x480\nv.m3u8\n"
    measured(offered.url("/1.m3u8", response(master.encode())))


@pytest.mark.parametrize("offset", [True, False])
def test_segments_may_be_ranges_of_one_file(offered: Scripted, pieces: list[bytes], offset: bool) -> None:
    lines, at = [], 0
    for number, piece in enumerate(pieces[:3]):
        place = f"@{at}" if offset or number == 0 else ""
        lines += ["#EXTINF:2,", f"#EXT-X-BYTERANGE:{len(piece)}{place}", "media/whole.ts"]
        at += len(piece)
    measured(offered.url("/1.m3u8", playlist(lines)))
    assert offered.asked.count("/media/whole.ts") == 3


def test_fragments_of_one_file_have_their_beginning_in_a_range_too(
    scripted: Scripted, fragments: tuple[bytes, list[bytes]]
) -> None:
    init, parts = fragments
    scripted.serve("/whole.mp4", init + b"".join(parts))
    lines, at = [f'#EXT-X-MAP:URI="whole.mp4",BYTERANGE="{len(init)}@0"'], len(init)
    for part in parts[:6]:
        lines += ["#EXTINF:1,", f"#EXT-X-BYTERANGE:{len(part)}@{at}", "whole.mp4"]
        at += len(part)
    result = probe(ProbeTarget(scripted.url("/1.m3u8", playlist(lines))), SETTINGS).result
    assert (result.height, result.fps, result.video_codec) == (480, 30.0, "h264"), result.detail


def test_a_discontinuity_that_is_announced_is_an_ad_break_and_no_fault(
    scripted: Scripted, lab_media: Media, pieces: list[bytes]
) -> None:
    other = cut(lab_media.clip("hd25_2m"))
    for number, piece in enumerate([pieces[0], pieces[1], other[3], pieces[2]]):
        scripted.serve(f"/{number}.ts", piece)
    lines = ["#EXTINF:2,", "0.ts", "#EXTINF:2,", "1.ts"]
    lines += ["#EXT-X-DISCONTINUITY", "#EXTINF:2,", "2.ts", "#EXT-X-DISCONTINUITY", "#EXTINF:2,", "3.ts"]
    settings = SETTINGS.model_copy(update={"sample_seconds": 7})
    result = probe(ProbeTarget(scripted.url("/1.m3u8", playlist(lines))), settings).result
    assert (result.verdict, result.height) == ("ok", 480), result.detail
    assert (result.discontinuities, result.extra["announced_jumps"]) == (2, 2)


# -- headers ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "header"),
    [
        ("User-Agent=Player%2F1.0", "User-Agent: Player/1.0"),
        ("user-agent=Player/1.0", "User-Agent: Player/1.0"),
        ("Referer=http%3A%2F%2Fsite%2F", "Referer: http://site/"),
        ("http-referrer=http://site/&http-user-agent=Player/1.0", "Referer: http://site/"),
        ("http-referrer=http://site/&http-user-agent=Player/1.0", "User-Agent: Player/1.0"),
        ("http-origin=http://site", "Origin: http://site"),
        ("Cookie=a%3Db", "Cookie: a=b"),
    ],
)
def test_options_behind_an_address_are_sent_with_every_request(offered: Scripted, options: str, header: str) -> None:
    url = offered.url("/1.m3u8", playlist(entries("media/{}.ts")))
    measured(f"{url}|{options}")
    assert len(offered.heads) >= 3
    assert all(header in head.splitlines() for head in offered.heads)
    assert all("VLC" not in head for head in offered.heads if "ser-" in options)

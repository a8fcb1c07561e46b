"""HLS: what a playlist may lead to, and what it may not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lab import Lab, Media
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.records import Result
from support.probing.scripted import Drip, Flood, Scripted, response


def playlist(*lines: str, ended: bool = True) -> bytes:
    whole = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2", *lines, *(["#EXT-X-ENDLIST"] if ended else [])]
    return response("\n".join(whole).encode() + b"\n")


def told(url: str, settings: config.Probe) -> tuple[str, str | None]:
    result = probe(ProbeTarget(url), settings).result
    return result.verdict, result.reason


@pytest.mark.parametrize(
    "leads_to",
    ["file:///etc/passwd", "data:video/mp2t;base64,R0", "concat:/etc/passwd|/etc/hosts", "subfile:,,0,9,,:/etc/passwd",
     "gopher://127.0.0.1/", "crypto:file:///etc/passwd", "http://["],
)  # fmt: skip
@pytest.mark.parametrize(
    "line",
    ["#EXTINF:2,\n{}", "#EXT-X-STREAM-INF:BANDWIDTH=1\n{}", '#EXT-X-KEY:METHOD=AES-128,URI="{}"\n#EXTINF:2,\n/1.ts',
     '#EXT-X-MAP:URI="{}"\n#EXTINF:2,\n/1.ts'],
)  # fmt: skip
def test_a_playlist_cannot_lead_out_of_http(
    scripted: Scripted, settings: config.Probe, line: str, leads_to: str
) -> None:
    scripted.url("/1.ts", response(b"\0" * 32))
    url = scripted.url("/1.m3u8", playlist(line.format(leads_to)))
    assert told(url, settings) == ("dead", "not_media")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), "no_data"),
        (("#EXTINF:2,", "/gone.ts"), "http_404"),
        (("#EXT-X-STREAM-INF:BANDWIDTH=1", "/1.m3u8"), "not_media"),
        (("#EXT-X-STREAM-INF:BANDWIDTH=1", "/page"), "not_media"),
        (('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="/k"', "#EXTINF:2,", "/1.ts"), "drm_protected"),
        (('#EXT-X-KEY:METHOD=AES-128,URI="/k",KEYFORMAT="com.apple"', "#EXTINF:2,", "/1.ts"), "drm_protected"),
        (('#EXT-X-KEY:METHOD=AES-128,URI="/1.ts"', "#EXTINF:2,", "/1.ts"), "undecodable"),
        (('#EXT-X-KEY:METHOD=AES-128,URI="/k",IV=0xzz', "#EXTINF:2,", "/1.ts"), "undecodable"),
        (("#EXT-X-BYTERANGE:x@y", "#EXTINF:2,", "/1.ts"), "not_media"),
        (("#EXT-X-MEDIA-SEQUENCE:99999999999999999999999999999999999999999999",
          '#EXT-X-KEY:METHOD=AES-128,URI="/k"', "#EXTINF:2,", "/1.ts"), "undecodable"),
    ],
)  # fmt: skip
def test_a_playlist_that_is_wrong_has_its_reason(
    scripted: Scripted, settings: config.Probe, lines: tuple[str, ...], reason: str
) -> None:
    scripted.url("/1.ts", response(b"\0" * 32))
    scripted.url("/k", response(b"k" * 16))
    scripted.url("/page", response(b"<html></html>"))
    assert told(scripted.url("/1.m3u8", playlist(*lines)), settings) == ("dead", reason)


def test_a_playlist_without_end_is_not_read_to_its_end(scripted: Scripted, settings: config.Probe) -> None:
    flood = Flood(b"#EXTINF:2,\n/segment.ts\n" * 1000, b"#EXTM3U\n")
    assert told(scripted.url("/1.m3u8", flood), settings) == ("dead", "not_media")
    assert flood.sent < 40_000_000


def test_a_playlist_that_comes_too_slowly_is_given_up(scripted: Scripted, settings: config.Probe) -> None:
    url = scripted.url("/1.m3u8", Drip(b"#", b"#EXTM3U\n", every=0.2))
    result = probe(ProbeTarget(url), settings).result
    assert (result.verdict, result.reason) == ("dead", "no_data")
    assert result.elapsed_s < settings.connect_timeout + 3 * settings.read_timeout + 0.5


def test_a_segment_without_end_costs_no_more_than_the_sample(
    scripted: Scripted, settings: config.Probe, lab_media: Media
) -> None:
    scripted.url("/1.ts", Flood(bytes(lab_media.clip("sd480p30").data)))
    result = probe(ProbeTarget(scripted.url("/1.m3u8", playlist("#EXTINF:2,", "/1.ts"))), settings).result
    assert result.video_codec == "h264"
    assert result.elapsed_s < 3


def test_the_best_variant_is_chosen_and_the_others_noted(lab: Lab, settings: config.Probe) -> None:
    result = probe(ProbeTarget(lab.url("hls_variants")), settings).result
    assert (result.height, result.container) == (1080, "hls")
    assert sorted(variant["height"] for variant in result.extra["variants"]) == [480, 720, 1080]


def segments(count: int) -> list[str]:
    return [line for number in range(count) for line in ("#EXTINF:2,", f"/{number}.ts")]


def test_a_segment_that_has_gone_meanwhile_is_passed_over(
    scripted: Scripted, settings: config.Probe, lab_media: Media
) -> None:
    clip = lab_media.clip("sd480p30")
    cuts = [offset for offset, _ in clip.keys][::2]
    for number, (start, end) in enumerate(pairwise(cuts)):
        if number != 1:
            scripted.url(f"/{number}.ts", response(clip.data[start:end]))
    result: Result = probe(ProbeTarget(scripted.url("/1.m3u8", playlist(*segments(4)))), settings).result
    assert result.video_codec == "h264"
    assert result.extra["missing_segments"] == 1

"""A stream over HTTP: false lengths, notices in place of channels, and what tuners and proxies report."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from lab import Clip, Media
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.records import Result
from support.probing.scripted import Scripted, response

SETTINGS = config.Probe(sample_seconds=3, connect_timeout=1, read_timeout=2)
HUGE = 2_624_204_796
PACKET = 188
NULL_PACKET = b"\x47\x1f\xff\x10" + bytes(184)


@pytest.fixture
def clip(lab_media: Media) -> Clip:
    return lab_media.clip("sd480p30")


def head(length: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: {length}\r\n\r\n".encode()


def in_real_time(clip: Clip, length: int, *, seconds: int, holds: float = 0.0) -> Callable[[socket.socket], None]:
    """Send the clip second by second behind a declared length, then hold the connection open."""
    edges = [offset for offset, _ in clip.keys]

    def serve(taken: socket.socket) -> None:
        taken.sendall(head(length))
        for second in range(seconds):
            taken.sendall(clip.data[edges[second] : edges[second + 1]])
            time.sleep(1)
        time.sleep(holds)

    return serve


def result_of(url: str, settings: config.Probe = SETTINGS) -> Result:
    return probe(ProbeTarget(url), settings).result


@pytest.mark.parametrize("holds", [0.0, 5.0])
def test_a_live_stream_that_stops_before_its_false_length_is_unstable(
    scripted: Scripted, clip: Clip, holds: float
) -> None:
    longer = SETTINGS.model_copy(update={"sample_seconds": 5})
    result = result_of(scripted.url("/live", in_real_time(clip, HUGE, seconds=2, holds=holds)), longer)
    assert (result.verdict, result.reason) == ("degraded", "unstable"), result.detail


def test_a_live_stream_with_a_false_length_is_ok(scripted: Scripted, clip: Clip) -> None:
    result = result_of(scripted.url("/live", in_real_time(clip, HUGE, seconds=5)))
    assert (result.verdict, result.reason) == ("ok", None), result.detail


def test_a_live_stream_behind_a_length_of_zero_is_ok(scripted: Scripted, clip: Clip) -> None:
    result = result_of(scripted.url("/live", in_real_time(clip, 0, seconds=5)))
    assert (result.verdict, result.reason) == ("ok", None), result.detail


@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [
        ("/promo", "video/mp2t", "not_live"),
        ("/live/user/secret/12.ts", "video/mp2t", "not_live"),
        ("/user/secret/12", "video/mp4", "not_live"),
        ("/movie/user/secret/12.ts", "video/mp2t", None),
        ("/series/user/secret/12.mkv", "video/mp2t", None),
        ("/films/short.ts", "video/mp2t", None),
        ("/12", "application/octet-stream", None),
    ],
)
def test_a_short_recording_in_place_of_a_channel_is_not_live(
    scripted: Scripted, clip: Clip, path: str, kind: str, reason: str | None
) -> None:
    result = result_of(scripted.url(path, response(bytes(clip.data), Content_Type=kind)))
    assert (result.verdict, result.reason) == ("degraded" if reason else "ok", reason), result.detail
    if reason:
        assert "a recording of" in str(result.detail)


def recording(seconds: int) -> bytes:
    """Return a finished list of segments of two seconds; only those that a short sample needs exist."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2"]
    for number in range(seconds // 2):
        lines += ["#EXTINF:2.0,", f"/segment/{number % 2}.ts"]
    return response("\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode())


@pytest.mark.parametrize(
    ("path", "seconds", "reason"),
    [
        ("/live/user/secret/12.m3u8", 12, "not_live"),
        ("/live/user/secret/12.m3u8", 60, "not_live"),
        ("/user/secret/12", 12, "not_live"),
        ("/channel", 12, "not_live"),
        ("/channel", 40, None),
        ("/live/user/secret/12.m3u8", 300, None),
        ("/movie/user/secret/12.m3u8", 12, None),
        ("/vod/clip", 12, None),
        ("/films/short.m3u8", 12, None),
    ],
)
def test_a_short_finished_playlist_in_place_of_a_channel_is_not_live(
    scripted: Scripted, clip: Clip, path: str, seconds: int, reason: str | None
) -> None:
    edges = [offset for offset, _ in clip.keys]
    for number in range(2):
        scripted.serve(f"/segment/{number}.ts", clip.data[edges[2 * number] : edges[2 * number + 2]])
    result = result_of(scripted.url(path, recording(seconds)))
    assert (result.verdict, result.reason) == ("degraded" if reason else "ok", reason), result.detail
    if reason:
        assert result.detail == f"a recording of {seconds} s in place of a live stream"


@pytest.mark.parametrize("place", [0, 2, 8, 21, 22])
def test_a_live_stream_that_is_cut_off_at_once_is_a_refusal_wherever_it_began(
    scripted: Scripted, lab_media: Media, place: int
) -> None:
    """Twenty packets may hold the tables, and a piece of sound that no decoder can begin with."""
    data = bytes(lab_media.clip("hd25_2m").data)
    start = len(data) // PACKET // 60 * place * PACKET
    begun = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + data[start : start + 20 * PACKET]
    result = result_of(scripted.url("/live/user/secret/12.ts", begun))
    assert (result.verdict, result.reason) == ("unknown", "provider_busy"), result.detail


@pytest.mark.parametrize(
    ("message", "detail"),
    [
        (b"Error: Connection failed", "the proxy reports 'Error: Connection failed' in place of media"),
        (b"", "null packets only"),
        (b"\x1b]52;c;x\x07", "null packets only"),
    ],
)
def test_the_message_in_a_null_packet_is_reported(scripted: Scripted, message: bytes, detail: str) -> None:
    last = (b"\x47\x1f\xff\x10" + message).ljust(188, b"\0")
    result = result_of(scripted.url("/proxy", b"HTTP/1.1 200 OK\r\n\r\n" + NULL_PACKET * 20 + last))
    assert (result.verdict, result.reason) == ("dead", "no_data")
    assert str(result.detail).startswith(detail)


@pytest.mark.parametrize(
    ("error", "verdict", "reason"),
    [
        ("805 All Tuners In Use", "unknown", "provider_busy"),
        ("804", "unknown", "provider_busy"),
        ("807 No Video Data", "dead", "no_data"),
        ("806 Tune Failed", "dead", "no_data"),
        ("801 Unknown Channel", "dead", "http_404"),
        ("811 Content Protection Required", "dead", "drm_protected"),
        ("999 New", "unknown", "provider_busy"),
    ],
)
def test_a_network_tuner_says_why_it_refuses(scripted: Scripted, error: str, verdict: str, reason: str) -> None:
    result = result_of(scripted.url("/auto/v1", response(b"", status=503, X_HDHomeRun_Error=error)))
    assert (result.verdict, result.reason) == (verdict, reason)
    assert error.startswith("999") or error[:3] in str(result.detail)

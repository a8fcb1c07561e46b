"""A probe of any bytes ends with a verdict, in time, and never with an exception."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import threading
import time
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab import Lab, Media
from streamflow import config
from streamflow.probing import ProbeOutcome, ProbeTarget, probe, report
from support.probing.inside import forked_server
from support.probing.scripted import Drip, Flood, Scripted, response
from support.probing.watching import assert_nobody_watches

QUICK = config.Probe(sample_seconds=0.3, connect_timeout=0.5, read_timeout=0.3)
# For a long search: STREAMFLOW_FUZZ=1000 ./streamflow test tests/streamflow/probing/test_hostile.py --timeout 0
EXAMPLES = int(os.environ.get("STREAMFLOW_FUZZ", "40"))
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 40, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
PIECE = 188 * 2500
_paths = count()


def judged(scripted: Scripted, body: bytes, *, hls: bool = False) -> ProbeOutcome:
    """Probe a body at an address of its own; return the outcome."""
    path = f"/live/user/secret-password/{next(_paths)}.{'m3u8' if hls else 'ts'}"
    outcome = probe(ProbeTarget(scripted.url(path, response(body))), QUICK)
    assert outcome.result.reason != "internal_error", outcome.result.detail
    assert outcome.result.verdict in ("ok", "degraded", "dead", "unknown", "skipped")
    assert "secret-password" not in json.dumps(outcome.result.model_dump(mode="json")) + report(outcome)
    return outcome


@BOUNDED
@given(changes=st.lists(st.tuples(st.integers(0, PIECE - 1), st.binary(min_size=1, max_size=400)), max_size=12))
def test_a_mutated_transport_stream_ends_in_a_verdict(
    scripted: Scripted, lab_media: Media, changes: list[tuple[int, bytes]]
) -> None:
    body = bytearray(lab_media.clip("hd25_2m").data[:PIECE])
    for at, put in changes:
        body[at : at + len(put)] = put
    judged(scripted, bytes(body))


@pytest.mark.parametrize("clip", ["sd576i_mpeg2", "sd480p30", "hd50_4m", "fhd25_hevc", "radio_aac"])
@pytest.mark.parametrize("share", [0.0002, 0.01])
def test_a_stream_full_of_wrong_bits_ends_in_a_verdict(
    scripted: Scripted, lab_media: Media, clip: str, share: float
) -> None:
    chance = random.Random(clip)
    body = bytearray(lab_media.clip(clip).data[:PIECE])
    for _ in range(int(len(body) * share)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    judged(scripted, bytes(body))


MAGIC = (
    b"",
    b"\x47",
    b"FLV\x01\x05",
    b"\x1aE\xdf\xa3",
    b"\0\0\0\x18ftypisom",
    b"OggS",
    b"ID3\x04",
    b"\xff\xf1",
    b"RIFF",
)


@BOUNDED
@given(body=st.binary(max_size=3000), start=st.sampled_from(MAGIC))
def test_noise_behind_any_formats_first_bytes_is_dead(scripted: Scripted, body: bytes, start: bytes) -> None:
    outcome = judged(scripted, start + body)
    assert outcome.result.verdict in ("dead", "unknown", "skipped")


LINES = (
    """
#EXTM3U|#EXTINF:2,|#EXTINF:x,|#EXTINF:|#EXTINF:-1e400,a|/segment.ts|segment.ts||http://[|#EXT-X-TARGETDURATION:1e999
#EXT-X-TARGETDURATION:-5|#EXT-X-TARGETDURATION:|#EXT-X-MEDIA-SEQUENCE:-7|#EXT-X-MEDIA-SEQUENCE:nine|#EXT-X-BYTERANGE:9
#EXT-X-BYTERANGE:@|#EXT-X-KEY:METHOD=AES-128,URI="/k"|#EXT-X-KEY:METHOD=AES-128|#EXT-X-KEY:|#EXT-X-MAP:
#EXT-X-MAP:URI="/m",BYTERANGE="x"|#EXT-X-ENDLIST|#EXT-X-STREAM-INF:BANDWIDTH=x,RESOLUTION=y|#EXT-X-STREAM-INF:
#EXT-X-STREAM-INF:BANDWIDTH=5,RESOLUTION=9x9|#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a"|#EXT-X-MEDIA:|#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:never|#EXT-X-I-FRAME-STREAM-INF:|#EXT-X-PART:|#EXT-X-SKIP:|#EXT-X-DATERANGE:|#EXT-X-CUE-OUT:x
#EXT-X-VERSION:x|#EXT-X-SESSION-KEY:|#EXT-X-START:|#EXT-X-SERVER-CONTROL:|#EXT-X-RENDITION-REPORT:
""".strip()
    .replace("\n", "|")
    .split("|")
)


@BOUNDED
@given(lines=st.lists(st.sampled_from(LINES), max_size=14))
def test_a_playlist_of_any_lines_ends_in_a_verdict(scripted: Scripted, lines: list[str]) -> None:
    judged(scripted, "\n".join(["#EXTM3U", *lines, "#EXT-X-ENDLIST"]).encode(), hls=True)


# Replacements that a mutation inserts, beside random bytes.
TOKENS = (
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b'"',
    b"\n",
    b"=",
    b",",
    b"<",
    b"&x;",
    b"$Number%0999999999d$",
    b"@",
)
PLAYLISTS = {
    "variants": """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="one",LANGUAGE="fra",URI="/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1280000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="a"
/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2560000,RESOLUTION=1280x720,AUDIO="a"
/media.m3u8
""",
    "media": """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-KEY:METHOD=AES-128,URI="/key",IV=0x0123456789abcdef0123456789abcdef
#EXT-X-MAP:URI="/segment.ts",BYTERANGE="188@0"
#EXTINF:2.0,
#EXT-X-BYTERANGE:1880@188
/segment.ts
#EXT-X-DISCONTINUITY
#EXTINF:2.0,
/segment.ts
#EXT-X-ENDLIST
""",
    "DASH": """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT8S">
<BaseURL>/</BaseURL><Period id="1"><AdaptationSet mimeType="video/mp4"><SegmentTemplate timescale="10"
initialization="$RepresentationID$" media="s$Number%03d$-$Time$"><SegmentTimeline><S t="0" d="10" r="3"/>
</SegmentTimeline></SegmentTemplate><Representation id="v1" width="640" height="480" bandwidth="1200000"/>
<Representation id="v2" width="320" height="240" bandwidth="600000"/></AdaptationSet><AdaptationSet lang="fra"
contentType="audio"><SegmentList duration="1"><SegmentURL media="a1"/></SegmentList><Representation id="a"/>
</AdaptationSet></Period></MPD>""",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@BOUNDED
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 1000), st.integers(0, 30), st.binary(max_size=12) | st.sampled_from(TOKENS)),
        max_size=8,
    )
)
def test_a_mutated_playlist_ends_in_a_verdict(
    scripted: Scripted, lab_media: Media, kind: str, changes: list[tuple[int, int, bytes]]
) -> None:
    scripted.url("/segment.ts", response(bytes(lab_media.clip("hd25_2m").data[: 188 * 500])))
    scripted.url("/key", response(bytes(16)))
    scripted.url("/media.m3u8", response(PLAYLISTS["media"].encode()))
    body = bytearray(PLAYLISTS[kind].encode())
    for at, gone, put in changes:
        at %= len(body)
        body[at : at + gone] = put
    judged(scripted, bytes(body), hls=True)


@BOUNDED
@given(head=st.binary(max_size=300), proper=st.booleans())
def test_headers_of_any_bytes_end_in_a_verdict(scripted: Scripted, head: bytes, proper: bool) -> None:
    path = f"/{next(_paths)}.ts"
    said = (b"HTTP/1.1 200 OK\r\n" if proper else b"") + head + b"\r\n\r\n"
    result = probe(ProbeTarget(scripted.url(path, said)), QUICK).result
    assert result.reason != "internal_error", result.detail


NO_STREAMS = (
    "", " ", "nonsense", "http://", "http://[", "http:///x", "file:///etc/passwd", "javascript:x", "http://host:99999/x",
    "rtmp://", "concat:/etc/passwd", "//x", "http://\x00/",
)  # fmt: skip


@pytest.mark.parametrize("url", NO_STREAMS)
def test_an_invalid_url_has_a_verdict(url: str) -> None:
    result = probe(ProbeTarget(url), QUICK).result
    assert (result.verdict, result.reason) in (
        ("skipped", "unsupported_protocol"), ("dead", "not_media"), ("dead", "dns_failure"),
    )  # fmt: skip


def test_a_byte_a_minute_is_no_data(scripted: Scripted) -> None:
    def drip(taken: socket.socket) -> None:
        taken.sendall(b"HTTP/1.1 200 OK\r\n\r\n\x47")
        taken.recv(1)

    began = time.monotonic()
    result = probe(ProbeTarget(scripted.url("/1.ts", drip)), QUICK).result
    assert (result.verdict, result.reason) == ("dead", "no_data")
    assert time.monotonic() - began < 2


def test_bytes_that_always_just_come_in_time_are_no_data(scripted: Scripted) -> None:
    began = time.monotonic()
    result = probe(ProbeTarget(scripted.url("/1.ts", Drip(b"\x47", every=0.1))), QUICK).result
    assert (result.verdict, result.reason) == ("dead", "no_data")
    assert time.monotonic() - began < 3


def test_a_flood_is_taken_only_as_far_as_the_sample_needs(scripted: Scripted, lab_media: Media) -> None:
    flood = Flood(bytes(lab_media.clip("sd480p30").data))
    assert probe(ProbeTarget(scripted.url("/1.ts", flood)), QUICK).result.video_codec == "h264"
    assert flood.sent < 60_000_000


def test_a_damaged_compressed_body_is_no_media(scripted: Scripted) -> None:
    bomb = response(b"\x1f\x8b\x08\x00" + b"\0" * 2000, Content_Encoding="gzip", Content_Type="video/mp2t")
    result = probe(ProbeTarget(scripted.url("/1.ts", bomb)), QUICK).result
    assert (result.verdict, result.reason) == ("dead", "not_media")


def test_a_content_type_cannot_carry_a_secret_into_the_result(scripted: Scripted) -> None:
    sent = response(b"<html>", Content_Type="http://host/live/user/secret-password/1.ts" + "x" * 5000)
    result = probe(ProbeTarget(scripted.url("/1.ts", sent)), QUICK).result
    assert "secret-password" not in result.model_dump_json()
    assert len(result.model_dump_json()) < 2000


def test_a_fault_of_the_probe_is_a_verdict_that_says_where(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    def broken(*_: object) -> None:
        raise KeyError("http://host/live/user/secret-password/1.ts")

    monkeypatch.setattr(sys.modules["streamflow.probing.fetcher"], "feed", broken)
    with forked_server():
        result = probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result
    assert (result.verdict, result.reason) == ("unknown", "internal_error")
    assert result.detail
    assert result.detail.startswith("KeyError at test_hostile.py:")
    assert "secret-password" not in result.model_dump_json()


def test_an_interrupt_of_the_caller_ends_the_connection(lab: Lab) -> None:
    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def interrupt_when_watched() -> None:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and not lab.account_record(1)["current"]:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    threading.Thread(target=interrupt_when_watched).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            probe(ProbeTarget(lab.url("hd25_2m")), config.Probe())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert_nobody_watches(lab)

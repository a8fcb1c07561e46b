"""HLS as players read it, and what a playlist may not lead to."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab import Lab, Media
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.protocols.hls.playlist import MediaPlaylist, parse
from streamflow.records import Result
from support.probing.fragments import cut
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
        (('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://k"', "#EXTINF:2,", "/1.ts"), "drm_protected"),
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


# -- as players read it ----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def pieces(lab_media: Media) -> list[bytes]:
    return cut(lab_media.clip("sd480p30"))


@pytest.fixture
def offered(scripted: Scripted, pieces: list[bytes]) -> Scripted:
    """Segments of two seconds at ``/0.ts``, ``/1.ts`` and so on."""
    for number, piece in enumerate(pieces):
        scripted.serve(f"/{number}.ts", piece)
    return scripted


LONGER = config.Probe(sample_seconds=4, connect_timeout=1, read_timeout=1)


def measured(url: str, settings: config.Probe = LONGER) -> Result:
    result = probe(ProbeTarget(url), settings).result
    assert (result.verdict, result.reason, result.height) == ("ok", None, 480), result.detail
    return result


UNNEEDED = [
    "#EXT-X-PROGRAM-DATE-TIME:2026-11-28T07:35:37R", "#EXT-X-PROGRAM-DATE-TIME:", "#EXT-X-PROGRAM-DATE-TIME",
    "#EXT-X-DATERANGE:ID=1,DURATION=abc", "#EXT-X-DATERANGE:", "#EXT-X-DATERANGE:START-DATE=2026-11-28",
    "#EXT-X-CUE-OUT:DURATION=x", "#EXT-X-CUE-OUT-CONT:8/30", "#EXT-X-CUE-IN", "#EXT-X-SCTE35:TYPE=0x34",
    "#EXT-OATCLS-SCTE35:", "#EXT-X-ASSET:CAID=0x0A", "#EXT-X-GAP", "#EXT-X-BITRATE:x", "#EXT-X-VERSION:x",
    "#EXT-X-DISCONTINUITY-SEQUENCE:x", "#EXT-X-INDEPENDENT-SEGMENTS:x", "#EXT-X-SERVER-CONTROL:HOLD-BACK=x",
    "#EXT-X-PART-INF:PART-TARGET=x", '#EXT-X-PART:DURATION=x,URI="/p.ts"', '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="/p.ts"',
    "#EXT-X-SKIP:SKIPPED-SEGMENTS=x", "#EXT-X-START:TIME-OFFSET=x", "#EXT-X-KEY:METHOD=NONE", "#EXT-X-SESSION-DATA:",
    "#EXT-X-RENDITION-REPORT:x", "#EXT-X-TARGETDURATION:2.000", "#EXT-X-TARGETDURATION:None", "#EXT-X-UNKNOWN:a=b",
    "#EXT-X-ALLOW-CACHE:x", "#EXTINF:x,", "#EXTINF", "#EXTVLCOPT:http-user-agent=x", "#", "# a comment", "",
]  # fmt: skip


@pytest.mark.parametrize("place", ["before", "between", "behind"])
def test_a_tag_that_is_not_needed_may_be_wrong_anywhere(offered: Scripted, place: str) -> None:
    entries = [["#EXTINF:2,", f"/{number}.ts"] for number in range(3)]
    lines = [line for entry in entries for line in ([*UNNEEDED, *entry] if place == "between" else entry)]
    lines = [*UNNEEDED, *lines] if place == "before" else [*lines, *UNNEEDED] if place == "behind" else lines
    result = measured(offered.url("/1.m3u8", playlist(*lines)))
    assert (result.extra["segments"], result.extra.get("missing_segments")) == (3, None)


@pytest.mark.parametrize("tag", ["#EXTINF:2,000,", "#EXTINF: 2.000 ,", "#EXTINF:2", "#EXTINF:-1,Name", "#EXTINF:2.0;"])
def test_the_duration_of_a_segment_may_have_any_form(offered: Scripted, tag: str) -> None:
    measured(offered.url("/1.m3u8", playlist(*[line for number in range(3) for line in (tag, f"/{number}.ts")])))


@pytest.mark.parametrize("start", ["\ufeff\r\n#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS", "\n\n#EXTM3U url-tvg=x"])
def test_the_first_line_may_be_late_or_missing(offered: Scripted, start: str) -> None:
    lines = [start, "#EXT-X-TARGETDURATION:2", *segments(3), "#EXT-X-ENDLIST"]
    measured(offered.url("/1.m3u8", response("\r\n".join(lines).encode())))


@pytest.mark.parametrize(
    "attributes", ["BANDWIDTH=None,RESOLUTION=640x480", "BANDWIDTH=66406.2", "RESOLUTION=640X480", "RESOLUTION=axb",
                   "PROGRAM-ID=1", "", 'CODECS="avc1,BANDWIDTH=1', "BANDWIDTH=-5,AVERAGE-BANDWIDTH=9"]
)  # fmt: skip
def test_a_variant_may_be_described_wrongly(offered: Scripted, attributes: str) -> None:
    offered.url("/v.m3u8", playlist(*segments(3)))
    master = f"#EXTM3U\n#EXT-X-STREAM-INF:{attributes}\n/v.m3u8\n"
    measured(offered.url("/1.m3u8", response(master.encode())))


def test_a_message_names_the_tag_that_was_needed(offered: Scripted, settings: config.Probe) -> None:
    for tag, line in {"EXT-X-BYTERANGE": "#EXT-X-BYTERANGE:x", "EXT-X-MAP": "#EXT-X-MAP:BYTERANGE=1"}.items():
        result = probe(ProbeTarget(offered.url("/1.m3u8", playlist(line, *segments(1)))), settings).result
        assert (result.reason, tag in (result.detail or "")) == ("not_media", True)


VARIANTS = "#EXTM3U\n" + "".join(
    f"#EXT-X-STREAM-INF:BANDWIDTH={kbps}000,RESOLUTION={size}\n/{name}.m3u8\n"
    for kbps, size, name in ((6000, "1920x1080", "best"), (1500, "640x480", "first"), (1500, "640x480", "second"))
)


@pytest.mark.parametrize("fault", ["404", "page", "segments", "empty"])
def test_the_next_variant_is_measured_where_the_best_fails(offered: Scripted, fault: str) -> None:
    answers = {"404": response(b"", status=404), "page": response(b"<html></html>"),
               "segments": playlist("#EXTINF:2,", "/gone.ts"), "empty": response(b"")}  # fmt: skip
    offered.url("/best.m3u8", answers[fault])
    offered.url("/first.m3u8", playlist(*segments(3)))
    result = measured(offered.url("/1.m3u8", response(VARIANTS.encode())))
    assert [(lost["height"], bool(lost["detail"])) for lost in result.extra["lost_variants"]] == [(1080, True)]
    assert "1080p" in str(result.detail)


def test_a_redundant_address_takes_over(offered: Scripted) -> None:
    offered.url("/second.m3u8", playlist(*segments(3)))
    result = measured(offered.url("/1.m3u8", response(VARIANTS.encode())))
    assert len(result.extra["lost_variants"]) == 2


def test_all_variants_failing_is_the_failure_of_the_best(scripted: Scripted, settings: config.Probe) -> None:
    scripted.url("/best.m3u8", response(b"", status=410))
    assert told(scripted.url("/1.m3u8", response(VARIANTS.encode())), settings) == ("dead", "http_410")


def test_a_list_of_variants_may_lead_to_another(offered: Scripted) -> None:
    offered.url("/v.m3u8", playlist(*segments(3)))
    inner = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1500000,RESOLUTION=640x480\n/v.m3u8\n"
    offered.url("/m.m3u8", response(inner))
    measured(offered.url("/1.m3u8", response(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1500000\n/m.m3u8\n")))


@pytest.mark.parametrize("status", [403, 404, 500, 502, 503])
def test_one_failing_segment_is_requested_again_or_left_out(
    offered: Scripted, pieces: list[bytes], status: int
) -> None:
    failed: list[str] = []

    def once(head: str) -> bytes:
        failed.append(head)
        return response(b"", status=status) if len(failed) == 1 else response(pieces[1])

    offered.files.pop("/1.ts")
    offered.answer_by_head("/1.ts", once)
    result = measured(offered.url("/1.m3u8", playlist(*segments(4))))
    assert "missing_segments" not in result.extra


def test_a_gap_that_is_announced_is_left_out(offered: Scripted) -> None:
    lines = segments(6)
    for number in (1, 2, 3):
        offered.url(f"/{number}.ts", response(b"", status=404))
        offered.files.pop(f"/{number}.ts", None)
        lines.insert(lines.index(f"/{number}.ts"), "#EXT-X-GAP")
    settings = LONGER.model_copy(update={"sample_seconds": 5})
    result = probe(ProbeTarget(offered.url("/1.m3u8", playlist(*lines))), settings).result
    assert (result.extra["segments"], result.extra.get("missing_segments")) == (3, None)


def test_segments_behind_a_wrong_mark_of_a_gap_are_fetched(offered: Scripted) -> None:
    lines = [line for number in range(4) for line in ("#EXT-X-GAP", "#EXTINF:2,", f"/{number}.ts")]
    measured(offered.url("/1.m3u8", playlist(*lines)))


def test_variables_are_replaced_and_imported(offered: Scripted) -> None:
    define, imports = '#EXT-X-DEFINE:NAME="path",VALUE="/v"', '#EXT-X-DEFINE:IMPORT="kind"'
    stream = "#EXT-X-STREAM-INF:BANDWIDTH=1500000,RESOLUTION=640x480"
    kind = '#EXT-X-DEFINE:NAME="kind",VALUE="ts"'
    lines = [line.replace(".ts", ".{$kind}") for line in segments(4)]
    offered.url("/v.m3u8", playlist(imports, *lines))
    measured(offered.url("/1.m3u8", playlist(define, kind, stream, "{$path}.m3u8", ended=False)))


def test_variables_come_from_the_address_of_the_playlist(offered: Scripted) -> None:
    lines = ['#EXT-X-DEFINE:QUERYPARAM="kind"', *(line.replace(".ts", ".{$kind}") for line in segments(4))]
    measured(offered.url("/1.m3u8?token=a%26b&kind=ts", playlist(*lines)))


def test_a_segment_that_is_cut_short_is_no_end(offered: Scripted, pieces: list[bytes]) -> None:
    offered.files.pop("/1.ts")
    offered.url("/1.ts", response(pieces[1])[: len(pieces[1]) // 2])
    result = probe(ProbeTarget(offered.url("/1.m3u8", playlist(*segments(4)))), LONGER).result
    assert (result.extra["segments"], result.extra["missing_segments"]) == (3, 1)


def test_three_failing_segments_in_a_row_are_an_end(scripted: Scripted, settings: config.Probe) -> None:
    for number in range(4):
        scripted.url(f"/{number}.ts", response(b"", status=502))
    assert told(scripted.url("/1.m3u8", playlist(*segments(4))), settings) == ("dead", "http_5xx")
    assert "/3.ts" not in scripted.asked


class Live:
    """A live playlist over ``pieces`` that moves on by a segment with each look; ``written`` makes its lines."""

    def __init__(
        self, server: Scripted, written: Callable[[int], list[str]], faults: dict[int, bytes] | None = None
    ) -> None:
        self.looks = 0
        self._written, self._faults = written, faults or {}
        self.url = server.answer_by_head("/live.m3u8", self._answer)

    def _answer(self, head: str) -> bytes:
        look, self.looks = self.looks, self.looks + 1
        return self._faults.get(look) or playlist(*self._written(look), ended=False)


def window(look: int, *, sequence: str, query: str = "") -> list[str]:
    lines = [line for number in range(look, look + 3) for line in ("#EXTINF:1,", f"/{number}.ts{query}")]
    return [sequence, *lines] if sequence else lines


QUICK_LIVE = LONGER.model_copy(update={"sample_seconds": 6})


@pytest.mark.parametrize("sequence", ["moves", "missing", "still", "wrong", "restarts"])
@pytest.mark.parametrize("token", [False, True])
def test_a_live_playlist_is_followed_with_any_numbering(offered: Scripted, sequence: str, token: bool) -> None:
    def written(look: int) -> list[str]:
        numbers = {"moves": look, "still": 7, "wrong": "nine", "restarts": look + 900 if look < 2 else look}
        tag = f"#EXT-X-MEDIA-SEQUENCE:{numbers[sequence]}" if sequence != "missing" else ""
        return window(look, sequence=tag, query=f"?token={look}" if token else "")

    live = Live(offered, written)
    result = probe(ProbeTarget(live.url), QUICK_LIVE).result
    assert (result.verdict, result.discontinuities) == ("ok", 0), result.detail
    media = [path.partition("?")[0] for path in offered.asked if path.endswith(".ts") or ".ts?" in path]
    assert media == [f"/{number}.ts" for number in range(len(media))]
    assert len(media) >= 4


@pytest.mark.parametrize("fault", [response(b"", status=503), response(b"<html>", status=200), response(b""), b""])
def test_one_failing_reload_is_no_end(offered: Scripted, fault: bytes) -> None:
    live = Live(offered, lambda look: window(look, sequence=f"#EXT-X-MEDIA-SEQUENCE:{look}"), {1: fault})
    result = probe(ProbeTarget(live.url), QUICK_LIVE).result
    assert result.verdict == "ok", result.detail
    assert live.looks >= 3


def test_a_live_playlist_that_ends_within_the_sample_has_ended_early(offered: Scripted) -> None:
    def written(look: int) -> list[str]:
        lines = window(0, sequence="#EXT-X-MEDIA-SEQUENCE:0")
        return [*lines, "#EXT-X-ENDLIST"] if look else lines

    result = probe(ProbeTarget(Live(offered, written).url), LONGER.model_copy(update={"sample_seconds": 9})).result
    assert (result.verdict, result.reason) == ("degraded", "unstable"), result.detail
    assert str(result.detail).startswith("ended by itself")


def test_a_recording_window_of_hours_with_long_tokens_is_joined_near_its_end(offered: Scripted) -> None:
    token = "a1b2c3d4" * 36
    lines = [line for number in range(14_400) for line in ("#EXTINF:2,", f"/old{number}.ts?{token}")]
    live = Live(offered, lambda look: [*lines, *window(look, sequence="")])
    assert probe(ProbeTarget(live.url), QUICK_LIVE).result.verdict == "ok"
    assert not [path for path in offered.asked if "old" in path]


def test_a_long_playlist_takes_little_memory() -> None:
    document = b"#EXTM3U\n" + b"".join(b"#EXTINF:2,\n/%d.ts\n" % number for number in range(120_000))
    tracemalloc.start()
    parsed = parse(document)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(parsed, MediaPlaylist)
    assert parsed.segments[-1].number == 119_999
    assert peak < 2_000_000


@pytest.mark.parametrize("text", [b"A", b'A="', b",", b"A,", b" ", b'"'])
@pytest.mark.parametrize("tag", [b"#EXT-X-STREAM-INF:", b"#EXT-X-KEY:", b"#EXTINF:"])
def test_a_long_line_is_read_in_linear_time(tag: bytes, text: bytes) -> None:
    document = b"#EXTM3U\n" + (tag + text * (16_000 // len(text)) + b"\n/1.ts\n") * 300
    began = time.process_time()
    parse(document)
    assert time.process_time() - began < 1


def test_a_playlist_of_too_many_lines_is_refused(scripted: Scripted, settings: config.Probe) -> None:
    url = scripted.url("/1.m3u8", response(b"#EXTM3U\n" + b"\n" * 1_000_000))
    assert told(url, settings) == ("dead", "not_media")


def test_counters_that_restart_with_each_segment_are_no_loss(
    scripted: Scripted, lab_media: Media, pieces: list[bytes]
) -> None:
    for number, piece in enumerate(pieces):
        counters: dict[int, int] = {}
        data = bytearray(piece)
        for at in range(0, len(data), 188):
            pid = (data[at + 1] & 0x1F) << 8 | data[at + 2]
            if data[at + 3] & 0x10:
                counters[pid] = counters.get(pid, 4) + 1 & 0x0F
                data[at + 3] = data[at + 3] & 0xF0 | counters[pid]
        scripted.url(f"/{number}.ts", response(bytes(data)))
    result = measured(scripted.url("/1.m3u8", playlist(*segments(len(pieces)))), QUICK_LIVE)
    assert result.extra.get("continuity_errors") is None


@pytest.mark.parametrize("size", [0, 600, 300_000])
@pytest.mark.parametrize("picture", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBP"])
def test_a_picture_in_front_of_each_segment_is_left_out(
    scripted: Scripted, pieces: list[bytes], picture: bytes, size: int
) -> None:
    for number, piece in enumerate(pieces[:4]):
        scripted.url(f"/{number}.ts", response(picture + b"xG" * (size // 2) + piece))
    result = measured(scripted.url("/1.m3u8", playlist(*segments(4))))
    assert (result.decode_errors, result.extra.get("continuity_errors")) == (0, None)


def test_a_range_that_the_server_ignores_is_cut_from_the_whole_file(scripted: Scripted, pieces: list[bytes]) -> None:
    scripted.url("/all.ts", response(b"".join(pieces)))
    lines, at = [], 0
    for piece in pieces[:3]:
        lines += ["#EXTINF:2,", f"#EXT-X-BYTERANGE:{len(piece)}@{at}", "/all.ts"]
        at += len(piece)
    assert measured(scripted.url("/1.m3u8", playlist(*lines))).discontinuities == 0


def test_a_cookie_of_the_list_is_sent_with_everything(offered: Scripted) -> None:
    master = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1500000,RESOLUTION=640x480\n/v.m3u8\n"
    offered.url("/v.m3u8", playlist(*segments(3)))
    measured(offered.url("/1.m3u8", response(master, Set_Cookie="tok=exp=1~acl=/*; Path=/")))
    assert ["Cookie: tok=exp=1~acl=/*" in head for head in offered.heads] == [False, *[True] * (len(offered.heads) - 1)]


def encrypted(piece: bytes, key: bytes, number: int) -> bytes:
    padder = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(key), modes.CBC(number.to_bytes(16, "big"))).encryptor()
    return cipher.update(padder.update(piece) + padder.finalize()) + cipher.finalize()


def test_a_key_that_does_not_fit_is_told(scripted: Scripted, pieces: list[bytes]) -> None:
    for number, piece in enumerate(pieces[:3]):
        scripted.url(f"/{number}.ts", response(encrypted(piece, bytes(range(16)), number)))
    scripted.url("/k", response(b"another key here"))
    lines = ['#EXT-X-KEY:METHOD=AES-128,URI="/k"', *segments(3)]
    result = probe(ProbeTarget(scripted.url("/1.m3u8", playlist(*lines))), LONGER).result
    assert (result.verdict, result.reason) == ("dead", "undecodable")
    assert "the key does not fit" in (result.detail or "")


def test_noise_before_media_is_no_wrong_key(scripted: Scripted, pieces: list[bytes]) -> None:
    key = bytes(range(16))
    for number, piece in enumerate(pieces[:3]):
        scripted.url(f"/{number}.ts", response(encrypted(b"noise" * 3000 + piece, key, number)))
    scripted.url("/k", response(key))
    lines = ['#EXT-X-KEY:METHOD=AES-128,URI="/k"', *segments(3)]
    assert probe(ProbeTarget(scripted.url("/1.m3u8", playlist(*lines))), LONGER).result.verdict != "dead"


@pytest.mark.parametrize("has_padding", [True, False])
def test_an_encrypted_segment_is_decrypted_as_it_comes(
    scripted: Scripted, pieces: list[bytes], has_padding: bool
) -> None:
    key = bytes(range(16))
    for number, piece in enumerate(pieces[:3]):
        padder = padding.PKCS7(128).padder()
        whole = padder.update(piece) + padder.finalize()
        padded = whole if has_padding else piece[: len(piece) // 16 * 16]
        cipher = Cipher(algorithms.AES(key), modes.CBC(number.to_bytes(16, "big"))).encryptor()
        scripted.url(f"/{number}.ts", response(cipher.update(padded) + cipher.finalize()))
    scripted.url("/k", response(key))
    systems = ['#EXT-X-KEY:METHOD=AES-128,URI="/k"', '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd:x",KEYFORMAT="com.apple"']
    assert measured(scripted.url("/1.m3u8", playlist(*systems, *segments(3)))).extra["encrypted"]


@pytest.mark.parametrize(
    "document",
    ["#EXTM3U\n#EXTINF:-1 tvg-id=\"a\",Station\n{}\n", "{}\n", "[playlist]\nNumberOfEntries=1\nFile1={}\nLength1=-1\n",
     '<ASX version="3.0"><entry><ref href = "{}"/></entry></ASX>',
     "<?xml version='1.0'?><playlist xmlns='http://xspf.org/ns/0/'><trackList><track><location>{}</location></track>"
     "</trackList></playlist>"],
)  # fmt: skip
@pytest.mark.parametrize("relative", [False, True])
def test_a_station_list_is_followed_once(offered: Scripted, document: str, relative: bool) -> None:
    address = offered.url("/real.m3u8", playlist(*segments(3)))
    if relative and document.startswith("{"):
        pytest.skip("a list of addresses alone has no relative ones")
    written = document.format("real.m3u8" if relative else address)
    measured(offered.url("/1.m3u", response(written.encode())))
    offered.url("/real.m3u8", response(written.encode()))
    assert probe(ProbeTarget(offered.url("/1.m3u")), LONGER).result.verdict == "dead"

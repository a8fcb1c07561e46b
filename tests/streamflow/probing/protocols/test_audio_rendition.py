"""Audio in segments of its own, in HLS and DASH, is measured like audio inside the video's segments."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import Clip, Media
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.target import KnownFigures
from streamflow.records import Result
from support.probing.at_once import probe_all
from support.probing.fragments import cut, fragmented, packed_sound
from support.probing.scripted import Scripted, response

SETTINGS = config.Probe(sample_seconds=5, connect_timeout=2, read_timeout=2)
EARLY = config.Probe(sample_seconds=7, min_sample_seconds=3, connect_timeout=2, read_timeout=2)
SOUND = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="{0}",LANGUAGE="{0}",DEFAULT={1}{2}'
VARIANT = '#EXT-X-STREAM-INF:BANDWIDTH=1200000,RESOLUTION=640x480,AUDIO="a",SUBTITLES="s"'


@pytest.fixture
def clip(lab_media: Media) -> Clip:
    return lab_media.clip("sd480p30")


def paced(body: bytes, seconds: float) -> bytes | Callable[[socket.socket], None]:
    """Return a response, which is sent after some seconds."""

    def answer(taken: socket.socket) -> None:
        time.sleep(seconds)
        taken.sendall(response(body))

    return answer if seconds else response(body)


def offer(scripted: Scripted, name: str, init: bytes | None, parts: list[bytes], pace: float = 0.0) -> None:
    """Serve a media playlist ``/name.m3u8`` and its segments, each after ``pace`` seconds."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2"]
    if init is not None:
        scripted.url(f"/{name}/init", response(init))
        lines.append(f'#EXT-X-MAP:URI="{name}/init"')
    for number, part in enumerate(parts):
        scripted.url(f"/{name}/{number}", paced(part, pace))
        lines += ["#EXTINF:1,", f"{name}/{number}"]
    scripted.url(f"/{name}.m3u8", response("\n".join([*lines, "#EXT-X-ENDLIST"]).encode()))


def master_url(scripted: Scripted, *renditions: str) -> str:
    text = "\n".join(["#EXTM3U", *renditions, VARIANT, "video.m3u8", ""])
    return scripted.url("/1.m3u8", response(text.encode()))


def master(scripted: Scripted, *renditions: str) -> Result:
    return probe(ProbeTarget(master_url(scripted, *renditions)), SETTINGS).result


def in_real_time(scripted: Scripted, tracks: dict[str, tuple[bytes, list[bytes]]], protocol: str) -> str:
    """Serve fragments of a second, one a second, and return the address of their playlist."""
    if protocol == "dash":
        return manifest(scripted, tracks, pace=0.9)
    offer(scripted, "video", *tracks["video"], pace=0.9)
    offer(scripted, "fra", *tracks["audio"])
    return master_url(scripted, sound("fra", default=True))


def sound(language: str, *, default: bool = False, address: bool = True) -> str:
    return SOUND.format(language, "YES" if default else "NO", f',URI="{language}.m3u8"' if address else "")


def assert_heard(result: Result, clip: Clip, language: str | None) -> None:
    assert (result.verdict, result.reason, result.height) == ("ok", None, 480), result.detail
    tracks = [(track.codec, track.channels, track.sample_rate, track.language) for track in result.audio]
    assert tracks == [("aac", 2, 48000, language)]
    # The first frame of an AAC encoder is silent.
    assert (result.silent_ratio or 0.0) < 0.1
    assert result.extra["audio_kbps"] == pytest.approx(clip.truth.audio_kbps, rel=0.07)
    # The audio may have one fragment more than the video.
    assert result.bitrate_kbps == pytest.approx(clip.truth.video_kbps + clip.truth.audio_kbps, rel=0.06)


@pytest.mark.parametrize("form", ["fragments", "packed"])
def test_the_default_sound_of_hls_is_measured_and_the_others_are_noted(
    scripted: Scripted, clip: Clip, fragments: tuple[bytes, list[bytes]], form: str
) -> None:
    offer(scripted, "video", *fragments)
    offer(scripted, "fra", *(fragmented(clip, "audio") if form == "fragments" else (None, packed_sound(clip))))
    subtitles = '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="d",LANGUAGE="deu",URI="deu.m3u8"'
    result = master(scripted, sound("eng"), sound("fra", default=True), subtitles)
    assert_heard(result, clip, "fra")
    assert result.extra["separate_audio"] == ["fra", "eng"]
    assert result.extra["subtitles"] == ["webvtt:deu"]
    assert not any(path.startswith(("/eng", "/deu")) for path in scripted.asked)


def test_sound_within_the_video_is_enough_where_that_is_the_default(scripted: Scripted, clip: Clip) -> None:
    offer(scripted, "video", None, cut(clip))
    result = master(scripted, sound("fra", default=True, address=False), sound("eng"))
    assert (result.verdict, len(result.audio), result.extra["separate_audio"]) == ("ok", 1, ["eng"])
    assert not any(path.startswith("/eng") for path in scripted.asked)


@pytest.mark.parametrize("what", ["playlist", "segments", "media"])
def test_sound_that_cannot_be_had_is_missing_and_the_picture_is_measured(
    scripted: Scripted, fragments: tuple[bytes, list[bytes]], what: str
) -> None:
    offer(scripted, "video", *fragments)
    if what != "playlist":
        offer(scripted, "fra", None, [b"\0" * 5000] * 6)
    if what == "segments":
        scripted.url("/fra/0", response(b"", status=404))
    result = master(scripted, sound("fra"))
    assert (result.verdict, result.reason, result.height) == ("degraded", "no_audio", 480)
    assert result.detail


def test_silence_of_its_own_is_heard(scripted: Scripted, lab_media: Media) -> None:
    silent = lab_media.clip("silent_sound")
    offer(scripted, "video", *fragmented(silent, "video"))
    offer(scripted, "fra", *fragmented(silent, "audio"))
    result = master(scripted, sound("fra"))
    assert (result.verdict, result.reason) == ("degraded", "silent_audio")


def manifest(scripted: Scripted, tracks: dict[str, tuple[bytes, list[bytes]]], pace: float = 0.0) -> str:
    """Serve a DASH manifest with the beginning and the parts of each kind of track, and return its address."""
    sets = ""
    for kind, (init, parts) in tracks.items():
        scripted.url(f"/{kind}/init", response(init))
        for number, part in enumerate(parts, 1):
            scripted.url(f"/{kind}/{number}", paced(part, pace if kind == "video" else 0.0))
        more = 'width="640" height="480" ' if kind == "video" else ""
        sets += (
            f'<AdaptationSet mimeType="{kind}/mp4" lang="fra"><Representation id="{kind}" {more}bandwidth="9">'
            '<SegmentTemplate duration="1" initialization="$RepresentationID$/init" '
            'media="$RepresentationID$/$Number$"/>'
            "</Representation></AdaptationSet>"
        )
    text = f'<?xml version="1.0"?><MPD mediaPresentationDuration="PT8S"><Period>{sets}</Period></MPD>'
    return scripted.url("/1.mpd", response(text.encode()))


def test_sound_of_its_own_is_measured_in_dash(
    scripted: Scripted, clip: Clip, fragments: tuple[bytes, list[bytes]]
) -> None:
    url = manifest(scripted, {"video": fragments, "audio": fragmented(clip, "audio")})
    result = probe(ProbeTarget(url), SETTINGS).result
    assert_heard(result, clip, "fra")
    assert result.extra["separate_audio"] == ["fra"]


# -- early end -------------------------------------------------------------------------------------
@pytest.mark.parametrize("protocol", ["hls", "dash"])
def test_a_healthy_sample_ends_early_with_the_figures_of_a_whole_one(
    scripted: Scripted, clip: Clip, fragments: tuple[bytes, list[bytes]], protocol: str
) -> None:
    tracks = {"video": fragments, "audio": fragmented(clip, "audio")}
    target = ProbeTarget(in_real_time(scripted, tracks, protocol))
    truth = clip.truth
    known = KnownFigures("h264", truth.width, truth.height, truth.fps, truth.bitrate_kbps, ("aac",))
    asked = {
        "whole": (target, EARLY.model_copy(update={"min_sample_seconds": None})),
        "settled": (target, EARLY),
        "unchanged": (ProbeTarget(target.url, known=known), EARLY.model_copy(update={"min_sample_seconds": 5.5})),
    }
    found = {name: outcome.result for name, outcome in probe_all(asked).items()}
    whole, settled, unchanged = (found[name] for name in asked)
    assert "early_end" not in whole.extra
    assert (settled.extra["early_end"], unchanged.extra["early_end"]) == ("settled", "unchanged")
    for result in (whole, settled, unchanged):
        assert_heard(result, clip, "fra")
    for result in (settled, unchanged):
        assert result.extra["saved_s"] > 1
        assert (result.fps, result.audio, result.quality) == (whole.fps, whole.audio, whole.quality)


def test_a_sample_whose_own_sound_is_silent_or_comes_to_an_end_gets_its_whole_time(
    scripted: Scripted, lab_media: Media, fragments: tuple[bytes, list[bytes]]
) -> None:
    init, parts = fragmented(lab_media.clip("silent_sound"), "audio")
    url = in_real_time(scripted, {"video": fragments, "audio": (init, parts)}, "hls")
    silent = probe(ProbeTarget(url), EARLY).result
    assert (silent.verdict, silent.reason) == ("degraded", "silent_audio")
    assert "early_end" not in silent.extra
    offer(scripted, "fra", init, parts[:1])
    short = probe(ProbeTarget(url), EARLY).result
    assert "early_end" not in short.extra


MAKERS = {
    "HLS in transport streams": ("hls", "master.m3u8", "-hls_segment_filename v%v_%d.ts"),
    "HLS in fragments": ("hls", "master.m3u8", "-hls_segment_type fmp4 -hls_fmp4_init_filename init%v.mp4"),
    "HLS in one file": ("hls", "master.m3u8", "-hls_flags single_file -hls_segment_filename v%v.ts"),
    "DASH": ("dash", "made.mpd", "-seg_duration 1 -use_timeline 1"),
    "DASH by number": ("dash", "made.mpd", "-seg_duration 1 -use_timeline 0"),
    "DASH in one file": ("dash", "made.mpd", "-seg_duration 1 -single_file 1"),
}


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
@pytest.mark.parametrize("name", MAKERS)
def test_segments_made_by_ffmpeg_are_measured_right(scripted: Scripted, tmp_path: Path, name: str) -> None:
    form, start, options = MAKERS[name]
    of_hls = ["-hls_time", "1", "-hls_playlist_type", "vod", "-master_pl_name", "master.m3u8", "-var_stream_map"]
    of_hls += ["v:0,agroup:snd a:0,agroup:snd,language:fra,default:yes"]
    target = [*of_hls, *options.split(), "p%v.m3u8"] if form == "hls" else [*options.split(), start]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25,noise=alls=8:allf=t",
         "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "6", "-c:v", "libx264", "-preset",
         "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac", "-metadata:s:a:0", "language=fra",
         "-f", form, *target],
        check=True, timeout=60, cwd=tmp_path, capture_output=True,
    )  # fmt: skip
    for file in tmp_path.iterdir():
        scripted.serve(f"/{file.name}", file.read_bytes())
    result = probe(ProbeTarget(scripted.url(f"/{start}")), SETTINGS).result
    assert (result.verdict, result.width, result.fps, result.container) == ("ok", 320, 25.0, form), result.detail
    assert [(track.codec, track.channels) for track in result.audio] == [("aac", 1)]
    assert (result.silent_ratio, result.discontinuities, result.decode_errors) == (0.0, 0, 0)

"""Streams that the ffmpeg command made, which shares no encoder settings and no multiplexer with the lab."""

from __future__ import annotations

import random
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from streamflow import config
from streamflow.probing import ProbeTarget, probe
from support.probing.scripted import Flood, Scripted, response

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")

SECONDS = 5
SETTINGS = config.Probe(sample_seconds=4, read_timeout=2)
TONE = "sine=frequency=440:sample_rate=48000"
X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25"


def picture(size: str = "320x180", rate: str = "25", more: str = "") -> str:
    return f"testsrc2=size={size}:rate={rate},noise=alls=8:allf=t{more}"


STILL = "testsrc2=size=320x180:rate=25,select=eq(n\\,0),loop=-1:1,setpts=N/25/TB"
CAMERA = STILL + ",noise=alls=7:allf=t"


@dataclass(frozen=True)
class Case:
    """Sources, how they are encoded, and what is true of the outcome; ``extra`` is what the contract leaves out."""

    made: str
    video: str = picture()
    audio: str = TONE
    kind: str = "ts"
    true: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


CASES = {
    "B frames": Case("-c:v libx264 -preset fast -bf 3 -g 25 -pix_fmt yuv420p -c:a mp2", true={"video_profile": "High"}),
    "open groups": Case("-c:v libx264 -preset veryfast -x264-params open-gop=1:bframes=3:keyint=25 -pix_fmt yuv420p"),
    "4:2:2 in ten bits": Case("-c:v libx264 -preset ultrafast -pix_fmt yuv422p10le -g 25",
                              true={"pixel_format": "yuv422p10le", "video_profile": "High 4:2:2"}),
    "fields at 25": Case("-c:v libx264 -preset ultrafast -flags +ilme+ildct -x264-params tff=1 -aspect 16:9 -g 25",
                         video=picture("720x576", "50", ",interlace,format=yuv420p"),
                         true={"interlaced": True, "width": 720, "height": 576}, extra={"sar": "64:45"}),
    "fields at 29.97": Case("-c:v libx264 -preset ultrafast -flags +ilme+ildct -x264-params tff=1 -g 30 -c:a ac3",
                            video=picture(rate="60000/1001", more=",interlace,format=yuv420p"),
                            true={"interlaced": True, "fps": 29.97}),
    "MPEG-2 in fields": Case("-c:v mpeg2video -flags +ilme+ildct -b:v 4M -bf 2 -g 12 -c:a mp2",
                             video=picture(rate="50", more=",interlace,format=yuv420p"),
                             true={"interlaced": True, "video_codec": "mpeg2video"}),
    "HDR10": Case("-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params log-level=none:keyint=25:"
                  "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1 -c:a eac3",
                  true={"hdr": "hdr10", "video_codec": "hevc", "pixel_format": "yuv420p10le"}),
    "HLG": Case("-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params log-level=none:keyint=25:"
                "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc -movflags +faststart",
                kind="mp4", true={"hdr": "hlg", "video_codec": "hevc", "container": "mp4"}),
    "23.976": Case(X264, video=picture(rate="24000/1001"), true={"fps": 23.976}),
    "50 frames": Case(X264, video=picture(rate="50"), true={"fps": 50.0}, extra={"gop_s": 0.5}),
    "5 frames": Case(X264, video=picture(rate="5"), true={"fps": 5.0}),
    "a varying rate": Case(X264 + " -vf select='not(mod(n,3))+not(mod(n,4))' -vsync vfr", kind="mkv",
                           true={"container": "matroska", "fps": pytest.approx(12.5, rel=0.01)}, extra={"vfr": True}),
    "a picture a second": Case(X264, video=picture(rate="1"), true={"fps": None, "verdict": "ok"}),
    "an odd size": Case(X264, video=picture("426x242"), true={"width": 426, "height": 242}),
    "AV1 in fragments": Case("-c:v libsvtav1 -preset 12 -g 25 -movflags frag_keyframe+empty_moov+default_base_moof",
                             kind="mp4", true={"video_codec": "av1", "container": "mp4"}),
    "VP9": Case("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -c:a libopus", kind="webm",
                true={"video_codec": "vp9", "container": "matroska"}),
    "MPEG-4 in AVI": Case("-c:v mpeg4 -g 25 -c:a libmp3lame", kind="avi",
                          true={"video_codec": "mpeg4", "container": "avi"}),
    "Blu-ray's packets": Case(X264 + " -c:a ac3", kind="m2ts", true={"container": "mpegts"}),
    "stuffing to a constant rate": Case(X264 + " -b:v 800k -maxrate 800k -bufsize 400k -muxrate 2M",
                                        true={"bitrate_kbps": pytest.approx(2000, rel=0.01)}),
    "clock that wraps": Case(X264 + " -output_ts_offset 95441.7", true={"discontinuities": 0}),
    "clipping": Case(X264, audio=TONE + ",volume=30dB", extra={"clipped_ratio": pytest.approx(1.0, abs=0.15)}),
    "quiet": Case(X264, audio=TONE + ",volume=-75dB", true={"verdict": "degraded", "reason": "silent_audio"}),
    "no sound": Case(X264 + " -map 0", true={"verdict": "degraded", "reason": "no_audio"}),
    "colour bars": Case(X264, video="smptehdbars=size=320x180:rate=25",
                        true={"verdict": "degraded", "reason": "frozen_video", "frozen_ratio": 1.0}),
    "a frozen picture filled up": Case(
        "-c:v libx264 -preset veryfast -g 25 -b:v 3M -maxrate 3M -bufsize 1M -x264-params nal-hrd=cbr", video=STILL,
        true={"verdict": "degraded", "reason": "frozen_video"}),
    "a frozen picture in MPEG-2": Case(
        "-c:v mpeg2video -g 12 -bf 2 -b:v 3M -minrate 3M -maxrate 3M -bufsize 1M", video=STILL,
        true={"verdict": "degraded", "reason": "frozen_video", "video_codec": "mpeg2video"}),
    "a camera that stands still": Case("-c:v libx264 -preset veryfast -g 25 -b:v 1M", video=CAMERA,
                                       true={"frozen_ratio": 0.0}),
    "a still camera in MPEG-2": Case("-c:v mpeg2video -g 12 -b:v 3M", video=CAMERA,
                                     true={"frozen_ratio": 0.0, "video_codec": "mpeg2video"}),
    "a still camera in HEVC": Case("-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25 -b:v 1M",
                                   video=CAMERA,
                                   true={"frozen_ratio": 0.0, "video_codec": "hevc"}),
    "black": Case(X264, video="color=black:size=320x180", true={"verdict": "degraded", "reason": "black_video"}),
}  # fmt: skip


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-y", "-v", "error", *arguments], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("name", CASES)
def test_a_stream_of_another_maker_is_measured_right(scripted: Scripted, tmp_path: Path, name: str) -> None:
    case, file = CASES[name], tmp_path / f"made.{CASES[name].kind}"
    ffmpeg("-f", "lavfi", "-i", case.video, "-f", "lavfi", "-i", case.audio, "-t", str(SECONDS), *case.made.split(),
           str(file))  # fmt: skip
    data = file.read_bytes()
    result = probe(ProbeTarget(scripted.url("/1", response(data, Content_Type="text/plain"))), SETTINGS).result
    true = {"verdict": "ok", "reason": None, "width": 320, "height": 180, "fps": 25.0, "interlaced": False,
            "video_codec": "h264", "container": "mpegts", "hdr": None, "decode_errors": 0, "discontinuities": 0,
            "bitrate_kbps": pytest.approx(len(data) / 125 / SECONDS, rel=0.35)}  # fmt: skip
    assert {key: getattr(result, key) for key in true} == true | {
        key: value for key, value in case.true.items() if key in true
    }, result.detail
    assert {key: getattr(result, key) for key in case.true} == case.true
    assert {key: result.extra.get(key) for key in case.extra} == case.extra


def test_the_best_of_several_programs_is_measured_alone(scripted: Scripted, tmp_path: Path) -> None:
    file = tmp_path / "made.ts"
    sources = [picture("160x90"), picture("320x180"), TONE, TONE]
    inputs = [part for source in sources for part in ("-f", "lavfi", "-i", source)]
    ffmpeg(*inputs, "-t", str(SECONDS), "-map", "0", "-map", "2", "-map", "1", "-map", "3", *X264.split(),
           "-metadata:s:a:0", "language=fra", "-metadata:s:a:1", "language=deu", "-program", "title=Small:st=0:st=1",
           "-program", "title=Big:st=2:st=3", str(file))  # fmt: skip
    result = probe(ProbeTarget(scripted.url("/1", response(file.read_bytes()))), SETTINGS).result
    assert (result.verdict, result.height, result.extra["programs"]) == ("ok", 180, 2)
    assert [track.language for track in result.audio] == ["deu"]
    parts = result.extra["video_kbps"] + result.extra["audio_kbps"]
    assert result.bitrate_kbps == pytest.approx(parts * 1.04, rel=0.04)


HLS = "-f hls -hls_time 2 -hls_list_size 0 "
DASH = "-f dash -seg_duration 2 "
SEGMENTED = {
    "transport stream segments": (X264, HLS, "m3u8"),
    "fragments": (X264, HLS + "-hls_segment_type fmp4", "m3u8"),
    "byte ranges": (X264, HLS + "-hls_flags single_file", "m3u8"),
    "byte ranges of fragments": (X264, HLS + "-hls_segment_type fmp4 -hls_flags single_file", "m3u8"),
    "encrypted segments": (X264, HLS + "-hls_key_info_file {folder}/key.info", "m3u8"),
    "sound apart": (X264, HLS + "-master_pl_name index.m3u8 -var_stream_map 'v:0,agroup:s a:0,agroup:s'", "m3u8"),
    "a template": (X264, DASH, "mpd"),
    "an index in the file": (X264, DASH + "-single_file 1", "mpd"),
    "a list": (X264, DASH + "-use_template 0", "mpd"),
    "WebM": (
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 50 -c:a libopus",
        DASH + "-dash_segment_type webm",
        "mpd",
    ),
}


@pytest.mark.parametrize("name", SEGMENTED)
def test_segments_of_another_maker_are_measured_right(scripted: Scripted, tmp_path: Path, name: str) -> None:
    made, how, suffix = SEGMENTED[name]
    (tmp_path / "the.key").write_bytes(bytes(range(16)))
    (tmp_path / "key.info").write_text(f"the.key\n{tmp_path}/the.key\n")
    arguments = shlex.split(how.format(folder=tmp_path))
    index = tmp_path / (f"v%v.{suffix}" if "-var_stream_map" in arguments else f"index.{suffix}")
    ffmpeg("-f", "lavfi", "-i", picture(), "-f", "lavfi", "-i", TONE, "-t", "8", *made.split(), "-b:v", "800k",
           "-sc_threshold", "0", *arguments, str(index))  # fmt: skip
    media = [file for file in tmp_path.iterdir() if file.suffix in (".ts", ".m4s", ".mp4", ".webm")]
    for file in tmp_path.iterdir():
        scripted.serve(f"/{file.name}", file.read_bytes())
    result = probe(ProbeTarget(scripted.url(f"/index.{suffix}")), SETTINGS).result
    assert (result.verdict, result.width, result.height, result.fps) == ("ok", 320, 180, 25.0), result.detail
    assert (result.container, result.decode_errors, result.discontinuities) == (
        {"mpd": "dash"}.get(suffix, "hls"),
        0,
        0,
    )
    assert (len(result.audio), result.silent_ratio, result.frozen_ratio) == (1, 0.0, 0.0)
    assert result.bitrate_kbps == pytest.approx(sum(file.stat().st_size for file in media) / 125 / 8, rel=0.2)


@pytest.mark.parametrize("share", [0.0001, 0.005])
def test_flipped_bits_are_damage_and_neither_a_still_nor_a_black_picture(
    scripted: Scripted, tmp_path: Path, share: float
) -> None:
    file, chance = tmp_path / "made.ts", random.Random(1)
    ffmpeg("-f", "lavfi", "-i", picture("1280x720"), "-f", "lavfi", "-i", TONE, "-t", str(SECONDS), *X264.split(),
           "-b:v", "3M", str(file))  # fmt: skip
    data = bytearray(file.read_bytes())
    for _ in range(int(share * len(data))):
        # The packets' headers stay: lost packets would be another fault.
        place = chance.randrange(len(data) // 188) * 188 + chance.randrange(4, 188)
        data[place] ^= 1 << chance.randrange(8)
    result = probe(ProbeTarget(scripted.url("/1", response(bytes(data)))), SETTINGS).result
    assert (result.verdict, result.reason) == ("degraded", "unstable"), result.detail
    assert re.search(r"\d of \d pictures are damaged", result.detail or "")


@pytest.mark.parametrize("kind", ["h264", "hevc"])
def test_media_without_time_stamps_are_bounded_by_bytes(scripted: Scripted, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"made.{kind}"
    codec = {"h264": X264, "hevc": "-c:v libx265 -preset ultrafast -x265-params log-level=none"}[kind]
    ffmpeg("-f", "lavfi", "-i", picture("1280x720"), "-t", str(SECONDS), *codec.split(), str(file))
    flood = Flood(file.read_bytes())
    result = probe(ProbeTarget(scripted.url("/1", flood)), SETTINGS).result
    assert (result.video_codec, result.width, result.fps) == (kind, 1280, None)
    assert flood.sent < 250_000_000


@pytest.mark.parametrize(
    ("kind", "codec"), [("mp3", "libmp3lame"), ("aac", "aac"), ("ogg", "libopus"), ("ts", "mp2"), ("flac", "flac")]
)
def test_radio_is_ok_for_a_channel_that_is_radio(scripted: Scripted, tmp_path: Path, kind: str, codec: str) -> None:
    file = tmp_path / f"made.{kind}"
    ffmpeg("-f", "lavfi", "-i", TONE, "-t", str(SECONDS), "-c:a", codec, str(file))
    url = scripted.url("/1", response(file.read_bytes()))
    result = probe(ProbeTarget(url, radio=True), SETTINGS).result
    assert (result.verdict, result.reason, result.width) == ("ok", None, None), result.detail
    assert [track.codec for track in result.audio] == [codec.removeprefix("lib").replace("mp3lame", "mp3")]
    assert probe(ProbeTarget(url), SETTINGS).result.reason == "no_video"


def test_a_cover_is_no_video(scripted: Scripted, tmp_path: Path) -> None:
    cover, file = tmp_path / "cover.png", tmp_path / "made.mp3"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=300x300", "-frames:v", "1", str(cover))
    ffmpeg("-f", "lavfi", "-i", TONE, "-i", str(cover), "-map", "0", "-map", "1", "-t", str(SECONDS),
           "-c:a", "libmp3lame", "-disposition:v", "attached_pic", str(file))  # fmt: skip
    url = scripted.url("/1", response(file.read_bytes()))
    assert probe(ProbeTarget(url), SETTINGS).result.reason == "no_video"
    assert probe(ProbeTarget(url, radio=True), SETTINGS).result.verdict == "ok"


def test_subtitles_are_noted_and_their_pauses_are_no_jumps(scripted: Scripted, tmp_path: Path) -> None:
    words, file = tmp_path / "words.srt", tmp_path / "made.mkv"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nOne\n\n2\n00:00:03,500 --> 00:00:04,000\nTwo\n")
    ffmpeg("-f", "lavfi", "-i", picture(), "-f", "lavfi", "-i", TONE, "-i", str(words), "-t", str(SECONDS),
           *X264.split(), "-c:s", "srt", "-metadata:s:s:0", "language=fra", str(file))  # fmt: skip
    result = probe(ProbeTarget(scripted.url("/1", response(file.read_bytes()))), SETTINGS).result
    assert (result.verdict, result.discontinuities) == ("ok", 0)
    assert result.extra["subtitles"] == ["srt:fra"]

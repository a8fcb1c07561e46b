"""Streams of other encoders and containers are measured: reordered pictures, rare keys, gradual refresh."""

from __future__ import annotations

from fractions import Fraction

import pytest

from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.records import Result
from support.probing.encoded import X264, Made, encoded
from support.probing.scripted import Scripted, response

SETTINGS = config.Probe(sample_seconds=6, read_timeout=2)
SECONDS = Made().seconds


def measured(scripted: Scripted, data: bytes) -> Result:
    return probe(ProbeTarget(scripted.url("/file", response(data))), SETTINGS).result


RARE_KEYS = {**X264, "x264-params": "keyint=250:scenecut=0"}
X265 = {"preset": "ultrafast", "x265-params": "log-level=none:bframes=3:open-gop=1:keyint=50"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
CASES = {
    "reordered pictures": (Made(), "h264", "mpegts"),
    "open groups of pictures": (Made(options={**X264, "x264-params": "open-gop=1:bframes=3"}), "h264", "mpegts"),
    "open groups of HEVC": (Made(codec="libx265", options=X265), "hevc", "mpegts"),
    "MPEG-2 with reordered pictures": (
        Made(codec="mpeg2video", options={"bf": "2"}, audio="mp2", gop=12), "mpeg2video", "mpegts",
    ),
    "23.976 frames": (Made(fps=Fraction(24000, 1001)), "h264", "mpegts"),
    "59.94 frames": (Made(fps=Fraction(60000, 1001)), "h264", "mpegts"),
    "a key frame in ten seconds": (Made(options=RARE_KEYS, gop=250), "h264", "mpegts"),
    "gradual refresh": (Made(options={**X264, "x264-params": "intra-refresh=1:keyint=50"}), "h264", "mpegts"),
    "FLV": (Made(format="flv"), "h264", "flv"),
    "Matroska": (Made(format="matroska"), "h264", "matroska"),
    "fragmented MP4": (Made(format="mp4", container=FRAGMENTED), "h264", "mp4"),
    "VP9": (Made(format="webm", codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}, audio="libopus"),
            "vp9", "matroska"),
    "E-AC-3": (Made(audio="eac3"), "h264", "mpegts"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_stream_of_another_kind_is_measured_right(scripted: Scripted, case: str) -> None:
    made, codec, container = CASES[case]
    data = encoded(made)
    result = measured(scripted, data)
    assert (result.verdict, result.reason) == ("ok", None), result.detail
    assert (result.width, result.height, result.interlaced) == (320, 180, False)
    assert (result.video_codec, result.container) == (codec, container)
    assert result.fps == round(float(made.fps), 3)
    assert (result.decode_errors, result.discontinuities, result.frozen_ratio or 0.0) == (0, 0, 0.0)
    assert result.bitrate_kbps == pytest.approx(len(data) * 8 / 1000 / SECONDS, rel=0.05)
    audio = {"libopus": "opus"}.get(made.audio, made.audio)
    assert [(track.codec, track.channels, track.sample_rate) for track in result.audio] == [(audio, 2, 48000)]


@pytest.mark.parametrize("gop", [25, 250])
def test_a_still_picture_is_frozen_however_rare_its_keys_are(scripted: Scripted, gop: int) -> None:
    still = Made(picture="color", options={**X264, "x264-params": f"keyint={gop}:scenecut=0"}, gop=gop)
    result = measured(scripted, encoded(still))
    assert (result.verdict, result.reason) == ("degraded", "black_video")
    assert result.frozen_ratio == 1.0


def test_a_stream_joined_long_before_its_next_key_is_not_damaged(scripted: Scripted) -> None:
    data = encoded(Made(gop=75, options={**X264, "x264-params": "keyint=75:scenecut=0"}))
    result = measured(scripted, data[188 * (len(data) // 188 // 8) :])
    assert (result.verdict, result.decode_errors) == ("ok", 0)


def test_an_mp4_with_its_index_at_the_end_is_unsupported(scripted: Scripted) -> None:
    result = measured(scripted, encoded(Made(format="mp4")))
    assert (result.verdict, result.reason) == ("skipped", "unsupported_protocol")

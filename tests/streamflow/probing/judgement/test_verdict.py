"""Each fault is found by its own step, and the gravest decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamflow.probing.judgement.evidence import Delivery, Evidence
from streamflow.probing.judgement.verdict import OK, Judgement, judge
from streamflow.probing.media.audio import AudioLevels
from streamflow.probing.media.freeze import PictureStatistics
from streamflow.probing.media.luma import HEIGHT, WIDTH, Picture
from streamflow.probing.media.measurement import Measurement, VideoFormat
from streamflow.probing.media.playout import Playout
from streamflow.records import AudioTrack

FULL_HD = VideoFormat(codec="h264", width=1920, height=1080)
AAC = AudioTrack(codec="aac", channels=2)
GREY = bytes((90, 110)) * (WIDTH * HEIGHT // 2)
SMOOTH = bytes((90,)) * (WIDTH * HEIGHT)


def watched(**fields: Any) -> Measurement:
    """Return the measurement of a healthy stream of 1080p25, with other fields."""
    healthy: dict[str, Any] = {
        "format": FULL_HD, "fps": 25.0, "media_s": 10.0, "bitrate_kbps": 6000.0, "video_kbps": 5800.0, "audio": [AAC],
        "video_packets": 250, "key_frames": 10, "pictures": [Picture(float(at), GREY) for at in range(10)],
    }  # fmt: skip
    return Measurement(**healthy | fields)


def words(judgement: Judgement) -> tuple[str, str | None]:
    return judgement.verdict, judgement.reason


def test_a_healthy_stream_is_ok() -> None:
    assert judge(Evidence(watched())) == OK


@pytest.mark.parametrize(
    ("fields", "verdict", "reason", "detail"),
    [
        ({"is_encrypted": True}, "dead", "drm_protected", "the media are encrypted sample by sample"),
        ({"format": VideoFormat()}, "dead", "no_video", "sound only"),
        ({"format": VideoFormat(), "audio": []}, "dead", "no_video", "neither video nor sound"),
        ({"video_packets": 0}, "dead", "no_video", "sound only; nothing of the announced video came"),
        (
            {"format": VideoFormat(), "unsupported_video": "avs3"},
            "unknown",
            "codec_unsupported",
            "no decoder for avs3",
        ),
        ({"pictures": []}, "dead", "undecodable", "10 key frames in 10.0 s, none could be decoded"),
        ({"pictures": [], "key_frames": 1}, "dead", "undecodable", "1 key frame in 10.0 s, none could be decoded"),
        ({"pictures": [], "key_frames": 0}, "dead", "undecodable", "no key frame in 10.0 s"),
        (
            {"pictures": [], "key_frames": 0, "media_s": 22.0},
            "unknown",
            "no_key_frame",
            "no key frame came within 22.0 s",
        ),
        ({"audio": []}, "degraded", "no_audio", "no track"),
        ({"audio": [], "unreadable": ["ac3"]}, "degraded", "no_audio", "the track of ac3 cannot be decoded"),
        ({"decode_errors": 8}, "degraded", "unstable", "8 of 18 pictures are damaged"),
        ({"discontinuities": 4}, "degraded", "unstable", "time stamps jumped 4 times"),
        ({"video_kbps": 300.0}, "degraded", "low_bitrate", "300 kbit/s of video; its size and motion need 778"),
        (
            {"levels": AudioLevels(frames=50, silent=50, digital_zero=50, first=0.0, last=9.0)},
            "degraded",
            "silent_audio",
            "digital silence for 9.0 s",
        ),
    ],
)
def test_a_fault_is_found(fields: dict[str, Any], verdict: str, reason: str, detail: str) -> None:
    judgement = judge(Evidence(watched(**fields)))
    assert (judgement.verdict, judgement.reason, judgement.detail) == (verdict, reason, detail)


@pytest.mark.parametrize(
    ("delivery", "playout", "detail"),
    [
        (Delivery(interruption="ended by itself after 3.0 s"), Playout(), "ended by itself after 3.0 s"),
        (Delivery(), Playout(stall_s=2.0, stalls=1), "playback would wait for 2.0 s"),
        (Delivery(), Playout(share=0.6), "comes at 60% of real time"),
    ],
)
def test_a_delivery_that_stalls_is_unstable(delivery: Delivery, playout: Playout, detail: str) -> None:
    judgement = judge(Evidence(watched(), delivery=delivery, playout=playout))
    assert judgement == Judgement("degraded", "unstable", detail)


@pytest.mark.parametrize("fields", [{}, {"format": VideoFormat(), "pictures": [], "video_packets": 0}])
def test_an_early_end_is_the_providers_where_the_account_was_full(fields: dict[str, Any]) -> None:
    """Some providers end the older connection in favour of a newer one."""
    ended = Evidence(watched(**fields), delivery=Delivery(interruption="ended by itself after 3.0 s"), is_radio=True)
    assert words(judge(ended)) == ("degraded", "unstable")
    judgement = judge(replace(ended, account_full=True))
    assert words(judgement) == ("unknown", "provider_busy")
    assert judgement.detail == "ended by itself after 3.0 s, while all connections of the account were in use"


@pytest.mark.parametrize("key_frames", [0, 1, 10])
def test_pictures_that_no_open_key_decrypts_are_protected_and_not_damaged(key_frames: int) -> None:
    evidence = Evidence(watched(pictures=[], key_frames=key_frames), delivery=Delivery(has_sample_key=True))
    assert words(judge(evidence)) == ("dead", "drm_protected")


def test_segments_have_no_share_of_real_time() -> None:
    assert judge(Evidence(watched(), delivery=Delivery(is_segmented=True), playout=Playout(share=0.6))) == OK


def test_announced_jumps_are_no_fault() -> None:
    assert judge(Evidence(watched(discontinuities=4), delivery=Delivery(announced_jumps=4))) == OK


@pytest.mark.parametrize(
    ("statistics", "reason"),
    [
        (PictureStatistics(1.0, 1.0, None, 9.0), "black_video"),
        (PictureStatistics(0.0, 1.0, None, 9.0), "frozen_video"),
        (PictureStatistics(0.0, 1.0, 4.0, 9.0), "frozen_video"),
        (PictureStatistics(1.0, 1.0, None, 3.0), None),
    ],
)
def test_black_and_frozen_pictures_need_evidence(statistics: PictureStatistics, reason: str | None) -> None:
    assert judge(Evidence(watched(), statistics)).reason == reason


def test_a_still_picture_of_a_full_account_may_be_its_refusal() -> None:
    evidence = Evidence(watched(), PictureStatistics(0.0, 1.0, None, 9.0), slate_means_busy=True)
    assert words(judge(evidence)) == ("unknown", "provider_busy")


def test_radio_needs_no_picture_and_a_radio_channel_with_a_picture_is_judged_by_it() -> None:
    radio = Evidence(watched(format=VideoFormat(), pictures=[], video_packets=0), is_radio=True)
    assert judge(radio) == OK
    assert words(judge(replace(radio, measurement=watched(is_encrypted=True)))) == ("dead", "drm_protected")


@pytest.mark.parametrize(
    ("quantizer", "changing", "verdict"), [(22.0, 0.5, "ok"), (40.0, 0.5, "degraded"), (40.0, 0.02, "ok")]
)
def test_a_low_bitrate_is_judged_by_what_the_picture_needs(quantizer: float, changing: float, verdict: str) -> None:
    statistics = PictureStatistics(0.0, 0.0, None, 9.0, changing)
    assert judge(Evidence(watched(video_kbps=300.0, quantizer=quantizer), statistics)).verdict == verdict


def test_a_smooth_picture_needs_few_bits() -> None:
    statistics = PictureStatistics(0.0, 0.0, None, 9.0, 0.5)
    smooth = [Picture(float(at), SMOOTH) for at in range(10)]
    assert judge(Evidence(watched(video_kbps=300.0), statistics)).reason == "low_bitrate"
    assert judge(Evidence(watched(video_kbps=300.0, pictures=smooth), statistics)) == OK
    assert judge(Evidence(watched(video_kbps=30.0, pictures=smooth), statistics)).reason == "low_bitrate"


def test_a_scrambled_stream_is_protected_whatever_else_it_lacks() -> None:
    measurement = watched(audio=[], pictures=[])
    measurement.headers.packets, measurement.headers.scrambled = 1000, 900
    assert judge(Evidence(measurement)).detail == "90% of the packets are scrambled"

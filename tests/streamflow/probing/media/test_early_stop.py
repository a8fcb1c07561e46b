"""A healthy sample may end early where the caller asks for it; any other gets its whole time."""

from __future__ import annotations

import pytest

from lab import Lab
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.media.early_stop import can_stop_early
from streamflow.probing.media.luma import HEIGHT, WIDTH, Picture
from streamflow.probing.media.measurement import Measurement, VideoFormat
from streamflow.probing.media.timing import Mark
from support.probing.at_once import probe_all

SETTINGS = config.Probe(sample_seconds=8, min_sample_seconds=2, read_timeout=2)


def test_healthy_streams_end_early_and_report_the_saved_time(lab: Lab) -> None:
    names = ("hd25_2m", "fhd25i_5m", "hls_live", "hls_vod")
    for name, outcome in probe_all({name: (ProbeTarget(lab.url(name)), SETTINGS) for name in names}).items():
        result = outcome.result
        assert (name, result.verdict, result.reason) == (name, "ok", None), result.detail
        assert result.elapsed_s < 7
        assert result.extra["saved_s"] == pytest.approx(8 - result.elapsed_s, abs=1.0) or name == "hls_vod"
        truth = lab.media.clip(lab.library.named(name).clip).truth
        assert (result.fps, result.width, result.interlaced) == (truth.fps, truth.width, truth.interlaced)
        assert result.bitrate_kbps == pytest.approx(truth.bitrate_kbps, rel=0.05)


def test_a_suspicious_stream_gets_its_whole_sample(lab: Lab) -> None:
    names = ("black", "frozen", "slate_loop", "silent_sound", "silent_video", "lossy", "too_slow", "stutter")
    settings = SETTINGS.model_copy(update={"sample_seconds": 5})
    for name, outcome in probe_all({name: (ProbeTarget(lab.url(name)), settings) for name in names}).items():
        result, stream = outcome.result, lab.library.named(name)
        assert (name, result.verdict, result.reason) == (name, stream.verdict, stream.reason)
        assert "saved_s" not in result.extra
        assert result.elapsed_s >= 4.5


def test_nothing_is_saved_unless_it_is_asked_for(lab: Lab) -> None:
    result = probe(ProbeTarget(lab.url("hd25_2m")), config.Probe(sample_seconds=4)).result
    assert "saved_s" not in result.extra
    assert result.elapsed_s >= 3.9


def picture(level: int) -> Picture:
    return Picture(float(level), bytes((level,)) * (WIDTH * HEIGHT))


def sample(*levels: int) -> Measurement:
    made = Measurement(format=VideoFormat(codec="h264"))
    made.pictures = [picture(level) for level in levels]
    return made


STEADY = [0.04] * 100
EVEN = [Mark(number * 1000, number * 0.04, 0) for number in range(100)]
SWELLING = [Mark(number * number * 20, number * 0.04, 0) for number in range(100)]


@pytest.mark.parametrize(
    ("found", "steps", "marks", "settled"),
    [
        (sample(100, 150, 200), STEADY, EVEN, True),
        (sample(100, 150), STEADY, EVEN, False),
        (sample(100, 150, 101), STEADY, EVEN, False),
        (sample(100, 150, 5), STEADY, EVEN, False),
        (sample(100, 150, 200), [0.04] * 50 + [0.02] * 50, EVEN, False),
        (sample(100, 150, 200), STEADY, SWELLING, False),
    ],
    ids=["healthy", "few pictures", "a picture again", "black", "another frame rate", "another bitrate"],
)
def test_a_sample_may_end_when_its_second_half_is_like_its_first(
    found: Measurement, steps: list[float], marks: list[Mark], settled: bool
) -> None:
    assert can_stop_early(found, steps, marks, wants_sound=False) is settled


@pytest.mark.parametrize("fault", ["decode_errors", "discontinuities"])
def test_a_sample_with_a_fault_goes_on(fault: str) -> None:
    found = sample(100, 150, 200)
    setattr(found, fault, 1)
    assert not can_stop_early(found, STEADY, EVEN, wants_sound=False)


def test_a_sample_goes_on_until_sound_was_heard() -> None:
    assert not can_stop_early(sample(100, 150, 200), STEADY, EVEN, wants_sound=True)

"""A healthy sample ends early when its figures have settled or are known; any other gets its whole time."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from lab import Lab
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.media.early_stop import DRIFT, agrees, bitrate_error, can_stop_early
from streamflow.probing.media.figures import Figures
from streamflow.probing.media.luma import HEIGHT, WIDTH, Picture
from streamflow.probing.media.measurement import Measurement, VideoFormat
from streamflow.probing.media.timing import Mark
from streamflow.probing.target import KnownFigures
from streamflow.records import AudioTrack, Result
from support.probing.at_once import probe_all

SETTINGS = config.Probe(sample_seconds=8, min_sample_seconds=3, read_timeout=2)


def known(lab: Lab, name: str) -> KnownFigures:
    """Return the true figures of a stream of the lab."""
    truth = lab.media.clip(lab.library.named(name).clip).truth
    codecs = tuple(track.codec for track in truth.audio)
    return KnownFigures(truth.video_codec, truth.width, truth.height, truth.fps, truth.bitrate_kbps, codecs)


def test_healthy_streams_end_early_and_report_the_saved_time(lab: Lab) -> None:
    names = ("hd25_2m", "fhd25i_5m", "hls_live", "dash_live")
    for name, outcome in probe_all({name: (ProbeTarget(lab.url(name)), SETTINGS) for name in names}).items():
        result = outcome.result
        assert (name, result.verdict, result.reason) == (name, "ok", None), result.detail
        assert result.elapsed_s < 7
        assert result.extra["early_end"] == "settled"
        assert 0 < result.extra["saved_s"] <= 5
        truth = lab.media.clip(lab.library.named(name).clip).truth
        assert (result.fps, result.width, result.interlaced) == (truth.fps, truth.width, truth.interlaced)
        assert result.bitrate_kbps == pytest.approx(truth.bitrate_kbps, rel=0.05)


def test_a_stream_that_is_as_it_was_ends_sooner(lab: Lab) -> None:
    settings = SETTINGS.model_copy(update={"min_sample_seconds": 6})
    target = ProbeTarget(lab.url("hd25_2m"), known=known(lab, "hd25_2m"))
    changed = replace(target, known=replace(known(lab, "hd25_2m"), height=1080))
    unchanged, other = (one.result for one in probe_all({"a": (target, settings), "b": (changed, settings)}).values())
    assert (unchanged.verdict, unchanged.extra["early_end"]) == ("ok", "unchanged")
    assert (other.verdict, other.extra.get("early_end")) in (("ok", "settled"), ("ok", None))
    assert unchanged.elapsed_s < other.elapsed_s - 1


def test_a_suspicious_stream_gets_its_whole_sample(lab: Lab) -> None:
    names = (
        "black",
        "frozen",
        "slate_loop",
        "silent_sound",
        "silent_video",
        "lossy",
        "too_slow",
        "stutter",
        "hls_stale",
    )
    settings = SETTINGS.model_copy(update={"sample_seconds": 5, "min_sample_seconds": 2})
    targets = {name: (ProbeTarget(lab.url(name), known=known(lab, name)), settings) for name in names}
    for name, outcome in probe_all(targets).items():
        result, stream = outcome.result, lab.library.named(name)
        # A playlist is stale after three target durations of 2 s.
        assert (name, result.verdict, result.reason) == (name, stream.verdict, stream.reason) or name == "hls_stale"
        assert "saved_s" not in result.extra
        assert result.elapsed_s >= 4.5


def test_an_early_end_can_be_switched_off(lab: Lab) -> None:
    result = probe(ProbeTarget(lab.url("hd25_2m")), config.Probe(sample_seconds=5, min_sample_seconds=None)).result
    assert "saved_s" not in result.extra
    assert result.elapsed_s >= 4.9


def picture(level: int) -> Picture:
    return Picture(float(level), bytes((level,)) * (WIDTH * HEIGHT))


def sample(*levels: int) -> Measurement:
    made = Measurement(format=VideoFormat(codec="h264", width=1920, height=1080), fps=25.0, bitrate_kbps=4000.0)
    made.pictures = [picture(level) for level in levels]
    made.audio = [AudioTrack(codec="aac")]
    return made


STEADY = [0.04] * 125
EVEN = [Mark(number * 1000, number * 0.04, 0) for number in range(125)]
SWELLING = [Mark(number * number * 20, number * 0.04, 0) for number in range(125)]


def figures(steps: list[float], marks: list[Mark]) -> Figures:
    made = Figures(Measurement())
    made.clock.stretches[0].steps, made.clock.media_s = steps, sum(steps)
    made.marks = marks
    return made


@pytest.mark.parametrize(
    ("found", "steps", "marks", "settled"),
    [
        (sample(100, 150, 200), STEADY, EVEN, True),
        (sample(100, 150), STEADY, EVEN, False),
        (sample(100, 150, 101), STEADY, EVEN, False),
        (sample(100, 150, 5), STEADY, EVEN, False),
        (sample(100, 150, 200), [0.04] * 60 + [0.02] * 130, EVEN, False),
        (sample(100, 150, 200), STEADY, SWELLING, False),
        (sample(100, 150, 200), STEADY, EVEN[:40], False),
    ],
    ids=["healthy", "few pictures", "a picture again", "black", "another frame rate", "another bitrate", "few windows"],
)
def test_a_sample_may_end_when_its_rest_would_change_nothing(
    found: Measurement, steps: list[float], marks: list[Mark], settled: bool
) -> None:
    assert can_stop_early(found, figures(steps, marks), wants_sound=False, sample_seconds=10) is settled


@pytest.mark.parametrize("fault", ["decode_errors", "discontinuities"])
@pytest.mark.parametrize("is_known", [False, True])
def test_a_sample_with_a_fault_goes_on(fault: str, is_known: bool) -> None:
    found = sample(100, 150, 200)
    setattr(found, fault, 1)
    made = figures(STEADY, EVEN)
    assert not can_stop_early(found, made, wants_sound=False, sample_seconds=10, known=KNOWN if is_known else None)


@pytest.mark.parametrize("is_known", [False, True])
def test_a_sample_goes_on_until_sound_was_heard(is_known: bool) -> None:
    made, prior = figures(STEADY, EVEN), KNOWN if is_known else None
    assert not can_stop_early(sample(100, 150, 200), made, wants_sound=True, sample_seconds=10, known=prior)


KNOWN = KnownFigures("h264", 1920, 1080, 25.0, 4100.0, ("aac",))


@pytest.mark.parametrize(
    "change",
    [{"video_codec": "hevc"}, {"height": 720}, {"fps": 50.0}, {"bitrate_kbps": 5000.0}, {"audio_codecs": ("ac3",)}],
)
def test_a_sample_that_differs_from_what_is_known_has_to_speak_for_itself(change: dict[str, object]) -> None:
    few = sample(100, 150)
    made = figures(STEADY[:50], EVEN[:50])
    assert can_stop_early(few, made, wants_sound=False, sample_seconds=10, known=KNOWN)
    other = replace(KNOWN, **change)  # type: ignore[arg-type]
    assert not agrees(few, other)
    assert not can_stop_early(few, made, wants_sound=False, sample_seconds=10, known=other)


def test_only_a_good_result_is_known() -> None:
    good = Result.model_validate(
        {"stream_id": 1, "checked_at": "2026-01-02T03:04:05Z", "verdict": "ok", "video_codec": "h264", "width": 1920,
         "height": 1080, "fps": 25.0, "bitrate_kbps": 4100, "audio": [{"codec": "aac"}]}
    )  # fmt: skip
    assert KnownFigures.of(good) == KNOWN
    assert KnownFigures.of(good.model_copy(update={"verdict": "degraded"})) is None
    assert KnownFigures.of(good.model_copy(update={"bitrate_kbps": None})) is None


@pytest.mark.parametrize("spread", [0.02, 0.1, 0.3])
def test_the_rest_of_a_sample_moves_the_bitrate_by_less_than_promised(spread: float) -> None:
    """Of many streams whose bitrate varies at random, few end at a bitrate that the whole sample contradicts."""
    noise, wrong, early = random.Random(3), 0, 0
    for _ in range(300):
        sizes = [noise.gauss(1.0, spread) * 500_000 for _ in range(11)]
        offsets = [int(sum(sizes[:number])) for number in range(12)]
        marks = [Mark(offset, float(number), 0) for number, offset in enumerate(offsets)]
        made = figures([1.0] * 5, marks[:6])
        if bitrate_error(made, 10) <= DRIFT:
            early += 1
            whole = offsets[10] / 10
            wrong += abs(offsets[5] / 5 - whole) > DRIFT * whole
    assert wrong <= 0.02 * 300
    assert early > 250 if spread < 0.05 else early < 250

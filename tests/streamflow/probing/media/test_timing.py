"""Frame rate, media time and bitrate follow from the packets' time stamps."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from streamflow.probing.media.timing import Clock, Mark, bitrate, frame_rate


def clock_of(times: list[float], size: int = 1000) -> Clock:
    clock = Clock()
    for at in times:
        clock.take(at, size)
    return clock


@pytest.mark.parametrize(
    ("rate", "measured"),
    [
        (Fraction(24000, 1001), 23.976),
        (Fraction(24), 24.0),
        (Fraction(25), 25.0),
        (Fraction(30000, 1001), 29.97),
        (Fraction(30), 30.0),
        (Fraction(50), 50.0),
        (Fraction(60000, 1001), 59.94),
        (Fraction(60), 60.0),
    ],
)
def test_neighbouring_rates_are_distinguished_by_stamps_of_90_khz(rate: Fraction, measured: float) -> None:
    stamps = [int(number * 90_000 / rate) / 90_000 for number in range(100)]
    assert frame_rate(clock_of(stamps).steps, interlaced=False) == (measured, False)


def test_time_stamps_in_milliseconds_give_the_rate_too() -> None:
    stamps = [round(number * 1001 / 24000, 3) for number in range(200)]
    assert frame_rate(clock_of(stamps).steps, interlaced=False)[0] == 23.976


def test_fields_in_packets_of_their_own_are_counted_in_pairs() -> None:
    assert frame_rate([0.02] * 100, interlaced=True) == (25.0, False)
    assert frame_rate([0.04] * 100, interlaced=True) == (25.0, False)


def test_lost_frames_do_not_lower_the_rate() -> None:
    lost = set(random.Random(1).sample(range(200), 10))
    stamps = [number / 25 for number in range(200) if number not in lost]
    assert frame_rate(clock_of(stamps).steps, interlaced=False)[0] == 25.0


def test_a_varying_rate_is_the_mean_and_marked_as_varying() -> None:
    steps = [0.04, 0.08, 0.12] * 20
    assert frame_rate(steps, interlaced=False) == (12.5, True)


def test_too_few_frames_give_no_rate() -> None:
    assert frame_rate([0.04] * 4, interlaced=False) == (None, False)


def test_a_jump_of_the_time_stamps_is_no_media_time() -> None:
    first = [number / 25 for number in range(26)]
    clock = clock_of([*first, *(at + 1000 for at in first), *first])
    assert clock.media_s == pytest.approx(3.0)
    assert clock.discontinuities == 2


def test_a_packet_without_a_time_has_its_size_alone() -> None:
    clock = clock_of([number / 25 for number in range(26)])
    clock.take(None, 500)
    assert (clock.media_s, clock.discontinuities, clock.bytes) == (pytest.approx(1.0), 0, 26_500)


def test_the_bitrate_is_bytes_over_media_time_with_the_last_frames_own() -> None:
    clock = clock_of([number / 25 for number in range(50)], size=5000)
    assert clock.kbps() == pytest.approx(1000.0)


def test_bytes_around_a_jump_are_no_part_of_the_bitrate() -> None:
    marks = [Mark(number * 1000, number * 0.1, 0) for number in range(11)]
    marks += [Mark(900_000 + number * 1000, 1.0 + number * 0.1, 1) for number in range(11)]
    assert bitrate(marks) == pytest.approx(80.0)
    assert bitrate(marks, least_s=2.5) is None


@pytest.mark.parametrize(
    "marks", [[], [Mark(0, 0.0, 0)], [Mark(5, 1.0, 0), Mark(9, 1.0, 0)], [Mark(5, 1.0, 0), Mark(9, 2.0, 1)]]
)
def test_marks_without_time_between_give_no_bitrate(marks: list[Mark]) -> None:
    assert bitrate(marks) is None


def test_single_fields_and_whole_frames_may_alternate() -> None:
    assert frame_rate([0.02, 0.02, 0.04] * 30, interlaced=True) == (25.0, False)
    assert frame_rate([0.04, 0.04, 0.02, 0.02, 0.04] * 30, interlaced=True) == (25.0, False)


def test_a_slow_frame_that_announces_its_duration_is_no_jump() -> None:
    clock = Clock()
    for number in range(6):
        clock.take(number * 2.0, 1000, duration=2.0)
    assert (clock.media_s, clock.discontinuities) == (10.0, 0)


def test_a_stretch_is_counted_apart() -> None:
    clock = clock_of([number / 25 for number in range(26)])
    clock.begin_stretch()
    for number in range(26, 31):
        clock.take(number / 25, 1000)
    clock.restart()
    clock.take(500.0, 1000)
    assert [len(stretch.steps) for stretch in clock.stretches] == [25, 5, 0]
    assert (clock.media_s, clock.discontinuities) == (pytest.approx(1.2), 0)
    assert clock.kbps([0]) == pytest.approx(200.0)

"""Frame rate, media time and simulate_playout from time stamps and arrivals."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from streamflow.probing.media.timing import Clock, Mark, bitrate, frame_rate, simulate_playout


def clock_of(times: list[float], size: int = 1000) -> Clock:
    clock = Clock()
    for at in times:
        clock.take(at, size)
    return clock


@pytest.mark.parametrize(
    ("rate", "told"),
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
def test_a_rate_is_told_from_its_neighbour_by_stamps_of_90_khz(rate: Fraction, told: float) -> None:
    stamps = [int(number * 90_000 / rate) / 90_000 for number in range(100)]
    assert frame_rate(clock_of(stamps).steps, interlaced=False) == (told, False)


def test_stamps_in_milliseconds_tell_the_rate_too() -> None:
    stamps = [round(number * 1001 / 24000, 3) for number in range(200)]
    assert frame_rate(clock_of(stamps).steps, interlaced=False)[0] == 23.976


def test_fields_in_packets_of_their_own_are_counted_in_pairs() -> None:
    assert frame_rate([0.02] * 100, interlaced=True) == (25.0, False)
    assert frame_rate([0.04] * 100, interlaced=True) == (25.0, False)


def test_lost_frames_do_not_lower_the_rate() -> None:
    lost = set(random.Random(1).sample(range(200), 10))
    stamps = [number / 25 for number in range(200) if number not in lost]
    assert frame_rate(clock_of(stamps).steps, interlaced=False)[0] == 25.0


def test_a_varying_rate_is_the_mean_and_said_to_vary() -> None:
    steps = [0.04, 0.08, 0.12] * 20
    assert frame_rate(steps, interlaced=False) == (12.5, True)


def test_too_few_frames_tell_no_rate() -> None:
    assert frame_rate([0.04] * 4, interlaced=False) == (None, False)


def test_a_jump_of_the_stamps_is_no_media_time() -> None:
    first = [number / 25 for number in range(26)]
    clock = clock_of([*first, *(at + 1000 for at in first), *first])
    assert clock.media_s == pytest.approx(3.0)
    assert clock.discontinuities == 2


def test_a_packet_without_a_time_has_its_size_alone() -> None:
    clock = clock_of([number / 25 for number in range(26)])
    assert clock.take(None, 500)
    assert (clock.media_s, clock.discontinuities, clock.bytes) == (pytest.approx(1.0), 0, 26_500)


def test_the_bitrate_is_bytes_over_media_time_with_the_last_frames_own() -> None:
    clock = clock_of([number / 25 for number in range(50)], size=5000)
    assert clock.kbps == pytest.approx(1000.0)


def test_what_lies_around_a_jump_is_no_part_of_the_bitrate() -> None:
    marks = [Mark(number * 1000, number * 0.1, 0) for number in range(11)]
    marks += [Mark(900_000 + number * 1000, 1.0 + number * 0.1, 1) for number in range(11)]
    assert bitrate(marks) == pytest.approx(80.0)
    assert bitrate(marks, least_s=2.5) is None


@pytest.mark.parametrize(
    "marks", [[], [Mark(0, 0.0, 0)], [Mark(5, 1.0, 0), Mark(9, 1.0, 0)], [Mark(5, 1.0, 0), Mark(9, 2.0, 1)]]
)
def test_marks_without_time_between_tell_no_bitrate(marks: list[Mark]) -> None:
    assert bitrate(marks) is None


def arrivals(seconds: float, *, burst: float = 0.0, speed: float = 1.0) -> list[tuple[float, float]]:
    """Frames of 40 ms that come when due, those of the first ``burst`` seconds at once."""
    frames = [number / 25 for number in range(int(seconds * 25))]
    return [(100 + max(0.0, media - burst) / speed, media) for media in frames]


@pytest.mark.parametrize("burst", [0.0, 1.0, 5.0])
def test_a_stream_in_real_time_never_stalls_whatever_its_burst(burst: float) -> None:
    found = simulate_playout(arrivals(10, burst=burst), 100 + 10 - burst)
    assert (found.stalls, found.stall_s) == (0, 0.0)
    assert found.share == pytest.approx(1.0, abs=0.02)


def test_a_slow_source_shows_in_its_share_of_real_time() -> None:
    assert simulate_playout(arrivals(6, speed=0.6), 110).share == pytest.approx(0.6, abs=0.02)


def test_a_gap_longer_than_what_is_in_hand_is_a_stall() -> None:
    stopped = [(wall + (3.0 if media >= 2 else 0.0), media) for wall, media in arrivals(6)]
    found = simulate_playout(stopped, 109)
    assert found.stalls == 1
    assert found.stall_s == pytest.approx(2.0, abs=0.1)
    assert found.longest_gap_s == pytest.approx(3.04, abs=0.01)


def test_a_gap_within_the_burst_is_none() -> None:
    stopped = [(wall + (2.0 if media >= 6 else 0.0), media) for wall, media in arrivals(9, burst=3)]
    assert simulate_playout(stopped, 108).stalls == 0


def test_a_source_that_stops_for_good_stalls_until_the_end() -> None:
    assert simulate_playout(arrivals(2), 110).stall_s == pytest.approx(7.0, abs=0.1)


def test_nothing_that_came_tells_nothing() -> None:
    assert simulate_playout([], 5).share is None

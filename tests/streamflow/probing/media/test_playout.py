"""A simulated player waits where a real one would."""

from __future__ import annotations

import pytest

from streamflow.probing.media.playout import Playout, simulate_playout


def arrivals(seconds: float, *, burst: float = 0.0, speed: float = 1.0) -> list[tuple[float, float]]:
    """Return frames of 40 ms that come when due, those of the first ``burst`` seconds at once."""
    frames = [number / 25 for number in range(int(seconds * 25))]
    return [(100 + max(0.0, media - burst) / speed, media) for media in frames]


@pytest.mark.parametrize("burst", [0.0, 1.0, 5.0])
def test_a_stream_in_real_time_never_stalls_whatever_its_burst(burst: float) -> None:
    playout = simulate_playout(arrivals(10, burst=burst), 100 + 10 - burst)
    assert (playout.stalls, playout.stall_s) == (0, 0.0)
    assert playout.share == pytest.approx(1.0, abs=0.02)


def test_a_slow_source_shows_in_its_share_of_real_time() -> None:
    assert simulate_playout(arrivals(6, speed=0.6), 110).share == pytest.approx(0.6, abs=0.02)


def test_a_gap_longer_than_the_player_has_in_hand_is_a_stall() -> None:
    stopped = [(wall + (3.0 if media >= 2 else 0.0), media) for wall, media in arrivals(6)]
    playout = simulate_playout(stopped, 109)
    assert playout.stalls == 1
    assert playout.stall_s == pytest.approx(2.0, abs=0.1)


def test_a_gap_within_the_burst_is_none() -> None:
    stopped = [(wall + (2.0 if media >= 6 else 0.0), media) for wall, media in arrivals(9, burst=3)]
    assert simulate_playout(stopped, 108).stalls == 0


def test_a_source_that_stops_for_good_stalls_until_the_end() -> None:
    assert simulate_playout(arrivals(2), 110).stall_s == pytest.approx(7.0, abs=0.1)


def test_nothing_arrived_gives_no_share() -> None:
    assert simulate_playout([], 5).share is None


@pytest.mark.parametrize("seconds", [1.0, 4.0])
def test_a_stream_of_few_frames_is_in_real_time_until_its_last_frame_is_over(seconds: float) -> None:
    frames = [(100 + number * seconds, number * seconds) for number in range(5)]
    assert simulate_playout(frames, frames[-1][0] + 0.9 * seconds).share == pytest.approx(1.0, abs=0.01)


def test_a_playout_is_empty_at_first() -> None:
    assert Playout() == Playout(0.0, 0, None)

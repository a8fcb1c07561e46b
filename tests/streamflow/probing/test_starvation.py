"""Starvation of this process is noted, subtracted and reported, and never blamed on the provider."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from lab import Lab
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.media.playout import simulate_playout
from streamflow.probing.net import receive_buffer
from streamflow.probing.starvation import GRAIN_SECONDS, StarvationMonitor, excused, total


def watched(*oversleeps: float) -> list[tuple[float, float]]:
    """Return the spells noted when one sleep after the other takes this much longer than it should."""
    naps: Iterator[float] = iter(oversleeps)

    def sleep(seconds: float) -> bool:
        over = next(naps, None)
        if over is None:
            return True
        time.sleep(seconds + over)
        return False

    late = StarvationMonitor(sleep)
    late.watch()
    return late.spells()


def test_a_sleep_that_lasts_too_long_is_starvation() -> None:
    spells = watched(0.0, 0.3, 0.0, 0.1)
    assert len(spells) == 2
    assert total(spells) == pytest.approx(0.4, abs=0.05)


def test_a_sleep_that_has_not_come_back_yet_counts_already() -> None:
    hanging, go_on = threading.Event(), threading.Event()

    def sleep(seconds: float) -> bool:
        hanging.set()
        return go_on.wait(5)

    late = StarvationMonitor(sleep)
    thread = threading.Thread(target=late.watch)
    thread.start()
    hanging.wait(1)
    time.sleep(0.3)
    assert total(late.spells()) == pytest.approx(0.2, abs=0.1)
    go_on.set()
    thread.join()
    assert late.spells() == []


def test_overlapping_spells_count_once_and_later_ones_not_at_all() -> None:
    assert total([(3.0, 5.0), (1.0, 4.0), (8.0, 9.0)]) == 5.0
    assert total([(1.0, 4.0), (8.0, 9.0)], until=2.0) == 1.0


def test_an_excuse_ends_soon_after_the_starvation() -> None:
    assert excused([(1.0, 4.0)], 4.1) == 3.0
    assert excused([(1.0, 4.0)], 7.0) == 0.0


def arrivals(
    *, held: tuple[float, float] | None = None, lost: tuple[float, float] | None = None
) -> list[tuple[float, float]]:
    """Ten seconds of frames; those due in ``held`` are read at its end, those due in ``lost`` come that much later."""
    made = []
    for media in (number / 25 for number in range(250)):
        wall = media
        if held and held[0] <= wall < held[1]:
            wall = held[1]
        if lost and wall >= lost[0]:
            wall += lost[1] - lost[0]
        made.append((wall, media))
    return made


def test_frames_that_were_read_late_are_no_stall() -> None:
    late = [(3.0, 6.0)]
    assert simulate_playout(arrivals(held=late[0]), 10.0).stall_s == pytest.approx(2.0, abs=0.1)
    found = simulate_playout(arrivals(held=late[0]), 10.0, late)
    assert (found.stalls, found.stall_s) == (0, 0.0)
    assert found.share == pytest.approx(1.0, abs=0.02)


def test_a_stall_of_the_provider_counts_although_this_machine_was_late_before() -> None:
    found = simulate_playout(arrivals(held=(1.0, 3.0), lost=(6.0, 9.0)), 13.0, [(1.0, 3.0)])
    assert found.stall_s == pytest.approx(2.0, abs=0.1)


def test_the_end_of_a_sample_that_was_starved_lowers_no_share() -> None:
    until_seven = [pair for pair in arrivals() if pair[0] < 7]
    assert simulate_playout(until_seven, 10.0, [(7.0, 10.0)]).share == pytest.approx(1.0, abs=0.02)


def test_a_slow_provider_is_slow_to_a_starved_reader_too() -> None:
    slow = [(wall / 0.6, media) for wall, media in arrivals()]
    assert (simulate_playout(slow, 16.0, [(5.0, 6.0)]).share or 1) < 0.7


def processes(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    pids = [pid]
    for one in pids:
        for task in Path(f"/proc/{one}/task").iterdir():
            pids += map(int, (task / "children").read_text(encoding="ascii").split())
    return pids


def _probe_in_child(url: str, seconds: float, pipe: Connection) -> None:
    began = threading.Event()
    threading.Thread(target=lambda: began.wait(20) and pipe.send("began"), daemon=True).start()
    settings = config.Probe(sample_seconds=seconds)
    outcome = probe(
        ProbeTarget(url), settings, on_progress=lambda now: began.set() if now.phase == "measuring" else None
    )
    pipe.send(outcome.result)


@pytest.mark.timeout(40)
def test_a_starved_probe_calls_no_healthy_stream_unstable(lab: Lab) -> None:
    here, there = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_probe_in_child, args=(lab.url("no_burst"), 5.0, there))
    child.start()
    assert child.pid
    held: list[int] = []
    try:
        assert here.poll(20)
        assert here.recv() == "began"
        held = processes(child.pid)
        for pid in held:
            os.kill(pid, signal.SIGSTOP)
        threading.Event().wait(2.5)
        for pid in held:
            os.kill(pid, signal.SIGCONT)
        assert here.poll(15)
        result = here.recv()
    finally:
        for pid in held:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        child.join(10)
    assert (result.verdict, result.reason) == ("ok", None), result.detail
    assert result.extra["starved_s"] == pytest.approx(2.5, abs=0.6)


def test_a_reader_that_is_too_slow_is_starved_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_buffer, "BACKLOG_BYTES", 5)
    held = receive_buffer.ReceiveBuffer(lambda: iter([b"x" * 10] * 2), lambda: None)
    time.sleep(0.3)
    while not (end := held.batch().end):
        continue
    assert total(end.starved) > GRAIN_SECONDS
    held.stop()

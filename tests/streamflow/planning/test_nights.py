"""Simulated nights: every stream that is due is planned, and none is checked twice.

Chains of runs start by schedules in local time, late or not, and check one stream after another. A chain may last
longer than a day, so that chains overlap.
"""

from __future__ import annotations

import heapq
import itertools
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from streamflow.checking.run_results import is_recent
from streamflow.config import Config
from streamflow.planning.params import CheckParams
from streamflow.planning.plan import Request, plan
from streamflow.records import DeadMemory, Result, Verdict
from support.library import result, stored, stream

CHANNELS = {1: (1, 2, 3, 4), 2: (4, 5, 6), 3: (7, 8, 9), 4: (10, 11, 12)}
STREAMS = sorted({one for streams in CHANNELS.values() for one in streams})
CONFIG = Config(max_streams_per_run=5)
BERLIN = ZoneInfo("Europe/Berlin")
# Each begins before a change of daylight saving and lasts beyond it.
FIRST_DAYS = (date(2026, 3, 25), date(2026, 10, 21), date(2026, 6, 1))
NIGHTS = 9


@dataclass
class Schedule:
    """A schedule at a local hour; each start is late by one of ``delays``, in hours."""

    hour: int
    groups: tuple[int, ...] | None
    delays: list[float]

    def starts(self, first: date) -> Iterator[datetime]:
        for day in range(NIGHTS):
            local = datetime.combine(first + timedelta(days=day), time(self.hour), BERLIN)
            yield local.astimezone(UTC) + timedelta(hours=self.delays[day % len(self.delays)])


@dataclass
class Simulation:
    """The checks of some nights, and the verdict of each stream by its id."""

    folder: Path
    minutes: float
    verdicts: dict[int, list[Verdict]]
    probes: dict[int, list[tuple[datetime, Verdict]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.store = stored(self.folder, CHANNELS)

    def run(self, schedules: list[Schedule], first: date) -> None:
        order = itertools.count()
        events: list[tuple[datetime, int, Iterator[datetime]]] = []
        for schedule in schedules:
            for start in schedule.starts(first):
                events.append((start, next(order), self._chain(f"run {next(order)}", start, schedule.groups)))
        heapq.heapify(events)
        while events:
            _, number, chain = heapq.heappop(events)
            if (later := next(chain, None)) is not None:
                heapq.heappush(events, (later, number, chain))

    def _chain(self, name: str, start: datetime, groups: tuple[int, ...] | None) -> Iterator[datetime]:
        """Check everything that is due at ``start``, run after run; yield the time of each next step."""
        params = CheckParams(group_ids=groups)
        due, planned, now = self._due(start, groups), set[int](), start
        for number in itertools.count():
            run = plan(self.store, CONFIG, Request(f"{name}.{number}", params, now, start if number else None))
            self.store.runs.open(run)
            assert len(run.stream_ids) <= CONFIG.max_streams_per_run
            assert not planned.intersection(run.stream_ids), "a chain plans a stream once"
            planned.update(run.stream_ids)
            for stream_id in run.stream_ids:
                self._check(run.run_id, stream_id, now)
                now += timedelta(minutes=self.minutes)
                yield now
            if not run.remaining:
                break
        checked = {one for one, past in self.store.results.latest_of(STREAMS).items() if past.checked_at >= start}
        assert due <= planned | checked, "everything that is due is planned, unless another chain has checked it"

    def _due(self, now: datetime, groups: tuple[int, ...] | None) -> set[int]:
        """Return the streams that are due now, by the contract alone."""
        channels = [channel for channel in CHANNELS if not groups or channel * 10 in groups]
        selected = {one for channel in channels for one in CHANNELS[channel]}
        return {one for one in selected if not self.probes[one] or now > self.probes[one][-1][0] + self._pause(one)}

    def _pause(self, stream_id: int) -> timedelta:
        _, verdict = self.probes[stream_id][-1]
        if verdict == "dead":
            return timedelta(hours=min(168, 20 * 2 ** (self._failures(stream_id) - 1)))
        return timedelta(hours=20) if verdict in ("ok", "degraded") else timedelta(seconds=-1)

    def _failures(self, stream_id: int) -> int:
        decided = [verdict for _, verdict in self.probes[stream_id] if verdict != "unknown"]
        return len(list(itertools.takewhile(lambda verdict: verdict == "dead", reversed(decided))))

    def _check(self, run_id: str, stream_id: int, now: datetime) -> None:
        latest = self.store.results.latest(stream_id)
        if latest and latest.run_id != run_id and is_recent(latest, stream(stream_id), CONFIG.freshness_hours, now):
            self.store.runs.settle(run_id, latest.model_copy(update={"run_id": run_id}))
            return
        self.store.runs.settle(run_id, self._probed(run_id, stream_id, now))
        self.store.results.remember_dead({stream_id: DeadMemory(failures=self._failures(stream_id))})

    def _probed(self, run_id: str, stream_id: int, now: datetime) -> Result:
        verdicts, past = self.verdicts[stream_id], self.probes[stream_id]
        verdict = verdicts[len(past) % len(verdicts)]
        past.append((now, verdict))
        return result(stream_id, verdict, at=now, run_id=run_id)

    def gaps(self, stream_id: int) -> list[timedelta]:
        times = [at for at, _ in self.probes[stream_id]]
        return [later - earlier for earlier, later in itertools.pairwise(times)]


WORDS: st.SearchStrategy[Verdict] = st.sampled_from(["ok", "degraded", "dead", "unknown"])
VERDICTS = st.fixed_dictionaries({one: st.lists(WORDS, min_size=1, max_size=4) for one in STREAMS})
DELAYS = st.lists(st.floats(0, 2.5), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(
    first=st.sampled_from(FIRST_DAYS),
    minutes=st.sampled_from([1.0, 30.0, 200.0]),
    verdicts=VERDICTS,
    delays=DELAYS,
    noon=st.none() | st.sampled_from([(10,), (20, 30)]),
)
def test_each_stream_that_is_due_is_planned_and_none_is_checked_twice(
    first: date, minutes: float, verdicts: dict[int, list[Verdict]], delays: list[float], noon: tuple[int, ...] | None
) -> None:
    schedules = [Schedule(3, None, delays), *([Schedule(12, noon, delays)] if noon else [])]
    with tempfile.TemporaryDirectory() as folder:
        nights = Simulation(Path(folder), minutes, verdicts)
        nights.run(schedules, first)
    for stream_id in STREAMS:
        decided = [verdict != "unknown" for _, verdict in nights.probes[stream_id]]
        for was_decided, gap in zip(decided, nights.gaps(stream_id), strict=False):
            assert not was_decided or gap > timedelta(hours=20)


@settings(max_examples=10, deadline=None)
@given(first=st.sampled_from(FIRST_DAYS), delays=DELAYS)
def test_working_streams_are_checked_every_night_and_dead_ones_ever_less_often(
    first: date, delays: list[float]
) -> None:
    verdicts: dict[int, list[Verdict]] = {one: ["dead"] if one % 2 else ["ok"] for one in STREAMS}
    with tempfile.TemporaryDirectory() as folder:
        nights = Simulation(Path(folder), 1.0, verdicts)
        nights.run([Schedule(3, None, delays)], first)
    assert all(len(nights.probes[one]) == NIGHTS for one in STREAMS if not one % 2)
    for gaps in (nights.gaps(one) for one in STREAMS if one % 2):
        assert [round(gap / timedelta(days=1)) for gap in gaps] == [1, 2, 4]

"""Compare nights with what they took before: whole samples, every stream every night, dead ones with all their tries.

A real run in Airflow over 30 streams (limits 1, 2 and 5; three of ten dead) measures what a check of each kind takes,
both ways, and how far the simulation of a run is from it. The same run shows how far ``GET /estimate`` is from the
truth. Then the real planner plans a fortnight over 3,000 streams of the same kind in simulated time: a check takes
what it took in the real run, and the makespan follows the limiter's rules. Times are in seconds.

``python -m bench.night model`` leaves the real run out and takes the seconds of ``MEASURED``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import quote

from bench.run import Bench, Chain, running
from lab.library import Library as LabLibrary
from lab.loads import with_dead
from streamflow import names
from streamflow.config import Config
from streamflow.planning.estimate import HANDOVER_SECONDS, RUN_SECONDS, slot_seconds
from streamflow.planning.makespan import Job, Limits, makespan
from streamflow.planning.params import CheckParams
from streamflow.planning.plan import Request, chain_of_runs
from streamflow.records import Account, Channel, DeadMemory, Result, Stream
from streamflow.udi.snapshot import Snapshot
from streamflow.udi.sqlite.store import FileStore

LIMITS = (1, 2, 5)
STREAMS, NIGHTS = 3_000, 14
NIGHT = datetime(2026, 1, 1, 3, tzinfo=UTC)
# Today's product: whole samples, and all tries of dead streams.
BEFORE: dict[str, Any] = {
    "probe": {"min_sample_seconds": None, "thumbnails": False},
    "dead_streams": {"after_failures": 99},
}
# Nothing is fresh, so that the second and third run check everything again; one failure makes a stream long dead.
NOW: dict[str, Any] = {"dead_streams": {"after_failures": 1}, "freshness_hours": {"ok": 0, "degraded": 0, "dead": 0}}
API = "/api/stream-checker"
GLOBAL_LIMIT = Config().concurrent_streams.global_limit
STAGGER = Config().concurrent_streams.stagger_delay
RETRY_PAUSES = Config().probe.retries * Config().probe.retry_delay


@dataclass(frozen=True)
class Seconds:
    """Mean seconds of a check: of a working stream, and of a dead one with all its tries."""

    working: float
    dead: float
    pauses: float


def job(stream_id: int, accounts: int, taken: float, pauses: float) -> Job:
    """Return the check of a stream of the lab's libraries, whose accounts take turns."""
    account = f"account-{1 + stream_id % accounts}"
    return Job(account, (account,), taken + HANDOVER_SECONDS, pauses)


def simulated(jobs: Sequence[Job]) -> float:
    """Return the makespan of one run under the limits of the accounts."""
    budgets = {f"account-{number}": limit for number, limit in enumerate(LIMITS, 1)}
    return makespan(jobs, Limits(budgets, GLOBAL_LIMIT, STAGGER)) + RUN_SECONDS


def real() -> tuple[list[dict[str, Any]], Seconds, Seconds]:
    """Run both ways in Airflow, and return the figures and the seconds of each way."""
    figures = []
    with running("night", **NOW | BEFORE | {"freshness_hours": NOW["freshness_hours"]}) as bench:
        # The first run pays for cold workers, and is not measured.
        bench.took(
            names.CHECK_DAG, {"force": True, "sample_seconds": 1, "stream_ids": [10, 11, 12], "write_back": False}
        )
        before = bench.ran(names.CHECK_DAG, {"write_back": False})
        measured_before, figure = _compared(bench, before, "before", RETRY_PAUSES)
        figures.append(figure)
        for section, changed in ({"probe": {"min_sample_seconds": Config().probe.min_sample_seconds}} | NOW).items():
            bench.api.request("PUT", f"{API}/settings/{section}", json=changed)
        # The results of this run are what a night finds: long-dead streams, and working ones with known figures.
        bench.took(names.CHECK_DAG, {"write_back": False})
        estimated = bench.api.request("GET", f"{API}/estimate")["seconds"]
        now = bench.ran(names.CHECK_DAG, {"write_back": False})
        measured_now, figure = _compared(bench, now, "now", 0.0)
        figures.append(figure)
        figures.append({
            "bench": "night_estimate", "estimated_s": estimated, "took_s": now.seconds,
            "ratio": round(estimated / now.seconds, 3),
        })  # fmt: skip
    return figures, measured_before, measured_now


def _compared(bench: Bench, chain: Chain, way: str, pauses: float) -> tuple[Seconds, dict[str, Any]]:
    """Return the seconds of a real run's checks, and the run beside its simulation by the same seconds."""
    path = f"{API}/runs/{quote(chain.runs[0]['dag_run_id'], safe='')}"
    streams = bench.api.request("GET", path)["streams"]
    results = {one["stream_id"]: Result.model_validate(one["result"]) for one in streams}
    taken = {stream: slot_seconds(result) for stream, result in results.items()}
    dead = {stream for stream, result in results.items() if result.verdict == "dead"}
    jobs = [job(one["stream_id"], len(LIMITS), taken[one["stream_id"]], 0.0) for one in streams]
    expected = simulated(jobs)
    figure = {
        "bench": "night_scaled", "way": way, "streams": len(streams), "dead": len(dead), "took_s": chain.seconds,
        "simulated_s": round(expected, 1), "ratio": round(expected / chain.seconds, 3),
    }  # fmt: skip
    working = fmean(seconds for stream, seconds in taken.items() if stream not in dead)
    return Seconds(working, fmean(taken[stream] for stream in dead), pauses), figure


def nights(before: Seconds, now: Seconds) -> Iterator[dict[str, Any]]:
    """Yield the simulated fortnight, night by night, and its sum without the first night."""
    settings, library = Config(), with_dead(LIMITS, STREAMS)
    dead = {stream.id for stream in library.streams if stream.behaviour.kind != "play"}
    with tempfile.TemporaryDirectory() as folder:
        store = FileStore(Path(folder) / "udi.db")
        store.publish(_snapshot(library))
        took, formerly = list[float](), 0.0
        for night in range(NIGHTS):
            start, failures = NIGHT + timedelta(days=night), _failures(store, dead)
            runs = _planned(store, settings, start)
            if not night:
                formerly = sum(simulated([_job(one, dead, before, before) for one in run]) for run in runs)
            # Known figures and one try need checks before; the first night has none.
            working, enough = now if night else before, settings.dead_streams.after_failures
            long_dead = {one for one, number in failures.items() if number >= enough}
            jobs = [[_job(one, dead, working, now if one in long_dead else before) for one in run] for run in runs]
            took.append(sum(map(simulated, jobs)))
            checked = [one for run in runs for one in run]
            store.results.add(_found(one, one in dead, start) for one in checked)
            broken = dead.intersection(checked)
            store.results.remember_dead({one: DeadMemory(failures=failures.get(one, 0) + 1) for one in broken})
            yield {
                "bench": "night", "night": night + 1, "streams": len(checked), "took_s": round(took[-1]),
                "before_s": round(formerly), "ratio": round(took[-1] / formerly, 3),
            }  # fmt: skip
    yield {
        "bench": "nights", "streams": STREAMS, "nights": NIGHTS - 1, "worst_ratio": round(max(took[1:]) / formerly, 3),
        "ratio": round(sum(took[1:]) / formerly / (NIGHTS - 1), 3),
    }  # fmt: skip


def _planned(store: FileStore, settings: Config, start: datetime) -> list[list[int]]:
    """Return the streams of each run of a night's chain, in the order of their checks."""
    request = Request("night", CheckParams(), start)
    return [[stream.id for stream in run] for run in chain_of_runs(store, settings, request)]


def _job(stream_id: int, dead: set[int], working: Seconds, broken: Seconds) -> Job:
    is_dead = stream_id in dead
    return job(stream_id, len(LIMITS), broken.dead if is_dead else working.working, broken.pauses if is_dead else 0.0)


def _failures(store: FileStore, dead: set[int]) -> Mapping[int, int]:
    return {stream: memory.failures for stream, memory in store.results.dead_memory(dead).items()}


def _found(stream_id: int, is_dead: bool, at: datetime) -> Result:
    known = {"stream_id": stream_id, "checked_at": at, "url_hash": _stream(stream_id).url_hash}
    return Result.model_validate(known | ({"verdict": "dead", "reason": "http_404"} if is_dead else {"verdict": "ok"}))


def _stream(stream_id: int) -> Stream:
    account_id = 1 + stream_id % len(LIMITS)
    return Stream(id=stream_id, name=str(stream_id), url=f"http://night.test/{stream_id}", account_id=account_id)


def _snapshot(library: LabLibrary) -> Snapshot:
    accounts = [
        Account(id=number, name=f"Account {number}", max_streams=limit, budget=f"account-{number}")
        for number, limit in enumerate(LIMITS, 1)
    ]
    channels = [
        Channel(id=one.id, name=one.name, number=one.number, stream_ids=one.stream_ids) for one in library.channels
    ]
    streams = [_stream(stream.id) for stream in library.streams]
    return Snapshot(accounts=accounts, groups=[], streams=streams, channels=channels)


# The seconds of a real run, for the simulation alone.
MEASURED = Seconds(10.2, 20.3, RETRY_PAUSES), Seconds(2.8, 6.8, 0.0)


def main(words: list[str]) -> None:
    """Print the figures."""
    before, now = MEASURED
    if words != ["model"]:
        figures, before, now = real()
        for figure in figures:
            print(json.dumps(figure), flush=True)
    print(json.dumps({"bench": "night_seconds", "before": vars(before), "now": vars(now)}), flush=True)
    for figure in nights(before, now):
        print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

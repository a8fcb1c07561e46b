"""Estimates: how long a check of some streams will take, and whether it fits its window."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from statistics import fmean

from pydantic import BaseModel, Field

from streamflow.checking.budgets import budget_limits, budgets_of
from streamflow.config import Config, Probe
from streamflow.planning.makespan import Job, Limits, makespan
from streamflow.planning.plan import Request, chain_of_runs
from streamflow.records import Account, Result, Stream
from streamflow.udi.ports import Store

# The results of an account whose mean is its time a check.
SAMPLED = 200
# The time of a check that no result tells exceeds the sample by this.
OPENING_SECONDS = 1.0
# The time between the end of a check and the start of the next one in its slot.
HANDOVER_SECONDS = 0.3
# The time of each run of a chain for its plan, its summary and the start of the next run.
RUN_SECONDS = 5.0
# A login decides when the whole check takes little longer than its own streams alone.
DECISIVE_SHARE = 0.9


class LoginEstimate(BaseModel):
    """The part of one login in an estimate."""

    login: str = Field(description="Key of the login", examples=["account-1"])
    accounts: list[str] = Field(description="Names of the accounts that use the login")
    streams: int = Field(description="Number of its streams to check")
    limit: int = Field(description="Connections that it allows, as far as known; 0 for no limit")
    seconds: float = Field(description="Time that its streams would take alone, in seconds")


class Estimate(BaseModel):
    """The expected length of a check."""

    streams: int = Field(description="Number of streams that would be probed")
    runs: int = Field(description="Number of runs of the chain")
    seconds: float = Field(description="Expected time from the start to the end, in seconds")
    ends_at: datetime = Field(description="Expected end of a check that starts now, or at the time of the schedule")
    until: datetime | None = Field(description="End of the window; null for none")
    fits: bool | None = Field(description="Whether the check fits the window; null without a window")
    decides: str | None = Field(
        description="Name of the accounts of the login that takes longest; null when the global limit decides"
    )
    logins: list[LoginEstimate] = Field(description="Logins, the one that takes longest first")


def estimate(store: Store, settings: Config, request: Request, believed: Mapping[str, int]) -> Estimate:
    """Estimate a check without any connection.

    :param believed: the limits that the limiter has learned, by budget; 0 or a missing one stands for none.
    :raises UnknownRecord: for an id that the UDI does not hold.
    """
    runs = chain_of_runs(store, settings, request)
    accounts = {account.id: account for account in store.library.accounts()}
    configured = budget_limits(accounts.values())
    limits = {
        budget: min(filter(None, (limit, believed.get(budget, 0))), default=0) for budget, limit in configured.items()
    }
    seconds = Durations.measured(store, [stream for run in runs for stream in run], settings)
    section = settings.concurrent_streams
    bounds = Limits(limits, section.global_limit, section.stagger_delay)
    jobs = [[_job(stream, accounts, seconds) for stream in run] for run in runs]
    total = sum(makespan(run, bounds) + RUN_SECONDS for run in jobs)
    logins = _logins(runs, jobs, accounts, bounds)
    window = request.params.window
    until = window.until if window else None
    ends_at = request.now + timedelta(seconds=total)
    longest = logins[0] if logins and logins[0].seconds >= DECISIVE_SHARE * (total - RUN_SECONDS * len(runs)) else None
    return Estimate(
        streams=sum(map(len, runs)),
        runs=len(runs),
        seconds=round(total, 1),
        ends_at=ends_at,
        until=until,
        fits=None if until is None else ends_at <= until,
        decides=", ".join(longest.accounts) if longest else None,
        logins=logins,
    )


class Durations:
    """The time for which the check of a stream holds its slot: a mean of its account, apart for dead streams."""

    def __init__(
        self, means: Mapping[tuple[int | None, bool], float], dead_ids: set[int], retried_ids: set[int], probe: Probe
    ) -> None:
        self._means = means
        self._dead_ids = dead_ids
        self._retried_ids = retried_ids
        self._probe = probe

    @classmethod
    def measured(cls, store: Store, streams: Iterable[Stream], settings: Config) -> Durations:
        """Read the last results of some streams of each account."""
        dead_ids = set(store.results.streams_of_verdict("dead"))
        sampled: dict[tuple[int | None, bool], list[int]] = defaultdict(list)
        for stream in streams:
            some = sampled[stream.account_id, stream.id in dead_ids]
            if len(some) < SAMPLED:
                some.append(stream.id)
        results = store.results.latest_of(id for some in sampled.values() for id in some)
        means = {}
        for key, ids in sampled.items():
            if measured := [slot_seconds(results[id]) for id in ids if id in results and results[id].elapsed_s]:
                means[key] = fmean(measured)
        memories = store.results.dead_memory(dead_ids)
        enough = settings.dead_streams.after_failures
        retried = {one for one in dead_ids if one not in memories or memories[one].failures < enough}
        return cls(means, dead_ids, retried, settings.probe)

    def of(self, stream: Stream) -> float:
        """Return the seconds of a stream's check."""
        mean = self._means.get((stream.account_id, stream.id in self._dead_ids))
        return (self._probe.sample_seconds + OPENING_SECONDS if mean is None else mean) + HANDOVER_SECONDS

    def pauses_of(self, stream: Stream) -> float:
        """Return the seconds between the tries of a check: a dead stream is tried again until it is long dead."""
        return self._probe.retries * self._probe.retry_delay if stream.id in self._retried_ids else 0.0


def slot_seconds(result: Result) -> float:
    """Return the time for which the tries of a check held slots."""
    tries = result.extra.get("tries") or ()
    return sum(float(one.get("elapsed_s") or 0) for one in tries) or result.elapsed_s


def _job(stream: Stream, accounts: Mapping[int, Account], seconds: Durations) -> Job:
    account = accounts.get(stream.account_id) if stream.account_id is not None else None
    budgets = tuple(budgets_of(account)) if account else ()
    return Job(str(stream.account_id), budgets, seconds.of(stream), seconds.pauses_of(stream))


def _logins(
    runs: list[list[Stream]], jobs: list[list[Job]], accounts: Mapping[int, Account], bounds: Limits
) -> list[LoginEstimate]:
    """Return the part of each login, the one that takes longest first."""
    alone = Limits(bounds.budgets, 0, bounds.stagger)
    logins = dict.fromkeys(job.budgets[0] for run in jobs for job in run if job.budgets)
    found = []
    for login in logins:
        own = [[job for job in run if job.budgets[:1] == (login,)] for run in jobs]
        ids = {stream.account_id for run in runs for stream in run}
        found.append(
            LoginEstimate(
                login=login,
                accounts=[one.name for one in accounts.values() if one.budget == login and one.id in ids],
                streams=sum(map(len, own)),
                limit=_connections(own, bounds.budgets),
                seconds=round(sum(makespan(run, alone) for run in own), 1),
            )
        )
    return sorted(found, key=lambda one: -one.seconds)


def _connections(jobs: list[list[Job]], limits: Mapping[str, int]) -> int:
    """Return the connections of all budgets of some jobs; 0 when one is unlimited."""
    budgets = {budget for run in jobs for job in run for budget in job.budgets}
    known = [limits.get(budget, 0) for budget in budgets]
    return sum(known) if all(known) else 0

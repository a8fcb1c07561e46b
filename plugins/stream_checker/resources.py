"""Resources that routes depend on: Redis, the UDI, the limiter and the caches, each opened once a process."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from fastapi import Depends
from redis import Redis

from account_limiter import Limiter, connect
from account_limiter.redis.lease_book import LeaseBook
from stream_checker.hooks.debounce import DebouncedRuns
from stream_checker.queries.name_index import NameIndex
from stream_checker.queries.prometheus import LastRun
from stream_checker.queries.result_index import ResultIndex
from stream_checker.queries.run_outcomes import RunOutcomes
from streamflow import config
from streamflow.udi import Udi, open_udi


@lru_cache(maxsize=1)
def redis() -> Redis:
    """Return the Redis client that all threads of the process share."""
    return connect()


@lru_cache(maxsize=1)
def store() -> Udi:
    """Return the UDI, which reads the file store while Redis is unavailable."""
    return open_udi(redis(), config.home())


@lru_cache(maxsize=1)
def limiter() -> Limiter:
    """Return the limiter."""
    return Limiter(redis())


@lru_cache(maxsize=1)
def name_index() -> NameIndex:
    """Return the names of all streams and channels."""
    return NameIndex()


@lru_cache(maxsize=1)
def result_index() -> ResultIndex:
    """Return the fields by which results are sorted and filtered."""
    return ResultIndex()


@lru_cache(maxsize=1)
def run_outcomes() -> RunOutcomes:
    """Return the outcomes of runs."""
    return RunOutcomes()


@lru_cache(maxsize=1)
def debounced_runs() -> DebouncedRuns:
    """Return the starter of the runs that webhooks request."""
    return DebouncedRuns(redis(), store())


@lru_cache(maxsize=1)
def last_run() -> LastRun:
    """Return the last finished run, for the metrics."""
    return LastRun()


@lru_cache(maxsize=1)
def lease_book() -> LeaseBook:
    """Return the leases of the rest of the household."""
    return LeaseBook(limiter(), config.home() / "leases.json")


OpenStore = Annotated[Udi, Depends(store)]
OpenLimiter = Annotated[Limiter, Depends(limiter)]
OpenLastRun = Annotated[LastRun, Depends(last_run)]
OpenLeaseBook = Annotated[LeaseBook, Depends(lease_book)]
OpenRedis = Annotated[Redis, Depends(redis)]
OpenNameIndex = Annotated[NameIndex, Depends(name_index)]
OpenResultIndex = Annotated[ResultIndex, Depends(result_index)]
OpenRunOutcomes = Annotated[RunOutcomes, Depends(run_outcomes)]
OpenDebouncedRuns = Annotated[DebouncedRuns, Depends(debounced_runs)]

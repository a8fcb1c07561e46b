"""What a route works with: the UDI, the limiter and the names of streams, each opened once a process."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from fastapi import Depends
from redis import Redis

from account_limiter import Limiter, connect
from stream_checker.hooks.debounce import DebouncedRuns
from stream_checker.queries.name_index import NameIndex
from stream_checker.queries.result_index import ResultIndex
from stream_checker.queries.run_outcomes import RunOutcomes
from streamflow import config
from streamflow.udi import open_udi
from streamflow.udi.ports import Store


@lru_cache(maxsize=1)
def client() -> Redis:
    """Redis, for all threads of the process."""
    return connect()


@lru_cache(maxsize=1)
def store() -> Store:
    """The UDI: Redis, or the file store while Redis is away."""
    return open_udi(client(), config.home())


@lru_cache(maxsize=1)
def limiter() -> Limiter:
    return Limiter(client())


@lru_cache(maxsize=1)
def names() -> NameIndex:
    return NameIndex()


@lru_cache(maxsize=1)
def standings() -> ResultIndex:
    return ResultIndex()


@lru_cache(maxsize=1)
def outcomes() -> RunOutcomes:
    return RunOutcomes()


@lru_cache(maxsize=1)
def bursts() -> DebouncedRuns:
    return DebouncedRuns(client(), store())


Udi = Annotated[Store, Depends(store)]
Limits = Annotated[Limiter, Depends(limiter)]
OpenDebouncedRuns = Annotated[DebouncedRuns, Depends(bursts)]
OpenNameIndex = Annotated[NameIndex, Depends(names)]
OpenResultIndex = Annotated[ResultIndex, Depends(standings)]
OpenRunOutcomes = Annotated[RunOutcomes, Depends(outcomes)]
OpenRedis = Annotated[Redis, Depends(client)]

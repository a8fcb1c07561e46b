"""What a route works with: the UDI, the limiter and the names of streams, each opened once a process."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from fastapi import Depends
from redis import Redis

from account_limiter import Limiter, connect
from stream_checker.bursts import Bursts
from stream_checker.names import Names
from stream_checker.outcomes import Outcomes
from stream_checker.standings import Standings
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
def names() -> Names:
    return Names()


@lru_cache(maxsize=1)
def standings() -> Standings:
    return Standings()


@lru_cache(maxsize=1)
def outcomes() -> Outcomes:
    return Outcomes()


@lru_cache(maxsize=1)
def bursts() -> Bursts:
    return Bursts(client(), store())


Udi = Annotated[Store, Depends(store)]
Limits = Annotated[Limiter, Depends(limiter)]
Bursting = Annotated[Bursts, Depends(bursts)]
KnownNames = Annotated[Names, Depends(names)]
KnownStandings = Annotated[Standings, Depends(standings)]
KnownOutcomes = Annotated[Outcomes, Depends(outcomes)]
RedisClient = Annotated[Redis, Depends(client)]

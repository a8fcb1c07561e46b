"""Opening what a task works with: Redis, the UDI, the target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from account_limiter import connect
from streamflow import config, sources
from streamflow.udi import Udi, open_udi


@contextmanager
def redis() -> Iterator[Redis]:
    """Redis by the Airflow connection ``redis_default``, else by the environment. Connects with its first command."""
    with connect() as client:
        yield client


def udi(client: Redis) -> Udi:
    """The UDI: Redis, or the file store while Redis is away."""
    return open_udi(client, config.home())


@contextmanager
def store() -> Iterator[Udi]:
    """The UDI, for who needs no Redis beside it."""
    with redis() as client:
        yield udi(client)


@contextmanager
def target(known: Udi, write_back: bool) -> Iterator[sources.Destination | None]:
    """Open the destination of finished channels; None for a run that only plans its changes."""
    if not write_back:
        yield None
        return
    with sources.opened() as source:
        yield source.destination(known)

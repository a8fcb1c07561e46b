"""Opening what a task works with: the UDI, the limiter, Dispatcharr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from streamflow.channels import NoTarget, Target
from streamflow.sources import dispatcharr

from account_limiter import connect
from streamflow import config
from streamflow.udi import Udi, open_udi


def client() -> Redis:
    """Redis by the Airflow connection ``redis_default``, else by the environment. Does not connect yet."""
    return connect()


@contextmanager
def store() -> Iterator[Udi]:
    """The UDI: Redis, or the file store while Redis is away."""
    with client() as redis:
        yield open_udi(redis, config.home())


@contextmanager
def target(write_back: bool = True) -> Iterator[Target]:
    """Where finished channels are written to."""
    if not write_back:
        yield NoTarget()
        return
    with dispatcharr.from_env() as source:
        yield source

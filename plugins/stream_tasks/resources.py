"""The resources of a task: Redis, the UDI, and the destination of finished channels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from redis import Redis

from account_limiter import connect
from streamflow import config, shared_settings, sources
from streamflow.config import Config
from streamflow.udi import Udi, open_udi
from streamflow.udi.ports import Store


@contextmanager
def redis() -> Iterator[Redis]:
    """Open the Redis that the Airflow connection ``redis_default`` or else the environment names.

    It connects with its first command.
    """
    with connect() as opened:
        yield opened


def udi(redis: Redis) -> Udi:
    """Return the UDI in Redis, or in the file store while Redis is away."""
    return open_udi(redis, config.home())


@dataclass(frozen=True)
class Resources:
    """The resources of a check, open until its process ends."""

    redis: Redis
    store: Udi
    settings: Config

    @classmethod
    def open(cls) -> Self:
        """Open Redis and the UDI, and read the settings."""
        redis = connect()
        return cls(redis, udi(redis), shared_settings.load(redis))


def settings() -> Config:
    """Return the settings in force."""
    with redis() as opened:
        return shared_settings.load(opened)


@contextmanager
def store() -> Iterator[Udi]:
    """Open the UDI for a task that uses nothing else in Redis."""
    with redis() as opened:
        yield udi(opened)


@contextmanager
def destination(redis: Redis, store: Store, write_back: bool) -> Iterator[sources.Destination | None]:
    """Open the destination of finished channels; None for a run that only plans its changes."""
    if not write_back:
        yield None
        return
    with sources.opened(redis=redis) as source:
        yield source.destination(store)

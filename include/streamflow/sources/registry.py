"""The known sources, and the choice of one by environment variables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from redis import Redis

from streamflow import config
from streamflow.errors import ConfigError
from streamflow.sources.dispatcharr import Dispatcharr
from streamflow.sources.m3u import Playlist
from streamflow.sources.source import Source
from streamflow.sources.xtream import Xtream

# The first one whose first variable is set is used.
SOURCES: tuple[type[Source], ...] = (Dispatcharr, Xtream, Playlist)


def from_env(env: Mapping[str, str] = os.environ, home: Path | None = None, redis: Redis | None = None) -> Source:
    """Return the source that the environment selects.

    :param home: the folder of StreamFlow's state, by default that of :func:`streamflow.config.home`.
    :param redis: shares the source's tokens with other machines.
    :raises ConfigError: no source is set, or one of its variables is missing or wrong.
    """
    for kind in SOURCES:
        if env.get(kind.variables[0], "").strip():
            return kind.from_env(env, home or config.home(), redis)
    raise ConfigError(f"no source is set: write one into .env, {', or '.join(kind.example for kind in SOURCES)}")


@contextmanager
def opened(
    env: Mapping[str, str] = os.environ, home: Path | None = None, redis: Redis | None = None
) -> Iterator[Source]:
    """Open the source that the environment selects, as :func:`from_env` does, and close it at the end of the block."""
    with closing(from_env(env, home, redis)) as source:
        yield source

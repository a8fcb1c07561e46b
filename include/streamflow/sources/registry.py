"""Which source the environment names: Dispatcharr, else an Xtream login, else a playlist."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from streamflow import config
from streamflow.errors import ConfigError
from streamflow.sources import dispatcharr, m3u
from streamflow.sources.source import Source
from streamflow.sources.xtream import Panel, Xtream

_XTREAM = ("STREAMFLOW_XTREAM_URL", "STREAMFLOW_XTREAM_USERNAME", "STREAMFLOW_XTREAM_PASSWORD")


def from_env(env: Mapping[str, str] = os.environ, home: Path | None = None) -> Source:
    """The first source that is set; raises ConfigError naming what is missing or wrong."""
    if env.get("DISPATCHARR_URL", "").strip():
        return dispatcharr.from_env(env, home)
    if env.get(_XTREAM[0], "").strip():
        return Xtream(_panel(env))
    if where := env.get("STREAMFLOW_M3U", "").strip():
        from_stdin = where == m3u.STANDARD_INPUT
        return m3u.Playlist(str(m3u.kept(home or config.home())) if from_stdin else where, _max_streams(env))
    raise ConfigError(
        "no source is set: put DISPATCHARR_URL in .env (for example http://192.0.2.7:9191), or STREAMFLOW_XTREAM_URL "
        "with user name and password, or STREAMFLOW_M3U with a playlist's address or file"
    )


@contextmanager
def opened(env: Mapping[str, str] = os.environ, home: Path | None = None) -> Iterator[Source]:
    """The source, and its connections closed at the end."""
    source = from_env(env, home)
    if isinstance(source, dispatcharr.Dispatcharr):
        with source:
            yield source
    else:
        yield source


def _panel(env: Mapping[str, str]) -> Panel:
    server, username, password = (env.get(name, "").strip() for name in _XTREAM)
    if not server.startswith(("http://", "https://")):
        raise ConfigError(f"{_XTREAM[0]} is no http or https address; write for example http://provider.example:8080")
    if not (username and password):
        raise ConfigError(f"set {_XTREAM[1]} and {_XTREAM[2]} beside {_XTREAM[0]}")
    return Panel(server, username, password)


def _max_streams(env: Mapping[str, str]) -> int:
    told = env.get("STREAMFLOW_M3U_MAX_STREAMS", "").strip() or "1"
    if not told.isdecimal():
        raise ConfigError(f"STREAMFLOW_M3U_MAX_STREAMS is no number: {told!r}; write 0 for a provider without limit")
    return int(told)

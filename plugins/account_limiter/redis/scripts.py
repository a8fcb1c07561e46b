"""The transitions as one library of Redis functions: its keys, its text, and what its errors mean.

A server runs functions without making them anew at every call, as it does with scripts. The library is named for its
text, so that different versions of it may be in use at once; a server that does not know it gets it, whenever that is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError, ReadOnlyError, ResponseError, TimeoutError

from account_limiter.core.errors import LimiterOutdated, LimiterUnavailable

PREFIX = "{streamflow}:limiter:"
# Of the records' layout. What another one left in Redis is not looked at; the highest that was ever used is in force.
LAYOUT = 3
_STATE = (
    "leases", "expiry", "held", "granted", "ends", "waiters", "queue", "touched", "called", "accounts", "budgets",
    "paces", "meta",
)  # fmt: skip
# What all layouts share.
_PAST = ("events", "tally", "history", "history_coarse", "layout")
_KEYS = {name: f"{PREFIX}{LAYOUT}:{name}" for name in _STATE} | {name: PREFIX + name for name in _PAST}
KEYS = tuple(_KEYS.values())
# The one that is named in a call: the others are in the same slot of a cluster.
KEY = _KEYS["meta"]
GRANTS = PREFIX + "grants"
EVENTS = _KEYS["events"]

_FOLDER = Path(__file__).parent / "lua"
# Each part uses those before it.
_SHARED = ("meta", "records", "room", "history", "queue", "grants", "turn")
_UNKNOWN = "Function not found"
_TOO_OLD = ("unknown command `FCALL`", "unknown command 'FCALL'")
# Answers of a Redis that is there but cannot do its work.
_NEWER = "NEWER"
_DISABLED = ("OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "LOADING")


@cache
def library() -> str:
    """The name of the library, which begins the names of its functions."""
    return "streamflow_limiter_" + hashlib.sha256(_body().encode()).hexdigest()[:12]


@cache
def text() -> str:
    """The library as ``FUNCTION LOAD`` takes it."""
    return f"#!lua name={library()}\nlocal LIBRARY = '{library()}'\n{_body()}"


def key(name: str) -> str:
    """The key of a part of the state or of what is past."""
    return _KEYS[name]


def function(name: str) -> str:
    """What a transition is called by."""
    return f"{library()}_{name}"


@cache
def _body() -> str:
    names = [f"local {name.upper()} = '{key}'" for name, key in (*_KEYS.items(), ("channel", GRANTS))]
    names.append(f"local OWN_LAYOUT = {LAYOUT}")
    shared = [(_FOLDER / "shared" / f"{part}.lua").read_text(encoding="utf-8") for part in _SHARED]
    transitions = [f"do\n{path.read_text(encoding='utf-8')}end" for path in sorted(_FOLDER.glob("*.lua"))]
    return "\n".join([*names, *shared, *transitions])


async def run_async(redis: AsyncRedis, name: str, args: Sequence[Any]) -> Any:
    """As :meth:`account_limiter.redis.wire.Wire.run`, for a client of asyncio."""
    try:
        try:
            return await redis.fcall(function(name), 1, KEY, *args)
        except ResponseError as error:
            if not is_missing(error):
                raise
        try:
            await redis.function_load(text())
        except ResponseError as error:
            if not is_there(error):
                raise
        return await redis.fcall(function(name), 1, KEY, *args)
    except (ConnectionError, TimeoutError, ResponseError) as error:
        raise understood(error) from error


def is_missing(error: ResponseError) -> bool:
    """Whether the server does not know the library."""
    return str(error).startswith(_UNKNOWN)


def is_there(error: ResponseError) -> bool:
    """Whether the server got the library from somebody else meanwhile."""
    return str(error).endswith("already exists")


def understood(error: Exception) -> Exception:
    """The error as the limiter's users know it."""
    if str(error).startswith(_TOO_OLD):
        return LimiterUnavailable(f"Redis 7.0 or newer is needed, or Valkey: {error}")
    if str(error).startswith(_NEWER):
        return LimiterOutdated("a newer version of StreamFlow uses this Redis: update this one and restart it")
    away = isinstance(error, (ConnectionError, TimeoutError, ReadOnlyError)) or str(error).startswith(_DISABLED)
    return LimiterUnavailable(f"Redis: {error}") if away else error

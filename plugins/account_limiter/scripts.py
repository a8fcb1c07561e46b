"""The Lua scripts: their keys, their text, their digests and what their errors mean."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError, NoScriptError, ReadOnlyError, ResponseError, TimeoutError

from account_limiter.errors import LimiterUnavailable

PREFIX = "{streamflow}:limiter:"
# In the order in which records.lua names them.
KEYS = tuple(
    PREFIX + name
    for name in (
        "leases", "expiry", "held", "granted", "ends", "waiters", "queue", "touched", "called", "accounts", "budgets",
        "meta", "events", "tally", "history", "history_coarse",
    )
)  # fmt: skip
# Comes as one more key with a script that is sent in full.
FRESH = PREFIX + "fresh"
GRANTS = PREFIX + "grants"
EVENTS = PREFIX + "events"

_FOLDER = Path(__file__).parent / "lua"
# What every script begins with; each part uses those before it.
_SHARED = tuple(f"shared/{part}" for part in ("records", "room", "history", "queue", "grants", "turn"))
# Answers of a Redis that is there but cannot do its work.
_DISABLED = ("OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "LOADING")


@cache
def text(name: str) -> str:
    return "\n".join((_FOLDER / f"{part}.lua").read_text(encoding="utf-8") for part in (*_SHARED, name))


@cache
def digest(name: str) -> str:
    return hashlib.sha1(text(name).encode(), usedforsecurity=False).hexdigest()


async def run_async(redis: AsyncRedis, name: str, args: Sequence[Any]) -> Any:
    """As :meth:`account_limiter.wire.Wire.run`, for a client of asyncio."""
    try:
        try:
            return await redis.evalsha(digest(name), len(KEYS), *KEYS, *args)
        except NoScriptError:
            return await redis.eval(text(name), len(KEYS) + 1, *KEYS, FRESH, *args)
    except (ConnectionError, TimeoutError, ResponseError) as error:
        raise understood(error) from error


def understood(error: Exception) -> Exception:
    """The error as the limiter's users know it."""
    away = isinstance(error, (ConnectionError, TimeoutError, ReadOnlyError)) or str(error).startswith(_DISABLED)
    return LimiterUnavailable(f"Redis: {error}") if away else error

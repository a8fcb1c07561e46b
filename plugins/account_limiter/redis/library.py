"""The transitions as one library of Redis functions, its keys, and the meaning of its errors.

Redis compiles a function library once, not at each call. The library's name contains a hash of its text, so several
versions and several prefixes run on one server at the same time. A server that lacks the library receives it with the
first call.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from account_limiter.core.errors import LimiterOutdated, LimiterUnavailable

DEFAULT_PREFIX = "{streamflow}:limiter:"
# Version of the layout of the keys. A version reads only its own keys; the highest version that ever ran is in force.
LAYOUT = 6
FOLDER = Path(__file__).parent / "lua"

_STATE = (
    "leases", "expiry", "held", "lingering", "granted", "ends", "waiters", "queue", "touched", "called",
    "candidates", "due", "accounts", "draws", "budgets", "viewed", "paces", "meta",
)  # fmt: skip
# Keys that all layouts share.
_SHARED_KEYS = ("events", "tally", "history", "history_coarse", "layout")
# Each part uses the parts before it.
_PARTS = ("meta", "records", "capacity", "queue", "history", "candidates", "calls", "grants", "transition")
# The tag in braces puts all keys into one slot of a cluster; the characters need no quoting in Lua.
_PREFIX = re.compile(r"[\w.:-]*\{[\w.:-]+\}[\w.:-]*", re.ASCII)

_UNKNOWN_FUNCTION = "Function not found"
_LOADED_BY_ANOTHER = "already exists"
_UNKNOWN_COMMAND = ("unknown command `FCALL`", "unknown command 'FCALL'")
_NEWER_LAYOUT = "NEWER"
# Errors of a server that is away, or responds but cannot do its work. redis-py has classes for some codes of errors and
# removes these codes from the text; the other codes begin the text.
_AWAY = (
    ClusterDownError, ConnectionError, MasterDownError, NoPermissionError, OutOfMemoryError, ReadOnlyError,
    TimeoutError, TryAgainError,
)  # fmt: skip
_AWAY_CODES = ("MISCONF", "NOREPLICAS", "BUSY", "UNKILLABLE")
# The user has no right to a command inside of a function.
_NO_RIGHT = ("ACL failure in script", "The user executing the script can't")


@dataclass(frozen=True, eq=False)
class Library:
    """The function library over the keys of one prefix.

    :param prefix: beginning of every key, with a tag in braces.
    :param layout: version of the layout of the keys.
    :param folder: folder of the Lua files.
    """

    prefix: str
    layout: int
    folder: Path

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(
                f"not a prefix for the limiter: {self.prefix!r} (letters, digits and _.:- around one tag in braces)"
            )

    @cached_property
    def name(self) -> str:
        """Return the library's name, which begins the names of its functions."""
        return "account_limiter_" + hashlib.sha256(self._body.encode()).hexdigest()[:12]

    @cached_property
    def text(self) -> str:
        """Return the library as ``FUNCTION LOAD`` takes it."""
        return f"#!lua name={self.name}\nlocal LIBRARY = '{self.name}'\n{self._body}"

    @cached_property
    def keys(self) -> dict[str, str]:
        """Return every key by its short name."""
        state = {name: f"{self.prefix}{self.layout}:{name}" for name in _STATE}
        return state | {name: self.prefix + name for name in _SHARED_KEYS}

    @property
    def main_key(self) -> str:
        """Return the key that a call names; the others are in the same slot of a cluster."""
        return self.keys["meta"]

    @property
    def channel(self) -> str:
        """Return the publish/subscribe channel of the grants."""
        return self.prefix + "grants"

    def function(self, transition: str) -> str:
        """Return the name of a transition's function."""
        return f"{self.name}_{transition}"

    @cached_property
    def _body(self) -> str:
        names = [f"local {name.upper()} = '{key}'" for name, key in (*self.keys.items(), ("channel", self.channel))]
        names.append(f"local OWN_LAYOUT = {self.layout}")
        parts = [(self.folder / "shared" / f"{part}.lua").read_text(encoding="utf-8") for part in _PARTS]
        transitions = [f"do\n{path.read_text(encoding='utf-8')}end" for path in sorted(self.folder.glob("*.lua"))]
        return "\n".join([*names, *parts, *transitions])


@cache
def library(prefix: str = DEFAULT_PREFIX) -> Library:
    """Return the library of a prefix, the same object for each call.

    :raises ValueError: when the prefix has no tag in braces or other characters than letters, digits and ``_.:-``.
    """
    return Library(prefix, LAYOUT, FOLDER)


def events_key(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the key of the Redis stream to which the transitions write their events."""
    return library(prefix).keys["events"]


async def run_async(redis: AsyncRedis, library: Library, transition: str, args: Sequence[Any]) -> Any:
    """Run a transition as :meth:`account_limiter.redis.wire.Wire.run` does, with an asyncio client.

    :raises LimiterUnavailable: when Redis is away or cannot write.
    """
    call = (library.function(transition), 1, library.main_key, *args)
    try:
        try:
            return await redis.fcall(*call)
        except ResponseError as error:
            if not is_missing(error):
                raise
        try:
            await redis.function_load(library.text)
        except ResponseError as error:
            if not is_loaded(error):
                raise
        return await redis.fcall(*call)
    except (ConnectionError, TimeoutError, ResponseError) as error:
        raise translated(error) from error


def is_missing(error: ResponseError) -> bool:
    """Return whether the server lacks the library."""
    return str(error).startswith(_UNKNOWN_FUNCTION)


def is_loaded(error: ResponseError) -> bool:
    """Return whether another client loaded the library at the same time."""
    return str(error).endswith(_LOADED_BY_ANOTHER)


def translated(error: Exception) -> Exception:
    """Return the limiter's error for an error of Redis; an error that the limiter does not know is returned itself."""
    text = str(error)
    if text.startswith(_UNKNOWN_COMMAND):
        return LimiterUnavailable(f"Redis 7.0 or newer, or Valkey, is needed: {error}")
    if text.startswith(_NEWER_LAYOUT):
        return LimiterOutdated("a newer version uses this Redis: update this one and restart it")
    if isinstance(error, _AWAY) or text.startswith(_AWAY_CODES + _NO_RIGHT):
        return LimiterUnavailable(f"Redis: {error}")
    return error

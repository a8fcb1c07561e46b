"""What the rooms of the Redis store share: the client, its errors, the names of keys.

All keys carry one hash tag: in a cluster they live in one slot, and scripts and transactions may touch them together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel
from redis import Redis
from redis.exceptions import ConnectionError, RedisError, TimeoutError

from streamflow.errors import UdiUnavailable

PREFIX = "{streamflow}:udi:"
# The stream of events; each has a ``type`` and a record in ``json``.
EVENTS = PREFIX + "events"
EVENTS_KEPT = 2000
# Ids of streams with results that left the library, by what they were known by.
GONE = PREFIX + "gone"
# How many keys, fields or members one command names: Redis answers nobody else meanwhile.
CHUNK = 1000

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")


class RedisRoom:
    """A part of the Redis store; every method raises UdiUnavailable when Redis does not answer."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._joined = self._script("joined")

    @contextmanager
    def _redis(self) -> Iterator[Any]:
        """The client, whose own types leave open whether it answers text or bytes; ours answers bytes."""
        try:
            yield self._client
        except (ConnectionError, TimeoutError) as error:
            raise UdiUnavailable(f"Redis does not answer: {error}") from error
        except RedisError as error:
            raise UdiUnavailable(f"Redis refused: {error}") from error

    def _script(self, name: str) -> Callable[..., Any]:
        return self._client.register_script(resources.files("streamflow.udi.redis").joinpath(f"{name}.lua").read_text())

    def _ids(self, command: str, key: str, *arguments: str | float) -> list[int]:
        """The answer of a command that names ids, sorted; in one string, which is read many times faster."""
        with self._redis():
            answer = self._joined([PREFIX + key], [command, *arguments])
        return sorted(map(int, answer.split(b","))) if answer else []

    def _of_hash(self, key: str, parse: Callable[[bytes], T], ids: Iterable[int]) -> dict[int, T]:
        """Records of a hash by id; those that are not there are left out."""
        wanted = list(ids)
        found: dict[int, T] = {}
        with self._redis() as redis:
            for chunk in chunks(wanted):
                for record, text in zip(chunk, redis.hmget(PREFIX + key, [str(i) for i in chunk]), strict=True):
                    if text is not None:
                        found[record] = parse(text)
        return found


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The items in lists of at most ``size``."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def event(kind: str, record: dict[str, Any]) -> dict[Any, Any]:
    """An entry of the stream of events."""
    return {"type": kind, "json": json.dumps(record)}

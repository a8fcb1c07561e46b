"""The Redis client of the UDI, typed: names without the prefix go in, bytes come out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from itertools import islice
from typing import Any, TypeVar, cast

from redis import Redis
from redis.client import Pipeline
from redis.commands.core import Script
from redis.exceptions import ConnectionError, RedisError, ResponseError, TimeoutError

from streamflow.errors import UdiUnavailable
from streamflow.udi.redis.keys import EVENTS, EVENTS_KEPT, PREFIX

# The largest number of keys, fields or members in one command, because Redis serves no other client meanwhile.
CHUNK = 1000

T = TypeVar("T")


class RedisEmpty(UdiUnavailable):
    """Redis can be reached, but has lost its data or has it in another layout."""


class Connection:
    """A pooled client. Every method raises UdiUnavailable when Redis cannot be reached or rejects the command."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._joined = self.script("joined")

    @contextmanager
    def commands(self) -> Iterator[Redis]:
        """Yield the client, and raise its errors as UdiUnavailable."""
        try:
            yield self._client
        except (ConnectionError, TimeoutError) as error:
            raise UdiUnavailable(f"Redis cannot be reached: {error}") from error
        except ResponseError as error:
            # The scripts begin this error with the code EMPTY.
            if str(error).startswith("EMPTY "):
                raise RedisEmpty(str(error).removeprefix("EMPTY ")) from error
            raise UdiUnavailable(f"Redis rejected the command: {error}") from error
        except RedisError as error:
            raise UdiUnavailable(f"Redis rejected the command: {error}") from error

    @contextmanager
    def batch(self, *, transaction: bool = True) -> Iterator[Pipeline]:
        """Yield a pipeline. The caller executes it."""
        with self.commands() as redis, redis.pipeline(transaction=transaction) as batch:
            yield batch

    def script(self, name: str) -> Script:
        """Return the Lua script of a file in this package."""
        text = resources.files("streamflow.udi.redis").joinpath(f"{name}.lua").read_text()
        return self._client.register_script(text)

    def get(self, name: str) -> bytes | None:
        """Return the value of one key."""
        with self.commands() as redis:
            return cast("bytes | None", redis.get(PREFIX + name))

    def get_many(self, names: Iterable[str]) -> dict[str, bytes | None]:
        """Return the values of keys, by name."""
        values: dict[str, bytes | None] = {}
        with self.commands() as redis:
            for chunk in chunks(names):
                texts = cast("list[bytes | None]", redis.mget([PREFIX + name for name in chunk]))
                values.update(zip(chunk, texts, strict=True))
        return values

    def hash(self, name: str) -> dict[bytes, bytes]:
        """Return all fields of a hash."""
        with self.commands() as redis:
            return cast("dict[bytes, bytes]", redis.hgetall(PREFIX + name))

    def records(self, name: str, parse: Callable[[bytes], T], ids: Iterable[int]) -> dict[int, T]:
        """Return the parsed records of a hash, by id, without those that do not exist."""
        records: dict[int, T] = {}
        with self.commands() as redis:
            for chunk in chunks(ids):
                texts = cast("list[bytes | None]", redis.hmget(PREFIX + name, [str(i) for i in chunk]))
                for record_id, text in zip(chunk, texts, strict=True):
                    if text is not None:
                        records[record_id] = parse(text)
        return records

    def first(self, name: str, limit: int) -> list[bytes]:
        """Return the first items of a list."""
        with self.commands() as redis:
            return cast("list[bytes]", redis.lrange(PREFIX + name, 0, limit - 1)) if limit > 0 else []

    def highest(self, name: str, limit: int) -> list[bytes]:
        """Return the members with the highest scores of a sorted set, highest first."""
        with self.commands() as redis:
            return cast("list[bytes]", redis.zrevrange(PREFIX + name, 0, limit - 1)) if limit > 0 else []

    def joined(self, command: str, name: str, *arguments: str | float) -> list[bytes]:
        """Return the reply of a command that lists members.

        Redis sends it as one string, which is read many times faster than a list.
        """
        with self.commands():
            reply = cast("bytes", self._joined([PREFIX + name], [command, *arguments]))
        return reply.split(b",") if reply else []

    def ids(self, command: str, name: str, *arguments: str | float) -> list[int]:
        """Return the ids that a command lists, sorted."""
        return sorted(map(int, self.joined(command, name, *arguments)))


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Yield the items in lists of at most ``size``."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def watch(batch: Pipeline, *names: str) -> None:
    """Let the transaction of a pipeline fail with WatchError if one of the keys changes before its execution."""
    # The method has no types in redis-py.
    cast("Callable[..., object]", batch.watch)(*(PREFIX + name for name in names))


def add_event(batch: Pipeline, kind: str, record: Mapping[str, Any]) -> None:
    """Add an event to the stream of events."""
    batch.xadd(EVENTS, {"type": kind, "json": json.dumps(record)}, maxlen=EVENTS_KEPT)

"""Calls of transitions over connections that are kept, packed in advance: half the work of a pooled client's call."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from redis import Redis
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from account_limiter.redis import scripts


class Wire:
    """Connections of a client's pool that are kept between calls; thread-safe, and of each process its own.

    A pool makes sure of every connection that it lends. A transition may be repeated, so it is cheaper to send it at
    once and to repeat it when the connection turns out to be dead, as often as the client's ``retry`` says.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool: Any = redis.connection_pool
        self._idle: deque[Any] = deque()
        self._process = os.getpid()

    def run(self, name: str, args: Sequence[str | int]) -> Any:
        """Run a transition; a server that does not know it gets the library. Raises LimiterUnavailable."""
        command = _head(name, len(args)) + _packed(args)
        try:
            connection = self._take()
            try:
                answer = _answer(connection, command)
            except ResponseError:
                self._idle.append(connection)
                raise
            except BaseException:
                # Whatever was on its way must not become the next call's answer.
                connection.disconnect()
                self._pool.release(connection)
                raise
        except (ConnectionError, TimeoutError, ResponseError) as error:
            raise scripts.understood(error) from error
        self._idle.append(connection)
        return answer

    def _take(self) -> Any:
        if self._process != os.getpid():
            # After a fork the connections are the parent's.
            self._idle, self._process = deque(), os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return self._pool.get_connection()


_wires: WeakKeyDictionary[Redis, Wire] = WeakKeyDictionary()


def of(redis: Redis) -> Wire:
    """The wire of a client: one for all of its limiters."""
    wire = _wires.get(redis)
    # Two threads may make one each: the later is kept, and both work.
    return wire or _wires.setdefault(redis, Wire(redis))


def _answer(connection: Any, command: bytes) -> Any:
    try:
        return _ask(connection, command)
    except ResponseError as error:
        if not scripts.is_missing(error):
            raise
    try:
        _ask(connection, _command("FUNCTION", "LOAD", scripts.text()))
    except ResponseError as error:
        if not scripts.is_there(error):
            raise
    return _ask(connection, command)


def _ask(connection: Any, command: bytes) -> Any:
    def ask() -> Any:
        connection.send_packed_command((command,))
        return connection.read_response()

    return connection.retry.call_with_retry(ask, lambda _: connection.disconnect())


@cache
def _head(name: str, args: int) -> bytes:
    """A call of a transition up to its arguments."""
    return _command("FCALL", scripts.function(name), 1, scripts.KEY, more=args)


def _command(*parts: str | int, more: int = 0) -> bytes:
    return b"*%d\r\n" % (len(parts) + more) + _packed(parts)


def _packed(parts: Sequence[str | int]) -> bytes:
    texts = [str(part) for part in parts]
    return "".join([f"${_length(text)}\r\n{text}\r\n" for text in texts]).encode()


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())

"""Calls of transitions over kept connections with prepared commands, at less than half the cost of a pooled call."""

from __future__ import annotations

import builtins
import os
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from redis import Redis
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from account_limiter.redis.library import Library, is_loaded, is_missing, translated
from account_limiter.redis.replies import read_reply


class Wire:
    """Connections of a client's pool that are kept between calls. Thread-safe and safe to fork.

    A pool tests every connection that it lends. A transition may be repeated, so the wire sends it at once and repeats
    it when the connection turns out to be dead, as often as the client's ``retry`` allows.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool: Any = redis.connection_pool
        self._idle: deque[Any] = deque()
        self._process = os.getpid()

    def run(self, library: Library, transition: str, args: Sequence[str | int]) -> Any:
        """Run a transition and return its reply. A server that lacks the library receives it.

        :raises LimiterUnavailable: when Redis is away or cannot write.
        """
        command = _head(library, transition, len(args)) + _packed(args)
        try:
            connection = self._take()
            try:
                reply = _reply(connection, library, command)
            except ResponseError:
                self._idle.append(connection)
                raise
            except BaseException:
                # A reply that is still on its way must not become the reply to the next call.
                connection.disconnect()
                self._pool.release(connection)
                raise
        except (ConnectionError, TimeoutError, ResponseError) as error:
            raise translated(error) from error
        self._idle.append(connection)
        return reply

    def _take(self) -> Any:
        if self._process != os.getpid():
            # After a fork the connections belong to the parent.
            self._idle, self._process = deque(), os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return self._pool.get_connection()


_wires: WeakKeyDictionary[Redis, Wire] = WeakKeyDictionary()


def wire(redis: Redis) -> Wire:
    """Return the wire of a client, shared by all its limiters."""
    known = _wires.get(redis)
    # Two threads may create one each: both work, and the later one is kept.
    return known or _wires.setdefault(redis, Wire(redis))


def _reply(connection: Any, library: Library, command: bytes) -> Any:
    try:
        return _send(connection, command)
    except ResponseError as error:
        if not is_missing(error):
            raise
    try:
        _send(connection, _command("FUNCTION", "LOAD", library.text))
    except ResponseError as error:
        if not is_loaded(error):
            raise
    return _send(connection, command)


def _send(connection: Any, command: bytes) -> Any:
    def send() -> Any:
        if not connection._sock:
            connection.connect()
        try:
            connection._sock.sendall(command)
            return read_reply(connection._sock.recv)
        except builtins.TimeoutError as error:
            raise TimeoutError("Timeout while waiting for Redis") from error
        except OSError as error:
            raise ConnectionError(f"Connection to Redis lost: {error}") from error

    return connection.retry.call_with_retry(send, lambda _: connection.disconnect())


@cache
def _head(library: Library, transition: str, args: int) -> bytes:
    """Return the call of a transition up to its arguments."""
    return _command("FCALL", library.function(transition), 1, library.main_key, more=args)


def _command(*parts: str | int, more: int = 0) -> bytes:
    return b"*%d\r\n" % (len(parts) + more) + _packed(parts)


def _packed(parts: Sequence[str | int]) -> bytes:
    texts = [str(part) for part in parts]
    if "".join(texts).isascii():
        return "".join([f"${len(text)}\r\n{text}\r\n" for text in texts]).encode()
    return "".join([f"${len(text.encode())}\r\n{text}\r\n" for text in texts]).encode()

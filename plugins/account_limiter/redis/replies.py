"""Read replies from the socket of a connection: of RESP 2 and 3, as far as functions of Redis return them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redis.connection import DefaultParser
from redis.exceptions import ConnectionError

_CHUNK = 1 << 16


def read_reply(receive: Callable[[int], bytes]) -> Any:
    """Read the reply to the only command that is on its way.

    :param receive: the ``recv`` of the connection's socket.
    :raises ResponseError: when the reply is an error.
    :raises ConnectionError: when the server closed the connection, or sent something else.
    """
    data = receive(_CHUNK)
    head, _, body = data.partition(b"\r\n")
    # Nearly every reply is one short text or number, which arrives in whole.
    if head[:1] == b"$" and body and int(head[1:]) + 2 == len(body):
        return body[:-2]
    if head[:1] == b":" and not body and len(data) == len(head) + 2:
        return int(head[1:])
    reply = _Reader(receive, data).reply()
    if isinstance(reply, Exception):
        raise reply
    return reply


class _Reader:
    """The part of a reply that has arrived, and the position in it."""

    def __init__(self, receive: Callable[[int], bytes], data: bytes) -> None:
        self._receive = receive
        self._data = data
        self._at = 0
        if not data:
            raise ConnectionError("Connection closed by server.")

    def reply(self) -> Any:
        line = self._line()
        kind, rest = line[:1], line[1:]
        match kind:
            case b"$":
                return self._text(int(rest)) if int(rest) >= 0 else None
            case b":":
                return int(rest)
            case b"*":
                return [self.reply() for _ in range(int(rest))]
            case b"+":
                return rest
            case b"-":
                return DefaultParser.parse_error(rest.decode(errors="replace"))  # type: ignore[no-untyped-call]
            case b"_":
                return None
            case b">":
                # A push message comes before the reply.
                for _ in range(int(rest)):
                    self.reply()
                return self.reply()
            case _:
                raise ConnectionError(f"a reply of an unknown type: {kind!r}")

    def _line(self) -> bytes:
        while (end := self._data.find(b"\r\n", self._at)) < 0:
            self._more()
        line = self._data[self._at : end]
        self._at = end + 2
        return line

    def _text(self, length: int) -> bytes:
        while len(self._data) < self._at + length + 2:
            self._more()
        text = self._data[self._at : self._at + length]
        self._at += length + 2
        return text

    def _more(self) -> None:
        data = self._receive(_CHUNK)
        if not data:
            raise ConnectionError("Connection closed by server.")
        self._data += data

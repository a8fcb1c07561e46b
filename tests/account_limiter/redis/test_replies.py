"""Replies are read in whole, however they arrive."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis.exceptions import ConnectionError, OutOfMemoryError, ResponseError

from account_limiter.redis.library import is_missing
from account_limiter.redis.replies import read_reply

REPLIES: dict[bytes, object] = {
    b"$7\r\nqueued|\r\n": b"queued|",
    b"$4\r\na\r\nb\r\n": b"a\r\nb",
    b"$0\r\n\r\n": b"",
    b"$-1\r\n": None,
    b"_\r\n": None,
    b":-1\r\n": -1,
    b"+OK\r\n": b"OK",
    b"*3\r\n:250\r\n*2\r\n$1\r\na\r\n$2\r\nbc\r\n*0\r\n": [250, [b"a", b"bc"], []],
    b">2\r\n$7\r\nmessage\r\n:1\r\n$2\r\nok\r\n": b"ok",
}


def parts_of(data: bytes, size: int) -> Callable[[int], bytes]:
    """Return a ``recv`` that delivers ``size`` bytes at a time, and nothing at the end."""
    parts = iter([data[at : at + size] for at in range(0, len(data), size)])
    return lambda _: next(parts, b"")


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(("data", "reply"), REPLIES.items())
def test_a_reply_is_the_same_in_one_part_and_in_many(data: bytes, reply: object, size: int) -> None:
    assert read_reply(parts_of(data, size)) == reply


@pytest.mark.parametrize("size", [1, 1000])
def test_an_error_has_the_class_that_the_client_gives_it(size: int) -> None:
    with pytest.raises(OutOfMemoryError):
        read_reply(parts_of(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", size))
    with pytest.raises(ResponseError) as missing:
        read_reply(parts_of(b"-ERR Function not found\r\n", size))
    assert is_missing(missing.value)


@pytest.mark.parametrize("data", [b"", b"$5\r\nab", b"*2\r\n:1\r\n", b":1", b"?\r\n"])
def test_a_connection_that_ends_within_a_reply_is_lost(data: bytes) -> None:
    with pytest.raises(ConnectionError):
        read_reply(parts_of(data, 1000))

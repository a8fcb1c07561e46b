"""The way of streams' pictures from the machines that take them to the API servers, by Redis.

A picture is first kept in the home of its machine, with a mark in the outbox. From there it goes to each API server
with a home of its own. Redis holds few pictures at a time, so a machine sends no more than there is room for, and the
rest waits in its outbox: Redis needs at most 4 MB for each API server, also when a server is away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import cast

from redis import Redis

from streamflow import homes, thumbnails

# At most 200 pictures of 20 KB each.
ROOM = 200
PREFIX = "{streamflow}:pictures:"


def keep(home: Path, stream_id: int, jpeg: bytes) -> None:
    """Replace the picture of a stream, and mark it for the API servers that have another home."""
    thumbnails.save(home, stream_id, jpeg)
    if _servers(home):
        mark = _outbox(home) / str(stream_id)
        mark.parent.mkdir(exist_ok=True)
        mark.touch()


def send(redis: Redis, home: Path) -> int:
    """Send the pictures of the outbox as far as there is room for them; return their number."""
    put = redis.register_script(resources.files("streamflow").joinpath("put_picture.lua").read_text())
    servers, sent = _servers(home), 0
    for mark in _marks(home):
        stream_id = int(mark.name)
        # The mark goes first: a picture that is taken meanwhile makes a new one.
        mark.unlink()
        jpeg = thumbnails.load(home, stream_id)
        if jpeg is None:
            continue
        placed = [put([PREFIX + server], [stream_id, jpeg, ROOM]) for server in servers]
        if not all(placed):
            mark.touch()
            break
        sent += 1
    return sent


def receive(redis: Redis, home: Path) -> int:
    """Take the pictures that other machines have sent to the API server of this home; return their number."""
    key = PREFIX + homes.home_id(home)
    with redis.pipeline() as pipeline:
        pipeline.hgetall(key)
        pipeline.delete(key)
        pictures = cast("dict[bytes, bytes]", pipeline.execute()[0])
    for stream_id, jpeg in pictures.items():
        thumbnails.save(home, int(stream_id), jpeg)
    return len(pictures)


def _servers(home: Path) -> list[str]:
    """Return the ids of the other homes from which an API server shows pictures."""
    mine = homes.home_id(home)
    return [other for other, report in homes.known(home).items() if report.serves and other != mine]


def _marks(home: Path) -> Iterator[Path]:
    """Yield the marks of the outbox, oldest first."""
    marks = []
    with suppress(FileNotFoundError):
        for mark in _outbox(home).iterdir():
            with suppress(FileNotFoundError):
                marks.append((mark.stat().st_mtime, mark))
    return (mark for _, mark in sorted(marks))


def _outbox(home: Path) -> Path:
    return home / "outbox"

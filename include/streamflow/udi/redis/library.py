"""The library in Redis: publishing it in one step, and every look-up of its records."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.client import Pipeline
from redis.exceptions import LockNotOwnedError, RedisError, WatchError
from redis.lock import Lock

from streamflow.errors import UdiUnavailable
from streamflow.records import Account, Channel, Group, Stream
from streamflow.udi.library import Library, Snapshot, text
from streamflow.udi.ports import RefreshReport
from streamflow.udi.publication import Difference, guard, identities, renamed, report
from streamflow.udi.redis import blocks as image
from streamflow.udi.redis.base import GONE, PREFIX, R, RedisRoom, chunks
from streamflow.udi.redis.indexing import Edits
from streamflow.udi.redis.results import RedisResults

log = logging.getLogger(__name__)

# Names of the kinds of records in a library and in its image.
KINDS = {"accounts": "account", "groups": "group", "streams": "stream", "channels": "channel"}
# A refresh that died lets the next one begin after this long; one that goes on renews its right to.
REFRESH_SECONDS = 12
REFRESH_WAITS_SECONDS = 60
# Counts refreshes: one that finds another number than its own has been overtaken.
NUMBER = PREFIX + "refresh:number"


@dataclass(frozen=True)
class Changes:
    """What a refresh finds to do: by kind and record, and by block and index (None: it goes).

    ``read`` is what that was found from, ``renamed`` the streams that came back under another id. ``gone`` has streams
    that leave, by their identities, and ``back`` identities that are there again.
    """

    kinds: dict[str, Difference]
    writes: dict[str, bytes | None]
    read: dict[str, bytes | None]
    renamed: dict[int, int]
    gone: dict[str, int]
    back: list[str]

    @property
    def shared(self) -> list[str]:
        """Those of the blocks to write that an order written back may change meanwhile."""
        return [name for name in self.writes if name.startswith(("channel:", "member:"))]


class RedisLibrary(RedisRoom):
    """Accounts, groups, streams and channels."""

    def publish(self, snapshot: Snapshot, *, max_drop: float = 0.5, force: bool = False) -> RefreshReport:
        library = Library.of(snapshot)
        return self.publish_library(library, max_drop=None if force else max_drop, broken=snapshot.broken)

    def publish_library(
        self,
        library: Library,
        *,
        max_drop: float | None = None,
        broken: Sequence[tuple[str, str]] = (),
        at: datetime | None = None,
    ) -> RefreshReport:
        """As :meth:`publish`, for a library as it is stored; without ``max_drop`` nothing is guarded."""
        started = time.monotonic()
        new = {name: image.blocks(name, getattr(library, kind)) for kind, name in KINDS.items()}
        with self._redis() as redis, self._alone() as number, redis.pipeline(transaction=True) as batch:
            while True:
                changes = self._compare(library, new, max_drop)
                carry = RedisResults(self._client).carrying(changes.renamed)
                batch.watch(NUMBER, *(PREFIX + name for name in changes.shared))
                if int(redis.get(NUMBER) or 0) != number:
                    raise UdiUnavailable("this refresh was overtaken by another: it had been held up for too long")
                if any(value != changes.read[name] for name, value in self._many(changes.shared).items()):
                    batch.reset()
                    continue
                batch.multi()
                _write(batch, changes.writes)
                carry(batch)
                for marks in chunks(changes.back):
                    batch.hdel(GONE, *marks)
                for leaving in chunks(changes.gone.items()):
                    batch.hset(GONE, mapping=dict(leaving))
                batch.set(PREFIX + "refreshed_at", (at or datetime.now(UTC)).isoformat())
                try:
                    batch.execute()
                    break
                except WatchError:
                    continue
        return report(changes.kinds, list(broken), started)

    @contextmanager
    def _alone(self) -> Iterator[int]:
        """The right to publish, renewed until the end; its number, which grows with each that is given."""
        with self._redis() as redis:
            lock = redis.lock(PREFIX + "refresh", timeout=REFRESH_SECONDS, thread_local=False)
            if not lock.acquire(blocking_timeout=REFRESH_WAITS_SECONDS):
                raise UdiUnavailable(f"another refresh has not ended for {REFRESH_WAITS_SECONDS} s")
            ended = threading.Event()
            renewal = threading.Thread(target=_renew, args=(lock, ended), name="refresh-renewal", daemon=True)
            renewal.start()
            try:
                yield redis.incr(NUMBER)
            finally:
                ended.set()
                renewal.join()
                # It may be somebody else's by now, and ends by itself.
                with suppress(LockNotOwnedError):
                    lock.release()

    def _compare(self, library: Library, new: dict[str, dict[str, bytes]], max_drop: float | None) -> Changes:
        """How the library that is there becomes the new one, given in blocks too; raises SourceError by the guard."""
        known = {name: image.unpacked(self._get(f"{name}s")) for name in ("stream", "channel")}
        kinds: dict[str, Difference] = {}
        former: dict[str, dict[int, bytes]] = {}
        writes: dict[str, bytes | None] = {}
        read: dict[str, bytes | None] = {}
        for kind, name in KINDS.items():
            before = image.names(name, known[name]) if name in known else [name]
            there = self._many(dict.fromkeys([*before, *new[name]]))
            kinds[kind], former[kind], changed = image.compared(there, new[name])
            writes |= changed
            read |= there
        streams, channels = kinds["streams"], kinds["channels"]
        if max_drop is not None:
            guard(len(known["stream"]), len(streams.removed), max_drop)
        removed = [Stream.model_validate_json(former["streams"][key]) for key in streams.removed]
        changed_before = (Stream.model_validate_json(former["streams"][key]) for key in streams.changed)
        channels_before = (former["channels"][key] for key in (*channels.removed, *channels.changed))
        edits = Edits()
        edits.streams((*removed, *changed_before), there=False)
        edits.streams(map(library.stream, streams.written), there=True)
        edits.channels(map(Channel.model_validate_json, channels_before), there=False)
        edits.channels(map(library.channel, channels.written), there=True)
        indexes = self._many(edits.names)
        gone = self._gone(map(library.stream, streams.added))
        returned = renamed(removed, map(library.stream, streams.added), gone)
        left = RedisResults(self._client).checked_of(set(streams.removed) - set(returned.values()))
        return Changes(
            kinds=kinds,
            writes=writes | edits.apply(indexes),
            read=read | indexes,
            renamed=returned,
            gone={mark: stream.id for stream in removed if stream.id in left for mark in identities(stream)},
            back=list(gone),
        )

    def _gone(self, added: Iterable[Stream]) -> dict[str, int]:
        """Those of the added streams' identities that streams which left the library had, with their ids."""
        found: dict[str, int] = {}
        with self._redis() as redis:
            if not redis.exists(GONE):
                return found
            for marks in chunks(mark for stream in added for mark in identities(stream)):
                ids = redis.hmget(GONE, marks)
                found.update((mark, int(old)) for mark, old in zip(marks, ids, strict=True) if old is not None)
        return found

    def refill_gone(self, gone: Mapping[str, int]) -> None:
        """Take over the ids of streams that left the library, by their identities."""
        with self._redis() as redis:
            for some in chunks(gone.items()):
                redis.hset(GONE, mapping=dict(some))

    def refreshed_at(self) -> datetime | None:
        with self._redis() as redis:
            found = redis.get(PREFIX + "refreshed_at")
        return datetime.fromisoformat(found.decode()) if found else None

    def accounts(self) -> list[Account]:
        return [Account.model_validate_json(value) for _, value in image.read(self._get("account"))]

    def account(self, account_id: int) -> Account | None:
        found = image.find(self._get("account"), account_id)
        return Account.model_validate_json(found) if found else None

    def groups(self) -> list[Group]:
        return [Group.model_validate_json(value) for _, value in image.read(self._get("group"))]

    def stream(self, stream_id: int) -> Stream | None:
        found = image.find(self._get(image.block("stream", stream_id)), stream_id)
        return Stream.model_validate_json(found) if found else None

    def streams(self, stream_ids: Iterable[int]) -> dict[int, Stream]:
        return self._records("stream", Stream, stream_ids)

    def stream_ids(self) -> list[int]:
        return image.unpacked(self._get("streams"))

    def streams_of_account(self, account_id: int) -> list[int]:
        return image.unpacked(self._get(f"account:{account_id}:streams"))

    def streams_of_group(self, group_id: int) -> list[int]:
        return image.unpacked(self._get(f"group:{group_id}:streams"))

    def streams_of_url(self, url_hash: str) -> list[int]:
        name, line = image.url_line(url_hash)
        return image.unlisted(image.find(self._get(name), line))

    def _url_lines(self) -> Iterator[tuple[bytes, list[int]]]:
        """The index of URLs, in whole: the digits of a hash that it keeps, and the streams."""
        for names in chunks(image.url_blocks()):
            for name, block in self._many(names).items():
                start = image.url_digits(name)
                yield from ((start + line, image.unlisted(ids)) for line, ids in image.read(block))

    def channel(self, channel_id: int) -> Channel | None:
        found = image.find(self._get(image.block("channel", channel_id)), channel_id)
        return Channel.model_validate_json(found) if found else None

    def channels(self, channel_ids: Iterable[int] | None = None) -> list[Channel]:
        wanted = image.unpacked(self._get("channels")) if channel_ids is None else channel_ids
        found = self._records("channel", Channel, wanted)
        return [found[key] for key in sorted(found)]

    def channels_of_group(self, group_id: int) -> list[int]:
        return image.unpacked(self._get(f"group:{group_id}:channels"))

    def channels_of_stream(self, stream_id: int) -> list[int]:
        return image.unlisted(image.find(self._get(image.block("member", stream_id)), stream_id))

    def reorder(self, channel_id: int, stream_ids: Sequence[int]) -> None:
        order = tuple(stream_ids)
        name = image.block("channel", channel_id)

        def change(batch: Any) -> None:
            lines = dict(image.read(batch.get(PREFIX + name)))
            line = str(channel_id).encode()
            channel = Channel.model_validate_json(lines[line]) if line in lines else None
            if channel is None or channel.stream_ids == order:
                batch.multi()
                return
            edits = Edits()
            edits.members(channel_id, set(channel.stream_ids) - set(order), there=False)
            edits.members(channel_id, set(order) - set(channel.stream_ids), there=True)
            if edits.names:
                batch.watch(*(PREFIX + index for index in edits.names))
            writes = edits.apply({index: batch.get(PREFIX + index) for index in edits.names})
            lines[line] = text(channel.model_copy(update={"stream_ids": order})).encode()
            batch.multi()
            _write(batch, writes | {name: image.written(lines)})

        with self._redis() as redis:
            redis.transaction(change, PREFIX + name)

    def _get(self, name: str) -> bytes | None:
        with self._redis() as redis:
            found: bytes | None = redis.get(PREFIX + name)
        return found

    def _many(self, names: Iterable[str]) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        with self._redis() as redis:
            for chunk in chunks(names):
                found.update(zip(chunk, redis.mget([PREFIX + name for name in chunk]), strict=True))
        return found

    def _records(self, kind: str, model: type[R], ids: Iterable[int]) -> dict[int, R]:
        wanted = list(ids)
        blocks = self._many(image.names(kind, wanted))
        texts = ((key, image.find(blocks[image.block(kind, key)], key)) for key in wanted)
        return {key: model.model_validate_json(found) for key, found in texts if found is not None}


def _renew(lock: Lock, ended: threading.Event) -> None:
    while not ended.wait(REFRESH_SECONDS / 4):
        try:
            lock.reacquire()
        except RedisError as error:
            log.warning("the right to publish could not be renewed: %s", error)


def _write(batch: Pipeline, writes: Mapping[str, bytes | None]) -> None:
    for chunk in chunks((name, value) for name, value in writes.items() if value is not None):
        batch.mset({PREFIX + name: value for name, value in chunk})
    for gone in chunks(PREFIX + name for name, value in writes.items() if value is None):
        batch.unlink(*gone)

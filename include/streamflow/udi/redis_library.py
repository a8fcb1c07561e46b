"""The library in Redis: publishing it in one step, and every look-up of its records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from redis.client import Pipeline

from streamflow.udi import image
from streamflow.udi.image import Image
from streamflow.udi.library import Library, text
from streamflow.udi.models import Account, Channel, Group, Stream
from streamflow.udi.publication import guard, renamed, report
from streamflow.udi.redis_results import RedisResults
from streamflow.udi.redis_room import PREFIX, R, RedisRoom, chunks
from streamflow.udi.store import RefreshReport, Snapshot

# A refresh that died lets the next one begin after this long; none takes longer.
REFRESH_SECONDS = 120
REFRESH_WAITS_SECONDS = 60
# Names of the image's keys, so that the next refresh finds what is there.
CATALOGUE = PREFIX + "catalogue"
KINDS = {"accounts": "account", "groups": "group", "streams": "stream", "channels": "channel"}


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
        new = image.draw(library)
        lock_name = PREFIX + "refresh"
        with (
            self._redis() as redis,
            redis.lock(lock_name, timeout=REFRESH_SECONDS, blocking_timeout=REFRESH_WAITS_SECONDS),
        ):
            old = self._image(new)
            compared = {kind: image.compared(name, old, new) for kind, name in KINDS.items()}
            kinds = {kind: found for kind, (found, _) in compared.items()}
            if max_drop is not None:
                guard(len(image.unpacked(old.get("streams"))), len(kinds["streams"].removed), max_drop)
            carry = self._carrier(library, kinds["streams"].added, compared["streams"][1])
            with redis.pipeline(transaction=True) as batch:
                for chunk in chunks(name for name, value in new.items() if old.get(name) != value):
                    batch.mset({PREFIX + name: new[name] for name in chunk})
                for chunk in chunks(PREFIX + name for name in old if name not in new):
                    batch.unlink(*chunk)
                batch.set(CATALOGUE, "\n".join(new))
                batch.set(PREFIX + "refreshed_at", (at or datetime.now(UTC)).isoformat())
                carry(batch)
                batch.execute()
        return report(kinds, list(broken), started)

    def _image(self, new: Image) -> Image:
        """What is there now, under every name of the last image and of the new one."""
        with self._redis() as redis:
            catalogue = redis.get(CATALOGUE)
            names = dict.fromkeys([*(catalogue.decode().split("\n") if catalogue else ()), *new])
            if not catalogue:
                return {}
            found: Image = {}
            for chunk in chunks(names):
                values = redis.mget([PREFIX + name for name in chunk])
                found.update((name, value) for name, value in zip(chunk, values, strict=True) if value is not None)
        return found

    def _carrier(self, library: Library, added: list[int], removed: Mapping[str, bytes]) -> Callable[[Pipeline], None]:
        """What lets streams that came back under another id keep their results, as a part of the transaction."""
        if not added or not removed:
            return lambda _: None
        gone = map(Stream.model_validate_json, removed.values())
        new = (Stream.model_validate_json(library.streams[key].text) for key in added)
        return RedisResults(self._client).carrying(renamed(gone, new))

    def refreshed_at(self) -> datetime | None:
        with self._redis() as redis:
            found = redis.get(PREFIX + "refreshed_at")
        return datetime.fromisoformat(found.decode()) if found else None

    def accounts(self) -> list[Account]:
        return [Account.model_validate_json(value) for _, value in image.read(self._get("account") or b"")]

    def account(self, account_id: int) -> Account | None:
        found = image.find(self._get("account"), account_id)
        return Account.model_validate_json(found) if found else None

    def groups(self) -> list[Group]:
        return [Group.model_validate_json(value) for _, value in image.read(self._get("group") or b"")]

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
        name, line = image.url_block(url_hash)
        return image.unlisted(image.find(self._get(name), line))

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
        key = PREFIX + image.block("channel", channel_id)

        def change(batch: Any) -> None:
            lines = _lines(batch.get(key))
            found = lines.get(str(channel_id))
            channel = Channel.model_validate_json(found) if found else None
            touched = set(channel.stream_ids) ^ set(order) if channel else set()
            names = {PREFIX + image.block("member", stream) for stream in touched}
            if names:
                batch.watch(*names)
            blocks = {name: _lines(batch.get(name)) for name in names}
            batch.multi()
            if channel is None or channel.stream_ids == order:
                return
            lines[str(channel_id)] = text(channel.model_copy(update={"stream_ids": order}))
            for stream in touched:
                members = blocks[PREFIX + image.block("member", stream)]
                inside = set(map(int, filter(None, members.pop(str(stream), "").split(",")))) - {channel_id}
                if stream in order:
                    inside.add(channel_id)
                if inside:
                    members[str(stream)] = image.listed(sorted(inside))
            for name, found_lines in {key: lines, **blocks}.items():
                batch.set(name, image.written(found_lines.items()))

        with self._redis() as redis:
            redis.transaction(change, key)

    def _get(self, name: str) -> bytes | None:
        with self._redis() as redis:
            found: bytes | None = redis.get(PREFIX + name)
        return found

    def _records(self, kind: str, model: type[R], ids: Iterable[int]) -> dict[int, R]:
        wanted = list(ids)
        names = dict.fromkeys(image.block(kind, key) for key in wanted)
        blocks: dict[str, bytes | None] = {}
        with self._redis() as redis:
            for chunk in chunks(names):
                blocks.update(zip(chunk, redis.mget([PREFIX + name for name in chunk]), strict=True))
        texts = ((key, image.find(blocks[image.block(kind, key)], key)) for key in wanted)
        return {key: model.model_validate_json(found) for key, found in texts if found is not None}


def _lines(value: bytes | None) -> dict[str, str]:
    return {key.decode(): line.decode() for key, line in image.read(value or b"")}

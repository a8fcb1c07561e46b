"""The library in Redis: every look-up of its records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel
from redis.client import Pipeline

from streamflow.records import Account, Channel, Group, Stream
from streamflow.udi.redis import blocks
from streamflow.udi.redis.connection import Connection, chunks, watch
from streamflow.udi.redis.indexing import Edits
from streamflow.udi.redis.keys import PREFIX
from streamflow.udi.snapshot import LibraryTexts, to_json

R = TypeVar("R", bound=BaseModel)
# The number of written orders.
ORDERS = "orders"


class RedisLibrary:
    """Implements :class:`~streamflow.udi.ports.Library`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def refreshed_at(self) -> datetime | None:
        """Return the time of the last refresh."""
        at = self._connection.get("refreshed_at")
        return datetime.fromisoformat(at.decode()) if at else None

    def accounts(self) -> list[Account]:
        """Return all accounts."""
        lines = blocks.read(self._connection.get("account"))
        return [Account.model_validate_json(text) for _, text in lines]

    def account(self, account_id: int) -> Account | None:
        """Return one account."""
        text = blocks.find(self._connection.get("account"), account_id)
        return Account.model_validate_json(text) if text else None

    def groups(self) -> list[Group]:
        """Return all groups."""
        lines = blocks.read(self._connection.get("group"))
        return [Group.model_validate_json(text) for _, text in lines]

    def stream(self, stream_id: int) -> Stream | None:
        """Return one stream."""
        text = blocks.find(self._connection.get(blocks.name_of("stream", stream_id)), stream_id)
        return Stream.model_validate_json(text) if text else None

    def streams(self, stream_ids: Iterable[int]) -> dict[int, Stream]:
        """Return the known streams among ``stream_ids``, by id."""
        return self._records("stream", Stream, stream_ids)

    def stream_ids(self) -> list[int]:
        """Return the ids of all streams."""
        return blocks.unpacked(self._connection.get("streams"))

    def streams_of_account(self, account_id: int) -> list[int]:
        """Return the ids of an account's streams."""
        return blocks.unpacked(self._connection.get(f"account:{account_id}:streams"))

    def streams_of_group(self, group_id: int) -> list[int]:
        """Return the ids of a group's streams."""
        return blocks.unpacked(self._connection.get(f"group:{group_id}:streams"))

    def streams_of_url(self, url_hash: str) -> list[int]:
        """Return the ids of the streams that have a URL."""
        return self.streams_of_urls([url_hash]).get(url_hash, [])

    def streams_of_urls(self, url_hashes: Iterable[str]) -> dict[str, list[int]]:
        """Return the ids of the streams that have each of some URLs."""
        lines = {url_hash: blocks.url_line(url_hash) for url_hash in url_hashes}
        texts = self._connection.get_many({name for name, _ in lines.values()})
        found = {url_hash: blocks.unlisted(blocks.find(texts[name], line)) for url_hash, (name, line) in lines.items()}
        return {url_hash: ids for url_hash, ids in found.items() if ids}

    def channel(self, channel_id: int) -> Channel | None:
        """Return one channel with its streams in order."""
        text = blocks.find(self._connection.get(blocks.name_of("channel", channel_id)), channel_id)
        return Channel.model_validate_json(text) if text else None

    def channels(self, channel_ids: Iterable[int] | None = None) -> list[Channel]:
        """Return the known channels among ``channel_ids`` (None: all channels), ordered by id."""
        wanted = blocks.unpacked(self._connection.get("channels")) if channel_ids is None else channel_ids
        channels = self._records("channel", Channel, wanted)
        return [channels[key] for key in sorted(channels)]

    def channels_of_group(self, group_id: int) -> list[int]:
        """Return the ids of a group's channels."""
        return blocks.unpacked(self._connection.get(f"group:{group_id}:channels"))

    def channels_of_stream(self, stream_id: int) -> list[int]:
        """Return the ids of the channels that hold a stream."""
        return blocks.unlisted(blocks.find(self._connection.get(blocks.name_of("member", stream_id)), stream_id))

    def reorder(self, channel_id: int, stream_ids: Sequence[int]) -> None:
        """Replace the streams of a channel by an order that was written to the source."""
        order = tuple(stream_ids)
        name = blocks.name_of("channel", channel_id)

        def change(batch: Pipeline) -> None:
            lines = dict(blocks.read(self._connection.get(name)))
            line = str(channel_id).encode()
            channel = Channel.model_validate_json(lines[line]) if line in lines else None
            if channel is None or channel.stream_ids == order:
                batch.multi()
                return
            edits = Edits()
            edits.members(channel_id, set(channel.stream_ids) - set(order), is_present=False)
            edits.members(channel_id, set(order) - set(channel.stream_ids), is_present=True)
            if edits.names:
                watch(batch, *edits.names)
            writes = edits.apply(self._connection.get_many(edits.names))
            lines[line] = to_json(channel.model_copy(update={"stream_ids": order})).encode()
            batch.multi()
            batch.incr(PREFIX + ORDERS)
            write(batch, writes | {name: blocks.written(lines)})

        with self._connection.commands() as redis:
            redis.transaction(change, PREFIX + name)

    def orders(self) -> int:
        """Return the number of orders that were written so far."""
        return int(self._connection.get(ORDERS) or 0)

    def texts(self) -> LibraryTexts:
        """Return the whole library. A refresh meanwhile may mix two libraries."""
        return LibraryTexts(
            accounts=_texts([self._connection.get("account")]),
            groups=_texts([self._connection.get("group")]),
            streams=_texts(self._blocks("stream")),
            channels=_texts(self._blocks("channel")),
        )

    def _blocks(self, kind: str) -> Iterable[bytes | None]:
        ids = blocks.unpacked(self._connection.get(f"{kind}s"))
        return self._connection.get_many(sorted(blocks.names_of(kind, ids))).values()

    def _records(self, kind: str, model: type[R], ids: Iterable[int]) -> dict[int, R]:
        wanted = list(ids)
        texts = self._connection.get_many(blocks.names_of(kind, wanted))
        lines = ((key, blocks.find(texts[blocks.name_of(kind, key)], key)) for key in wanted)
        return {key: model.model_validate_json(text) for key, text in lines if text is not None}


def _texts(stored: Iterable[bytes | None]) -> dict[int, bytes]:
    return {int(key): text for block in stored for key, text in blocks.read(block)}


def write(batch: Pipeline, writes: Mapping[str, bytes | None]) -> None:
    """Add the writing of blocks to a transaction; None deletes a block."""
    for chunk in chunks((name, text) for name, text in writes.items() if text is not None):
        batch.mset({PREFIX + name: text for name, text in chunk})
    for names in chunks(PREFIX + name for name, text in writes.items() if text is None):
        batch.unlink(*names)

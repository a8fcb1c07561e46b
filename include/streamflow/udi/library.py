"""The library as stores keep it: each record once as text, beside what its indexes need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pydantic import BaseModel

from streamflow.udi.models import Stream
from streamflow.udi.store import Snapshot


class StreamRow(NamedTuple):
    """``url_hash`` is empty for a stream without a URL: nothing is found by that."""

    account_id: int | None
    group_id: int | None
    url_hash: str
    text: str


class ChannelRow(NamedTuple):
    group_id: int | None
    stream_ids: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class Library:
    """Records by kind and id. Equal records have equal text, so that comparing needs no parsing."""

    accounts: dict[int, str]
    groups: dict[int, str]
    streams: dict[int, StreamRow]
    channels: dict[int, ChannelRow]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Library:
        return cls(
            accounts={account.id: text(account) for account in snapshot.accounts},
            groups={group.id: text(group) for group in snapshot.groups},
            streams={stream.id: _stream_row(stream) for stream in snapshot.streams},
            channels={c.id: ChannelRow(c.group_id, c.stream_ids, text(c)) for c in snapshot.channels},
        )


def text(record: BaseModel) -> str:
    """A record as stored: JSON in one line, without what is as by default."""
    return record.model_dump_json(exclude_defaults=True)


def _stream_row(stream: Stream) -> StreamRow:
    return StreamRow(stream.account_id, stream.group_id, stream.url_hash if stream.url else "", text(stream))

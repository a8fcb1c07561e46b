"""The library as stores keep it: each record as text, by kind and id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel, TypeAdapter

from streamflow.udi.models import Account, Channel, Group, Stream
from streamflow.udi.store import Snapshot


@dataclass(frozen=True)
class Library:
    """Records by kind and id. Equal records have equal text, so that comparing needs no parsing."""

    accounts: dict[int, bytes]
    groups: dict[int, bytes]
    streams: dict[int, bytes]
    channels: dict[int, bytes]
    # Streams that need not be parsed again.
    _known: dict[int, Stream] = field(default_factory=dict)

    @classmethod
    def of(cls, snapshot: Snapshot) -> Library:
        return cls(
            accounts=_texts(Account, snapshot.accounts),
            groups=_texts(Group, snapshot.groups),
            streams=_texts(Stream, snapshot.streams),
            channels=_texts(Channel, snapshot.channels),
            _known={stream.id: stream for stream in snapshot.streams},
        )

    def stream(self, key: int) -> Stream:
        return self._known.get(key) or Stream.model_validate_json(self.streams[key])

    def channel(self, key: int) -> Channel:
        return Channel.model_validate_json(self.channels[key])


def text(record: BaseModel) -> str:
    """A record as stored: JSON in one line, without what is as by default."""
    return record.model_dump_json(exclude_defaults=True)


def _texts(kind: type[BaseModel], records: Iterable[BaseModel]) -> dict[int, bytes]:
    # As `text`; for a hundred thousand records the way through their methods takes twice as long.
    dump = TypeAdapter(kind).serializer.to_json
    return {record.id: dump(record, exclude_defaults=True) for record in records}  # type: ignore[attr-defined]

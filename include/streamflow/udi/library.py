"""The library as sources make it and stores keep it: each record as text, by kind and id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from pydantic import BaseModel, TypeAdapter

from streamflow.records import Account, Channel, Group, Stream

R = TypeVar("R", Account, Group, Stream, Channel)


class Records(Generic[R]):
    """Records of one kind in the order they were added, kept as text: a fifth of what they take as objects.

    A record of an id that is there already takes its place.
    """

    def __init__(self, kind: type[R], records: Iterable[R] = ()) -> None:
        self._adapter: TypeAdapter[R] = TypeAdapter(kind)
        # Straight to the serializer: for a hundred thousand records the way through their methods takes twice as long.
        self._dump: Callable[..., bytes] = self._adapter.serializer.to_json
        self.texts: dict[int, bytes] = {}
        self.add(records)

    def add(self, records: Iterable[R]) -> None:
        self.texts.update((record.id, self._dump(record, exclude_defaults=True)) for record in records)

    def __iter__(self) -> Iterator[R]:
        return map(self._adapter.validate_json, self.texts.values())

    def __len__(self) -> int:
        return len(self.texts)


Many: TypeAlias = Records[R] | Sequence[R]


@dataclass(frozen=True)
class Snapshot:
    """Everything a source has, in whole: what a refresh publishes in one step."""

    accounts: Many[Account]
    groups: Many[Group]
    streams: Many[Stream]
    channels: Many[Channel]
    # Records the source sent that could not be read: (kind and id, why).
    broken: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Library:
    """Texts by kind and id. Equal records have equal text, so that comparing needs no parsing."""

    accounts: dict[int, bytes]
    groups: dict[int, bytes]
    streams: dict[int, bytes]
    channels: dict[int, bytes]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Library:
        return cls(
            accounts=_texts(Account, snapshot.accounts),
            groups=_texts(Group, snapshot.groups),
            streams=_texts(Stream, snapshot.streams),
            channels=_texts(Channel, snapshot.channels),
        )

    def stream(self, key: int) -> Stream:
        return Stream.model_validate_json(self.streams[key])

    def channel(self, key: int) -> Channel:
        return Channel.model_validate_json(self.channels[key])


def text(record: BaseModel) -> str:
    """A record as stored: JSON in one line, without what is as by default."""
    return record.model_dump_json(exclude_defaults=True)


def _texts(kind: type[R], records: Many[R]) -> dict[int, bytes]:
    return records.texts if isinstance(records, Records) else Records(kind, records).texts

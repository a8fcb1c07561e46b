"""What a refresh changes: the difference of two libraries, and the guard against a library that shrank."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from streamflow.errors import SourceError
from streamflow.records import Stream
from streamflow.udi.ports import RefreshReport

T = TypeVar("T")

# Small libraries change by large shares; the guard is for the others.
GUARDED_FROM = 100


@dataclass
class Difference:
    """Ids of one kind of record, by what is to be done with them."""

    added: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)

    @property
    def written(self) -> list[int]:
        return self.added + self.changed


def difference(before: Mapping[int, T], after: Mapping[int, T]) -> Difference:
    """How ``before`` becomes ``after``; both by id."""
    found = Difference(removed=[key for key in before if key not in after])
    for key, record in after.items():
        if key not in before:
            found.added.append(key)
        elif before[key] != record:
            found.changed.append(key)
    return found


def guard(before: int, removed: int, max_drop: float) -> None:
    """Refuse a library that lost more than the share ``max_drop`` of its streams; raises SourceError."""
    if before >= GUARDED_FROM and removed > before * max_drop:
        raise SourceError(
            f"the source would drop {removed} of {before} streams; nothing was changed. "
            "If that is right, run refresh_udi with force"
        )


def renamed(removed: Iterable[Stream], added: Iterable[Stream], gone: Mapping[str, int]) -> dict[int, int]:
    """Added streams that are former ones under another id: new id to old id.

    They are the same when their account has the same provider id or the same URL for both.

    :param removed: streams that are in the library before and not after.
    :param gone: ids of streams that left it earlier, by :func:`identities`.
    """
    former = dict(gone)
    for stream in removed:
        former.update(dict.fromkeys(identities(stream), stream.id))
    found: dict[int, int] = {}
    if not former:
        return found
    for stream in added:
        old = next((former[identity] for identity in identities(stream) if identity in former), None)
        if old is not None and old != stream.id:
            found[stream.id] = old
    return found


def identities(stream: Stream) -> list[str]:
    """What a stream is known by when its id has changed, as digests, since URLs hold passwords."""
    marks = [f"provider:{stream.provider_id}"] if stream.provider_id else []
    marks += [f"url:{stream.url}"] if stream.url else []
    return [hashlib.sha256(f"{stream.account_id}\n{mark}".encode()).hexdigest()[:24] for mark in marks]


def report(kinds: Mapping[str, Difference], broken: list[tuple[str, str]], started: float) -> RefreshReport:
    """The report of a refresh that ``started`` at this reading of the monotonic clock."""
    return RefreshReport(
        added={name: len(kind.added) for name, kind in kinds.items()},
        changed={name: len(kind.changed) for name, kind in kinds.items()},
        removed={name: len(kind.removed) for name, kind in kinds.items()},
        broken=broken,
        elapsed_s=round(time.monotonic() - started, 3),
    )

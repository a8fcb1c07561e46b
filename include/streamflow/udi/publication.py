"""The changes of a refresh: the difference of two libraries, and the check that a library did not shrink too far."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from streamflow.errors import SourceError
from streamflow.records import Stream
from streamflow.udi.ports import RefreshReport
from streamflow.udi.snapshot import LibraryTexts

T = TypeVar("T")

# In a smaller library new addresses for the same streams, as a new token brings them, are no loss.
LARGE_LIBRARY = 100


@dataclass
class Difference:
    """The ids of the added, changed and removed records of one kind."""

    added: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)

    @property
    def written(self) -> list[int]:
        """The ids of the records to write: the added and the changed ones."""
        return self.added + self.changed


def difference(before: Mapping[int, T], after: Mapping[int, T]) -> Difference:
    """Return the difference between two mappings of records by id."""
    result = Difference(removed=[key for key in before if key not in after])
    for key, record in after.items():
        if key not in before:
            result.added.append(key)
        elif before[key] != record:
            result.changed.append(key)
    return result


def check_drop(before: Collection[int], after: Collection[int], max_drop: float) -> None:
    """Check that a refresh does not lose too many streams.

    In a library of at least 100 streams each removed stream is lost. In a smaller one added streams make up for
    removed ones.

    :param before: the ids of the streams before the refresh.
    :param after: the ids of the streams after it.
    :param max_drop: the largest allowed share of lost streams.
    :raises SourceError: if the share is larger.
    """
    is_large = len(before) >= LARGE_LIBRARY
    lost = len(set(before).difference(after)) if is_large else len(before) - len(after)
    if lost > len(before) * max_drop:
        raise SourceError(
            f"the source would drop {lost} of {len(before)} streams; nothing was changed. "
            "If that is right, run refresh_udi with force"
        )


def renamed(removed: Iterable[Stream], added: Iterable[Stream], gone: Mapping[str, int]) -> dict[int, int]:
    """Return the added streams that are former streams under another id.

    Two streams are the same when their account and either their provider id or their URL are equal.

    :param removed: the streams that this refresh removes.
    :param added: the streams that this refresh adds.
    :param gone: the ids of streams that earlier refreshes removed, by :func:`identities`.
    :returns: the former id by new id.
    """
    former = dict(gone)
    for stream in removed:
        former.update(dict.fromkeys(identities(stream), stream.id))
    former_ids: dict[int, int] = {}
    if not former:
        return former_ids
    for stream in added:
        former_id = next((former[identity] for identity in identities(stream) if identity in former), None)
        if former_id is not None and former_id != stream.id:
            former_ids[stream.id] = former_id
    return former_ids


def brought_back(
    streams: Difference, former: Mapping[int, bytes], former_ids: Mapping[int, int], library: LibraryTexts
) -> list[int]:
    """Return the streams that a refresh brings, or brings back after an earlier refresh missed them.

    Dispatcharr keeps a stream that left its provider for some days, and marks it as stale.

    :param former: the former texts of the changed streams.
    :param former_ids: the former id of streams with a new id.
    """
    removed = set(streams.removed)
    added = [key for key in streams.added if former_ids.get(key) not in removed]
    changed = [key for key in streams.changed if Stream.model_validate_json(former[key]).is_stale]
    return [*added, *(key for key in changed if not library.stream(key).is_stale)]


def identities(stream: Stream) -> list[str]:
    """Return the digests that identify a stream when its id has changed.

    There is one digest for the provider id and one for the URL. They are digests because URLs contain passwords.
    """
    marks = [f"provider:{stream.provider_id}"] if stream.provider_id else []
    marks += [f"url:{stream.url}"] if stream.url else []
    return [hashlib.sha256(f"{stream.account_id}\n{mark}".encode()).hexdigest()[:24] for mark in marks]


def report(kinds: Mapping[str, Difference], broken: list[tuple[str, str]], started: float) -> RefreshReport:
    """Return the report of a refresh.

    :param kinds: the difference of each kind of record.
    :param broken: the records that could not be read.
    :param started: the reading of the monotonic clock at the start.
    """
    return RefreshReport(
        added={name: len(kind.added) for name, kind in kinds.items()},
        changed={name: len(kind.changed) for name, kind in kinds.items()},
        removed={name: len(kind.removed) for name, kind in kinds.items()},
        broken=broken,
        elapsed_s=round(time.monotonic() - started, 3),
    )

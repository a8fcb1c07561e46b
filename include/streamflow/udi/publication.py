"""What a refresh changes: the difference of two libraries, and the guard against a library that shrank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel

from streamflow.errors import SourceError

R = TypeVar("R", bound=BaseModel)

# Small libraries change by large shares; the guard is for the others.
GUARDED_FROM = 100


@dataclass
class Difference(Generic[R]):
    """Records of one kind, by what is to be done with them."""

    added: list[R] = field(default_factory=list)
    changed: list[R] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)

    @property
    def written(self) -> list[R]:
        return self.added + self.changed


def difference(before: Mapping[int, R], after: Mapping[int, R]) -> Difference[R]:
    """How ``before`` becomes ``after``; records are keyed by id."""
    found: Difference[R] = Difference(removed=[key for key in before if key not in after])
    for key, record in after.items():
        old = before.get(key)
        if old is None:
            found.added.append(record)
        elif old != record:
            found.changed.append(record)
    return found


def guard(before: int, removed: int, max_drop: float, force: bool) -> None:
    """Refuse a library that lost more than the share ``max_drop`` of its streams; raises SourceError."""
    if not force and before >= GUARDED_FROM and removed > before * max_drop:
        raise SourceError(
            f"the source would drop {removed} of {before} streams; nothing was changed. "
            "If that is right, run refresh_udi with force"
        )

"""The base of every record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable record.

    Unknown fields are ignored, so that older code can read newer records.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values, which are validated like those of a new record."""
        if update is None:
            return super().model_copy(deep=deep)
        return type(self).model_validate(dict(self) | dict(update))

"""The base of every record."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter


class Record(BaseModel):
    """An immutable record.

    Unknown fields are ignored, so that older code can read newer records.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values, which are validated like those of a new record."""
        values = {name: _field(type(self), name).validate_python(value) for name, value in (update or {}).items()}
        return super().model_copy(update=values, deep=deep)


def prepare(record: type[Record]) -> None:
    """Build the validators of a record's fields, which processes that are forked later then share."""
    for name in record.model_fields:
        _field(record, name)


@cache
def _field(record: type[BaseModel], name: str) -> TypeAdapter[Any]:
    """Return the type of one field of a record."""
    field = record.model_fields[name]
    kind: Any = field.annotation
    for metadata in field.metadata:
        kind = Annotated[kind, metadata]
    return TypeAdapter(kind)

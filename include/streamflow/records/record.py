"""The base of every record."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable record.

    Unknown fields are ignored, so that older code can read newer records.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

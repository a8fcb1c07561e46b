"""The base of every record."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable record; fields it does not know are ignored, so that older code reads newer records."""

    model_config = ConfigDict(frozen=True, extra="ignore")

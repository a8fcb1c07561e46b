"""``/me``: the caller and its rights, so that the page shows only what it may do."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from stream_checker.http.access import ReadingUser, may_edit
from stream_checker.http.problems import responses

router = APIRouter(prefix="/me", tags=["access"])


class Caller(BaseModel):
    """The caller and its rights."""

    name: str = Field(description="Name of the user")
    may_edit: bool = Field(description="Whether the user may change settings, and start and stop checks")


@router.get("", responses=responses(401, 403))
def get_caller(user: ReadingUser) -> Caller:
    """Return the name of the caller, and whether it may change anything."""
    return Caller(name=user.get_name(), may_edit=may_edit(user))

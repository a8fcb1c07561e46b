"""``/groups``: the groups of streams and channels."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from stream_checker.http.access import Reader
from stream_checker.http.problems import responses
from stream_checker.resources import OpenStore
from streamflow.records import Group

router = APIRouter(tags=["channels"], dependencies=[Reader])


class GroupList(BaseModel):
    """All groups."""

    groups: list[Group] = Field(description="Groups in the order of their names")


@router.get("/groups", responses=responses(401, 403, 503))
def list_groups(store: OpenStore) -> GroupList:
    """Return all groups in the order of their names."""
    return GroupList(groups=sorted(store.library.groups(), key=lambda group: group.name.casefold()))

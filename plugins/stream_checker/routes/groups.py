"""``/groups``: the groups that streams and channels belong to."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from stream_checker.http.access import Reader
from stream_checker.http.problems import responses
from stream_checker.resources import Udi
from streamflow.records import Group

router = APIRouter(tags=["channels"], dependencies=[Reader])


class GroupList(BaseModel):
    groups: list[Group]


@router.get("/groups", responses=responses(401, 403, 503))
def groups(store: Udi) -> GroupList:
    """All groups, by name."""
    return GroupList(groups=sorted(store.library.groups(), key=lambda group: group.name.casefold()))

"""``/checks``: starts a check of channels, groups, accounts or streams by id or name."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from stream_checker.http.access import EditingUser
from stream_checker.http.parameters import MAX_ID
from stream_checker.http.problems import Problem, responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.dag_runs import start_check
from stream_checker.queries.named_records import NamedRecords
from stream_checker.resources import OpenNameIndex, OpenStore

router = APIRouter(prefix="/checks", tags=["checks"])

FIELDS = ("channels", "groups", "accounts", "streams")
Reference = Annotated[StrictInt, Field(ge=0, le=MAX_ID)] | Annotated[StrictStr, Field(min_length=1, max_length=255)]
References = Annotated[list[Reference], Field(max_length=5000)]


def _filter(noun: str, example: list[int | str]) -> References | None:
    description = f"Ids or names of {noun}; null for all, an empty list for none"
    found: References | None = Field(None, description=description, examples=[example])
    return found


class CheckRequest(BaseModel):
    """A check of the streams that pass all filters."""

    model_config = ConfigDict(extra="forbid")

    channels: References | None = _filter("channels", ["Das Erste", 12])
    groups: References | None = _filter("channel groups", ["UK | Sports"])
    accounts: References | None = _filter("accounts", ["Provider A"])
    streams: References | None = _filter("streams", [4711])
    force: bool = Field(False, description="Check again the streams that were checked a short time ago")
    write_back: bool = Field(True, description="Write order and statistics to Dispatcharr")
    mode: Literal["auto", "concurrent", "sequential"] = Field(
        "auto", description="Several streams at the same time or one after another; `auto`: as configured"
    )


class StartedCheck(BaseModel):
    """A run that was started."""

    run_id: str = Field(description="Id of the run in Airflow", examples=["manual__2026-01-02T03:04:05+00:00"])
    paused: bool = Field(description="Whether the DAG of the checks is paused, so that the run waits")


@router.post("", dependencies=[at_most(4)], responses=responses(401, 403, 413, 422, 429, 503))
def start(request: CheckRequest, store: OpenStore, name_index: OpenNameIndex, user: EditingUser) -> StartedCheck:
    """Start a check. A name that several records have stands for all of them."""
    records, conf, faults = NamedRecords(store, name_index), {}, []
    for field in FIELDS:
        ids, unknown = records.ids(field, getattr(request, field))
        conf[f"{field.removesuffix('s')}_ids"] = ids
        faults += unknown
    if faults:
        raise Problem(422, "; ".join(f"{fault.field}: {fault.message}" for fault in faults), errors=faults)
    run_id, paused = start_check(conf | request.model_dump(include={"force", "write_back", "mode"}), user)
    return StartedCheck(run_id=run_id, paused=paused)

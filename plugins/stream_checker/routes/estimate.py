"""``/estimate``: how long a check would take, and whether it fits its window."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Condition
from typing import Annotated

from cachetools import TTLCache, cached
from fastapi import APIRouter, Query

from stream_checker.http.access import Reader
from stream_checker.http.problems import Problem, responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.named_records import NamedRecords
from stream_checker.resources import OpenLimiter, OpenNameIndex, OpenRedis, OpenStore
from stream_tasks.limits import believed_limits
from stream_tasks.schedule import entry_of, next_starts, selection, window_of, zone_of
from streamflow import shared_settings
from streamflow.config import Config
from streamflow.planning.estimate import Estimate, estimate
from streamflow.planning.params import CheckParams
from streamflow.planning.plan import Request
from streamflow.udi.ports import Store

# An estimate over 20,000 streams takes more than a second, and the views of all users request the same ones.
KEPT, KEPT_SECONDS = 64, 20.0

router = APIRouter(tags=["checks"], dependencies=[Reader])

Names = Annotated[
    list[Annotated[str, Query(min_length=1, max_length=255)]] | None,
    Query(max_length=5000, description="Only these, by name or id; may be repeated"),
]
Force = Annotated[bool, Query(description="Count fresh streams, too")]
ScheduleName = Annotated[
    str | None,
    Query(max_length=60, description="Estimate the next start of this schedule, with its selection and window"),
]


@router.get("/estimate", responses=responses(401, 403, 404, 422, 429, 503), dependencies=[at_most(2)])
def get_estimate(
    store: OpenStore,
    redis: OpenRedis,
    limiter: OpenLimiter,
    name_index: OpenNameIndex,
    channels: Names = None,
    groups: Names = None,
    accounts: Names = None,
    streams: Names = None,
    force: Force = False,
    schedule: ScheduleName = None,
) -> Estimate:
    """Estimate a check from stored results, without any connection to a provider."""
    settings, starts_at = shared_settings.load(redis), None
    if schedule is not None:
        entry = entry_of(settings.schedule, schedule)
        if entry is None:
            raise Problem(404, f"There is no schedule {schedule!r}.")
        zone = zone_of(redis, settings.schedule)
        now = datetime.now(UTC)
        starts_at = next(iter(next_starts(entry.cron, now, zone, 1)), now)
        params = CheckParams.model_validate(
            {**selection(store.library, entry), "force": entry.force, "window": window_of(entry, starts_at, zone)}
        )
    else:
        records, ids, faults = NamedRecords(store, name_index), {}, []
        for field, wanted in (("channels", channels), ("groups", groups), ("accounts", accounts), ("streams", streams)):
            references = None if wanted is None else [int(one) if one.isdecimal() else one for one in wanted]
            ids[f"{field.removesuffix('s')}_ids"], unknown = records.ids(field, references)
            faults += unknown
        if faults:
            raise Problem(422, "; ".join(f"{fault.field}: {fault.message}" for fault in faults), errors=faults)
        params = CheckParams.model_validate(ids | {"force": force})
    return _estimate(store, settings, params, starts_at, believed_limits(limiter))


def _key(
    _: Store, settings: Config, params: CheckParams, starts_at: datetime | None, believed: Mapping[str, int]
) -> tuple[object, ...]:
    return settings.model_dump_json(), params.model_dump_json(), starts_at, *sorted(believed.items())


@cached(TTLCache(KEPT, KEPT_SECONDS), _key, condition=Condition())
def _estimate(
    store: Store, settings: Config, params: CheckParams, starts_at: datetime | None, believed: Mapping[str, int]
) -> Estimate:
    """Return the estimate of a check that starts now, or at a given time."""
    return estimate(store, settings, Request("estimate", params, starts_at or datetime.now(UTC)), believed)

"""``/concurrency``: the limiter's routes, and the settings behind them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Annotated, Any

from airflow.models.pool import Pool
from airflow.utils.session import create_session
from fastapi import APIRouter, Body
from fastapi.routing import APIRoute
from pydantic import AliasPath, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from account_limiter import Limiter
from account_limiter.web import routes as limiter_routes
from account_limiter.web.routes import Concurrency
from stream_checker import resources
from stream_checker.http.access import Editor, Reader
from stream_checker.http.problems import Fault, Problem, responses
from stream_checker.http.throttle import at_most
from stream_checker.queries import workers
from streamflow import config, names, shared_settings
from streamflow.config import ConcurrentStreams, Config
from streamflow.errors import ConfigError

SECTION = "concurrent_streams"


def _label(name: str, description: str) -> Any:
    return Field(default=None, validation_alias=AliasPath("labels", name), description=description)


class LeaseUse(limiter_routes.LeaseUse):
    """A lease and the check that holds it."""

    labels: dict[str, Any] = Field(exclude=True, description="Labels of the request")
    stream_id: int | None = _label("stream_id", "Id of the stream that is checked")
    dag_id: str | None = _label("dag_id", "Id of the DAG")
    run_id: str | None = _label("run_id", "Id of the run")
    map_index: int | None = _label("map_index", "Index of the mapped task")


class AccountUse(limiter_routes.AccountUse):
    """Use of an account. ``max_streams`` and ``believed_limit`` 0 and ``effective_limit`` null mean unlimited."""

    limit: int = Field(
        serialization_alias="max_streams", description="Configured number of connections; 0: unlimited", examples=[3]
    )


class Status(limiter_routes.Status):
    """Limits in use at one moment. No slot is granted before ``open_at`` after a restart of Redis."""

    accounts: Sequence[AccountUse] = Field(description="Use of each account")
    leases: Sequence[LeaseUse] = Field(description="Leases in use")


def concurrency() -> Concurrency:
    """Return the configured concurrency."""
    section = config.load().concurrent_streams
    return Concurrency(section.enabled, section.global_limit)


def _limiter_routes() -> APIRouter:
    """Return the limiter's routes. Those that take long are throttled, and documented so."""
    throttle = at_most(4)
    routes = limiter_routes.router(
        limiter=resources.limiter,
        concurrency=concurrency,
        reader=Reader,
        editor=Editor,
        expensive=[throttle],
        status_model=Status,
    )
    for route in routes.routes:
        if isinstance(route, APIRoute) and throttle in route.dependencies:
            route.responses |= responses(422, 429)
    return routes


router = APIRouter()
router.include_router(_limiter_routes(), responses=responses(401, 403, 503))
settings = APIRouter(prefix="/concurrency/config", tags=["concurrency"])

# Only one change at a time, because a change that fails restores the settings from before.
_change_lock = threading.Lock()


@settings.get("", dependencies=[Reader], responses=responses(401, 403))
def get_section(redis: resources.OpenRedis) -> ConcurrentStreams:
    """Return the section `concurrent_streams` of the settings."""
    return shared_settings.load(redis).concurrent_streams


@settings.put("", dependencies=[Editor], responses=responses(401, 403, 413, 422, 503))
def change_section(
    fields: Annotated[
        dict[str, Any],
        Body(description="The fields to change", examples=[{"global_limit": 6, "stagger_delay": 0.5}]),
    ],
    limiter: resources.OpenLimiter,
    redis: resources.OpenRedis,
) -> ConcurrentStreams:
    """Change fields of the section. The settings, the limiter and Airflow's pool change together or not at all."""
    with _change_lock, ExitStack() as undo:
        before = shared_settings.load(redis)
        after = with_fields(before, fields)
        with create_session(scoped=False) as session:
            resize_pool(session, after.concurrent_streams.global_limit or workers.capacity())
            undo.callback(configure_limiter, limiter, before)
            configure_limiter(limiter, after)
            undo.callback(shared_settings.save, redis, before)
            shared_settings.save(redis, after)
        undo.pop_all()
    return after.concurrent_streams


def with_fields(settings: Config, fields: dict[str, Any]) -> Config:
    """Return the settings with some fields of the section changed.

    :raises Problem: 422 that names each invalid field.
    """
    try:
        return settings.with_section(SECTION, fields)
    except ConfigError as error:
        cause = error.__cause__
        if not isinstance(cause, ValidationError):
            raise
        faults = [Fault(field=".".join(map(str, e["loc"][1:])), message=e["msg"]) for e in cause.errors()]
        raise Problem(422, "; ".join(f"{f.field}: {f.message}" for f in faults), errors=faults) from error


def configure_limiter(limiter: Limiter, settings: Config) -> None:
    """Pass the settings to the limiter; its accounts stay."""
    limiter.configure(accounts=None, **settings.concurrent_streams.limiter_settings)


def resize_pool(session: Session, slots: int) -> None:
    """Set the size of the pool of checks, creating it if it is missing. Locks its row until the session ends."""
    pool = session.scalar(select(Pool).where(Pool.pool == names.CHECK_POOL).with_for_update())
    if pool is None:
        description = names.POOL_DESCRIPTIONS[names.CHECK_POOL]
        session.add(Pool(pool=names.CHECK_POOL, slots=slots, description=description, include_deferred=False))
    else:
        pool.slots = slots
    session.flush()


router.include_router(settings)

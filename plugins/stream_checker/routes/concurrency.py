"""``/concurrency``: the limiter's routes, and the settings behind them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Annotated, Any

from airflow.models.pool import Pool
from airflow.utils.session import create_session
from fastapi import APIRouter, Body
from pydantic import AliasPath, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from account_limiter import Limiter
from account_limiter.web import routes as limiter_routes
from account_limiter.web.routes import Concurrency
from stream_checker import resources
from stream_checker.http import access
from stream_checker.http.problems import Fault, Problem, responses
from stream_checker.http.throttle import at_once
from stream_checker.queries import workers
from streamflow import config, names
from streamflow.config import ConcurrentStreams, Config
from streamflow.errors import ConfigError

SECTION = "concurrent_streams"


def _label(name: str) -> Any:
    return Field(default=None, validation_alias=AliasPath("labels", name))


class LeaseUse(limiter_routes.LeaseUse):
    """A lease and the check that holds it."""

    labels: dict[str, Any] = Field(exclude=True)
    stream_id: int | None = _label("stream_id")
    dag_id: str | None = _label("dag_id")
    run_id: str | None = _label("run_id")
    map_index: int | None = _label("map_index")


class AccountUse(limiter_routes.AccountUse):
    """Use of an account. ``max_streams`` and ``believed_limit`` 0 and ``effective_limit`` null mean unlimited."""

    limit: int = Field(serialization_alias="max_streams", examples=[3])


class Status(limiter_routes.Status):
    """Limits in use at one moment. No slot is granted before ``open_at`` after a restart of Redis."""

    accounts: Sequence[AccountUse]
    leases: Sequence[LeaseUse]


def concurrency() -> Concurrency:
    """Return the configured concurrency."""
    section = config.load().concurrent_streams
    return Concurrency(section.enabled, section.global_limit)


router = APIRouter()
router.include_router(
    limiter_routes.router(
        limiter=resources.limiter,
        concurrency=concurrency,
        reader=access.Reader,
        editor=access.Editor,
        expensive=[at_once(4)],
        status_model=Status,
    ),
    responses=responses(401, 403, 429, 503),
)
settings = APIRouter(prefix="/concurrency/config", tags=["concurrency"])

# Two changes at once would undo each other's failures.
_changing = threading.Lock()


@settings.get("", dependencies=[access.Reader], responses=responses(401, 403))
def read() -> ConcurrentStreams:
    """The section ``concurrent_streams`` of the settings."""
    return config.load().concurrent_streams


@settings.put("", dependencies=[access.Editor], responses=responses(401, 403, 422, 503))
def change(
    part: Annotated[
        dict[str, Any],
        Body(description="The fields to change", examples=[{"global_limit": 6, "stagger_delay": 0.5}]),
    ],
    limiter: resources.Limits,
) -> ConcurrentStreams:
    """Change some fields. Settings file, limiter and Airflow's pool change together or not at all."""
    with _changing, ExitStack() as undo:
        before = config.load()
        after = changed(before, part)
        with create_session(scoped=False) as session:
            resize_pool(session, after.concurrent_streams.global_limit or workers.capacity())
            undo.callback(configure, limiter, before)
            configure(limiter, after)
            undo.callback(config.save, before)
            config.save(after)
        undo.pop_all()
    return after.concurrent_streams


def changed(before: Config, part: dict[str, Any]) -> Config:
    """The settings with the part changed; a wrong field is a 422 that names it."""
    try:
        return before.with_section(SECTION, part)
    except ConfigError as error:
        cause = error.__cause__
        if not isinstance(cause, ValidationError):
            raise
        faults = [Fault(field=".".join(map(str, e["loc"][1:])), message=e["msg"]) for e in cause.errors()]
        raise Problem(422, "; ".join(f"{f.field}: {f.message}" for f in faults), errors=faults) from error


def configure(limiter: Limiter, settings: Config) -> None:
    """Tell the limiter what the settings say; the accounts it has stay."""
    limiter.configure(accounts=None, **settings.concurrent_streams.limiter_settings)


def resize_pool(session: Session, slots: int) -> None:
    """Give the checks' pool its size, making it if it is missing. Locks its row until the session ends."""
    pool = session.scalar(select(Pool).where(Pool.pool == names.CHECK_POOL).with_for_update())
    if pool is None:
        description = names.POOL_DESCRIPTIONS[names.CHECK_POOL]
        session.add(Pool(pool=names.CHECK_POOL, slots=slots, description=description, include_deferred=False))
    else:
        pool.slots = slots
    session.flush()


router.include_router(settings)

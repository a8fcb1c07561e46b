"""``/concurrency``: the limiter's routes, and the settings behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.routing import APIRoute
from pydantic import AliasPath, Field

from account_limiter import AccountLimit
from account_limiter.web import routes as limiter_routes
from account_limiter.web.routes import Concurrency
from stream_checker import resources
from stream_checker.http.access import EditingUser, Editor, Reader
from stream_checker.http.problems import responses
from stream_checker.http.throttle import at_most
from stream_checker.routes.stored_settings import CONCURRENCY, change_section
from streamflow import config, shared_settings
from streamflow.config import ConcurrentStreams
from streamflow.errors import UdiUnavailable


def _label(name: str, description: str) -> Any:
    return Field(default=None, validation_alias=AliasPath("labels", name), description=description)


class LeaseUse(limiter_routes.LeaseUse):
    """A lease and the check that holds it."""

    labels: dict[str, Any] = Field(exclude=True, description="Labels of the request")
    stream_id: int | None = _label("stream_id", "Id of the stream that is checked")
    dag_id: str | None = _label("dag_id", "Id of the DAG")
    run_id: str | None = _label("run_id", "Id of the run")
    map_index: int | None = _label("map_index", "Index of the mapped task")
    label: str | None = _label("label", "Name of another use than a check, from `POST /leases`")


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


def known_accounts() -> list[AccountLimit]:
    """Return the accounts of the library, as far as the file store holds it."""
    try:
        accounts = resources.store().library.accounts()
    except UdiUnavailable:
        return []
    return [AccountLimit(one.id, one.name, one.max_streams, active=one.is_active) for one in accounts]


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
        known_accounts=known_accounts,
    )
    for route in routes.routes:
        if isinstance(route, APIRoute) and throttle in route.dependencies:
            route.responses |= responses(422, 429)
    return routes


router = APIRouter()
router.include_router(_limiter_routes(), responses=responses(401, 403, 503))
settings = APIRouter(prefix="/concurrency/config", tags=["concurrency"])


@settings.get("", dependencies=[Reader], responses=responses(401, 403))
def get_section(redis: resources.OpenRedis) -> ConcurrentStreams:
    """Return the section `concurrent_streams` of the settings."""
    return shared_settings.load(redis).concurrent_streams


@settings.put("", dependencies=[Editor], responses=responses(401, 403, 413, 422, 503))
def change_concurrency(
    fields: Annotated[
        dict[str, Any],
        Body(description="The fields to change", examples=[{"global_limit": 6, "stagger_delay": 0.5}]),
    ],
    redis: resources.OpenRedis,
    limiter: resources.OpenLimiter,
    user: EditingUser,
) -> ConcurrentStreams:
    """Change fields of the section. The settings, the limiter and Airflow's pool change together or not at all."""
    return change_section(redis, CONCURRENCY, fields, limiter, user).concurrent_streams


router.include_router(settings)

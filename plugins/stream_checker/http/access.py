"""Access rights of callers, decided by Airflow's auth manager.

Airflow does not protect the routes of plugins, so each route depends on :data:`Reader` or :data:`Editor`. Both accept a
bearer token or the session cookie of Airflow's UI. A change by cookie must come from a page of this server.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails, PoolDetails
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user, oauth2_scheme
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials

from stream_checker.http.problems import Problem
from streamflow import names


async def authenticated_user(
    request: Request,
    _oauth_token: Annotated[str | None, Depends(oauth2_scheme)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)],
) -> BaseUser:
    """Return the user that the token or the session cookie belongs to.

    :raises Problem: 401 when the token is missing, expired or invalid.
    """
    try:
        return await get_user(request, None, bearer)
    except HTTPException as error:
        raise Problem(401, str(error.detail), headers={"WWW-Authenticate": "Bearer"}) from error


AuthenticatedUser = Annotated[BaseUser, Depends(authenticated_user)]


def require_reader(user: AuthenticatedUser) -> BaseUser:
    """Return the user if it may read the pool of the checks and their runs.

    :raises Problem: 403 when it may not.
    """
    auth = get_auth_manager()
    pool = auth.is_authorized_pool(method="GET", details=PoolDetails(name=names.CHECK_POOL), user=user)
    runs = auth.is_authorized_dag(
        method="GET", access_entity=DagAccessEntity.RUN, details=DagDetails(id=names.CHECK_DAG), user=user
    )
    if not (pool and runs):
        raise Problem(403, f"You need the right to read pools and the runs of the DAG {names.CHECK_DAG}.")
    return user


def require_editor(request: Request, user: AuthenticatedUser) -> BaseUser:
    """Return the user if it may edit the pool of the checks.

    :raises Problem: 403 when it may not, or when a browser sends the change from another site's page.
    """
    if not has_bearer_token(request) and not is_same_origin(request):
        raise Problem(
            403, "A change by session cookie must come from a page of this server. Send a bearer token instead."
        )
    if not may_edit(user):
        raise Problem(403, "You need the right to edit pools.")
    return user


def may_edit(user: BaseUser) -> bool:
    """Return whether the user may edit the pool of the checks."""
    return get_auth_manager().is_authorized_pool(method="PUT", details=PoolDetails(name=names.CHECK_POOL), user=user)


def has_bearer_token(request: Request) -> bool:
    """Return whether the request carries a bearer token, which a browser never adds by itself."""
    scheme, _, credentials = request.headers.get("authorization", "").strip().partition(" ")
    return scheme.lower() == "bearer" and bool(credentials)


def is_same_origin(request: Request) -> bool:
    """Return whether the browser reports that a page of this server sent the request.

    A page cannot set ``Sec-Fetch-Site`` (W3C Fetch Metadata). Browsers omit it on plain HTTP, but send ``Origin`` with
    every change (Fetch Standard, section 3.2).
    """
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = request.headers.get("origin")
    if not origin:
        return False
    own_hosts = {urlsplit(conf.get("api", "base_url", fallback="")).netloc, request.headers.get("host", "")}
    return urlsplit(origin).netloc in own_hosts - {""}


Reader = Depends(require_reader)
Editor = Depends(require_editor)
ReadingUser = Annotated[BaseUser, Reader]
EditingUser = Annotated[BaseUser, Editor]

"""Who may do what, decided by Airflow's auth manager.

Airflow does not protect the routes of plugins: each route depends on :data:`Reader` or :data:`Editor`. Both take a
bearer token or the session cookie of the UI; a change by cookie must come from a page of this very server.
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


async def user(
    request: Request,
    _oauth_token: Annotated[str | None, Depends(oauth2_scheme)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)],
) -> BaseUser:
    """The caller; a token that is missing, expired or wrong is a 401."""
    try:
        return await get_user(request, None, bearer)
    except HTTPException as error:
        raise Problem(401, str(error.detail), headers={"WWW-Authenticate": "Bearer"}) from error


User = Annotated[BaseUser, Depends(user)]


def reader(user: User) -> BaseUser:
    """Whoever may read the pool of the checks and their runs."""
    auth = get_auth_manager()
    pool = auth.is_authorized_pool(method="GET", details=PoolDetails(name=names.CHECK_POOL), user=user)
    runs = auth.is_authorized_dag(
        method="GET", access_entity=DagAccessEntity.RUN, details=DagDetails(id=names.CHECK_DAG), user=user
    )
    if not (pool and runs):
        raise Problem(403, "this needs the right to read pools and the runs of check_streams")
    return user


def editor(request: Request, user: User) -> BaseUser:
    """Whoever may edit the pool of the checks."""
    if not by_token(request) and not from_own_page(request):
        raise Problem(403, "a change by session cookie must come from a page of this server; use a bearer token")
    if not get_auth_manager().is_authorized_pool(method="PUT", details=PoolDetails(name=names.CHECK_POOL), user=user):
        raise Problem(403, "this needs the right to edit pools")
    return user


def by_token(request: Request) -> bool:
    """Whether the caller named itself, rather than its browser by cookie."""
    scheme, _, credentials = request.headers.get("authorization", "").strip().partition(" ")
    return scheme.lower() == "bearer" and bool(credentials)


def from_own_page(request: Request) -> bool:
    """Whether a browser says that the request comes from this server's own page.

    ``Sec-Fetch-Site`` cannot be set by a page; browsers leave it out on plain HTTP, but send ``Origin`` with changes.
    """
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = request.headers.get("origin")
    if not origin:
        return False
    known = {urlsplit(conf.get("api", "base_url", fallback="")).netloc, request.headers.get("host", "")}
    return urlsplit(origin).netloc in known - {""}


Reader = Depends(reader)
Editor = Depends(editor)

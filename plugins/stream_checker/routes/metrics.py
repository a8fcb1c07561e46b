"""``/metrics``: the limits, streams and last run for Prometheus."""

from __future__ import annotations

import hmac
import os
from typing import Annotated

from airflow.api_fastapi.core_api.security import bearer_scheme, oauth2_scheme
from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from stream_checker.http.access import authenticated_user, require_reader
from stream_checker.http.problems import responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.prometheus import Metrics
from stream_checker.resources import OpenLastRun, OpenLimiter, OpenStore

TOKEN_VARIABLE = "STREAMFLOW_METRICS_TOKEN"  # noqa: S105
# Counting the streams of a large library takes a part of a second.
MOST_AT_ONCE = 2


async def require_token_or_reader(
    request: Request,
    oauth_token: Annotated[str | None, Depends(oauth2_scheme)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)],
) -> None:
    """Let requests pass that carry the token for metrics, or come from a user who may read.

    :raises Problem: 401 when the token is missing, expired or invalid, 403 when the user may not read.
    """
    secret = os.environ.get(TOKEN_VARIABLE)
    if secret and bearer and hmac.compare_digest(bearer.credentials.encode(), secret.encode()):
        return
    require_reader(await authenticated_user(request, oauth_token, bearer))


router = APIRouter(tags=["concurrency"], dependencies=[Depends(require_token_or_reader), at_most(MOST_AT_ONCE)])


@router.get(
    "/metrics",
    response_class=Response,
    responses=responses(401, 403, 429, 503)
    | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Metrics as text"}},
)
def read_metrics(store: OpenStore, limiter: OpenLimiter, last_run: OpenLastRun) -> Response:
    """Return the limits, the streams by verdict, and the last finished run with its alerts for Prometheus.

    Send `STREAMFLOW_METRICS_TOKEN` as bearer token, which opens this route alone, or a token of Airflow.
    """
    text = Metrics(store, limiter, last_run).text()
    return Response(text, headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE_PLAIN_0_0_4)

"""The FastAPI application under ``/api/stream-checker``."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import APIRoute

from stream_checker.http import problems
from stream_checker.http.body_limit import BodyLimit
from stream_checker.http.etags import ETags
from stream_checker.http.page_files import PageFiles
from stream_checker.http.problems import ProblemDocument
from stream_checker.http.security_headers import SecurityHeaders
from stream_checker.queries.dispatcharr_address import proxy_source
from stream_checker.routes import (
    accounts,
    alerts,
    channels,
    checks,
    concurrency,
    estimate,
    events,
    explanations,
    groups,
    hooks,
    leases,
    matching,
    me,
    metrics,
    overview,
    pins,
    playlist,
    policies,
    probes,
    proxy,
    results,
    runs,
    schedules,
    settings,
    streams,
    workers,
)
from streamflow.version import VERSION

DESCRIPTION = """Limits, live progress, results and history of the stream checks.

Each request needs a token of Airflow. Get one with your login, and send it in the header `Authorization`:

    curl ADDRESS/auth/token -H 'Content-Type: application/json' -d '{"username": "admin", "password": "…"}'
    curl ADDRESS/api/stream-checker/concurrency/status -H 'Authorization: Bearer TOKEN'

Reading needs the right to read pools and the runs of `check_streams`, changing the right to edit pools. Errors are
problem documents (RFC 9457) that name the wrong field.
"""
# In the order of the API's document.
ROUTES = (
    concurrency, workers, probes, results, streams, channels, checks, estimate, schedules, me, overview, groups, runs,
    events, hooks, playlist, settings, policies, matching, pins, proxy, explanations, accounts, alerts, metrics, leases,
)  # fmt: skip


def create_app() -> FastAPI:
    """Return the application with the page and all routes.

    Each route checks the caller's rights itself, because Airflow protects no plugin's routes.
    """
    app = FastAPI(
        title="StreamFlow",
        version=VERSION,
        description=DESCRIPTION,
        # FastAPI's own pages load their scripts from another server.
        docs_url=None,
        redoc_url=None,
    )
    # The middleware added last receives the request first.
    app.add_middleware(ETags)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    for module in ROUTES:
        app.include_router(module.router)
    for route in app.routes:
        if isinstance(route, APIRoute):
            # The first sentence of the docstring.
            route.summary = route.description.partition("\n")[0].partition(". ")[0].rstrip(".")
    files = PageFiles(proxy_source())
    app.mount("/page", files, name="page")
    app.add_route("/docs", files.docs, include_in_schema=False)
    _add_problem_schema(app)
    return app


def _add_problem_schema(app: FastAPI) -> None:
    """Add the schema of problem documents, which the routes refer to, to the OpenAPI document."""
    generate = app.openapi

    def openapi() -> dict[str, object]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault(
            "ProblemDocument", ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        )
        return document

    app.openapi = openapi  # type: ignore[method-assign]

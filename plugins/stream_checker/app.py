"""The FastAPI application under ``/api/stream-checker``."""

from __future__ import annotations

from fastapi import FastAPI

from stream_checker.http import problems
from stream_checker.http.etags import ETags
from stream_checker.http.page_files import PageFiles
from stream_checker.http.problems import ProblemDocument
from stream_checker.routes import channels, concurrency, events, groups, hooks, probes, results, runs, streams, workers


def create_app() -> FastAPI:
    """The page and all routes, each with its own authorisation, because Airflow protects no plugin's routes."""
    app = FastAPI(
        title="StreamFlow",
        description="Limits, live progress, results and history of the stream checks.",
        # FastAPI's own pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(ETags)
    problems.install(app)
    for module in (concurrency, workers, probes, results, streams, channels, groups, runs, events, hooks):
        app.include_router(module.router)
    files = PageFiles()
    app.mount("/page", files, name="page")
    app.add_route("/docs", files.docs, include_in_schema=False)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Put the schema that the routes' problem answers refer to into the OpenAPI document."""
    made = app.openapi

    def openapi() -> dict[str, object]:
        document = made()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault(
            "ProblemDocument", ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        )
        return document

    app.openapi = openapi  # type: ignore[method-assign]

"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from account_limiter import LimiterUnavailable
from streamflow.errors import ConfigError, UdiUnavailable

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Fault(BaseModel):
    """One wrong field of a request."""

    field: str = Field(examples=["global_limit"])
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457. ``errors`` names the wrong fields of a request."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str | None = Field(default=None, examples=["no channel 12"])
    instance: str | None = None
    errors: list[Fault] | None = None


class Problem(HTTPException):
    """An error with an answer of its own; ``extra`` goes into the document."""

    def __init__(
        self, status: int, detail: str, *, headers: dict[str, str] | None = None, errors: list[Fault] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.errors = errors


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, for its OpenAPI description."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status in statuses
    }


def answer(
    request: Request,
    status: int,
    detail: str | None,
    *,
    headers: dict[str, str] | None = None,
    errors: list[Fault] | None = None,
) -> JSONResponse:
    """The problem as an HTTP answer."""
    document = ProblemDocument(
        title=HTTPStatus(status).phrase, status=status, detail=detail, instance=request.url.path, errors=errors
    )
    return JSONResponse(document.model_dump(exclude_none=True), status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem."""

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else None
        headers = dict(error.headers) if error.headers else None
        return answer(request, error.status_code, detail, headers=headers, errors=getattr(error, "errors", None))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # The first part of the place says body, query or path; the input itself may hold a secret and is left out.
        faults = [
            Fault(field=".".join(map(str, e["loc"][1:])) or str(e["loc"][0]), message=e["msg"]) for e in error.errors()
        ]
        return answer(request, 422, "; ".join(f"{f.field}: {f.message}" for f in faults), errors=faults)

    @app.exception_handler(ConfigError)
    def unsettled(request: Request, error: ConfigError) -> JSONResponse:
        log.error("%s", error)
        return answer(request, 500, str(error))

    @app.exception_handler(LimiterUnavailable)
    @app.exception_handler(UdiUnavailable)
    def away(request: Request, error: Exception) -> JSONResponse:
        return answer(request, 503, str(error), headers={"Retry-After": "5"})

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return answer(request, 500, "unexpected error; the API server's log has it")

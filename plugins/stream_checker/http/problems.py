"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from account_limiter import LimiterUnavailable
from streamflow.errors import ConfigError, SourceConflict, SourceError, SourceUnavailable, UdiUnavailable

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
# FastAPI's own detail when its JSON parser fails for another reason than the syntax.
UNPARSABLE = "There was an error parsing the body"


class Fault(BaseModel):
    """One invalid field of a request."""

    field: str = Field(description="Path of the field", examples=["global_limit"])
    message: str = Field(description="Reason for the refusal", examples=["Input should be greater than or equal to 0"])


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(default="about:blank", description="Kind of the problem; always `about:blank`")
    title: str = Field(description="Phrase of the HTTP status", examples=["Not Found"])
    status: int = Field(description="HTTP status", examples=[404])
    detail: str | None = Field(
        default=None, description="Cause of the problem in a sentence", examples=["Channel 12 does not exist."]
    )
    instance: str | None = Field(default=None, description="Path of the request")
    errors: list[Fault] | None = Field(default=None, description="Invalid fields of the request")


class Problem(HTTPException):
    """An error that the client receives as a problem document.

    :param status: HTTP status.
    :param detail: one sentence for the client.
    :param headers: further response headers.
    :param errors: invalid fields of the request.
    :param extra: further fields of the problem document.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        errors: list[Fault] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.errors = errors
        self.extra = extra


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI descriptions of problem documents with these statuses."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status in statuses
    }


def problem_response(
    path: str,
    status: int,
    detail: str | None,
    *,
    headers: dict[str, str] | None = None,
    errors: list[Fault] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Return a problem document as an HTTP response.

    :param path: path of the request.
    """
    document = ProblemDocument(
        title=HTTPStatus(status).phrase, status=status, detail=detail, instance=path, errors=errors, **(extra or {})
    )
    # The response to an unexpected error passes through no middleware, so the header is set here as well.
    headers = {"X-Content-Type-Options": "nosniff"} | (headers or {})
    return JSONResponse(document.model_dump(exclude_none=True), status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make the application send every error as a problem document."""

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> JSONResponse:
        if (error.status_code, error.detail) == (400, UNPARSABLE):
            return _invalid(request, [Fault(field="body", message="cannot be parsed as JSON")])
        detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else None
        return problem_response(
            request.url.path,
            error.status_code,
            detail,
            headers=dict(error.headers) if error.headers else None,
            errors=getattr(error, "errors", None),
            extra=getattr(error, "extra", None),
        )

    @app.exception_handler(RequestValidationError)
    def invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        # The first part of a location is "body", "query" or "path". The input may hold a secret and is left out.
        faults = [
            Fault(field=".".join(map(str, e["loc"][1:])) or str(e["loc"][0]), message=e["msg"]) for e in error.errors()
        ]
        return _invalid(request, faults)

    @app.exception_handler(ConfigError)
    def invalid_settings(request: Request, error: ConfigError) -> JSONResponse:
        log.error("%s", error)
        return problem_response(request.url.path, 503, str(error))

    @app.exception_handler(SourceError)
    def source_failed(request: Request, error: SourceError) -> JSONResponse:
        match error:
            case SourceConflict():
                return problem_response(request.url.path, 409, str(error))
            case SourceUnavailable():
                headers = {"Retry-After": str(RETRY_SECONDS)}
                return problem_response(request.url.path, 503, str(error), headers=headers)
        return problem_response(request.url.path, 502, str(error))

    @app.exception_handler(LimiterUnavailable)
    @app.exception_handler(UdiUnavailable)
    def unavailable(request: Request, error: Exception) -> JSONResponse:
        return problem_response(request.url.path, 503, str(error), headers={"Retry-After": str(RETRY_SECONDS)})

    @app.exception_handler(Exception)
    def unexpected_error(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem_response(request.url.path, 500, "Unexpected error. The log of the API server has the details.")


def _invalid(request: Request, faults: list[Fault]) -> JSONResponse:
    detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
    return problem_response(request.url.path, 422, detail, errors=faults)

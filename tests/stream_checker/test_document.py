"""Every route against its own OpenAPI document, with requests that schemathesis makes up from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .server import Server

CONFORMANCE = [content_type_conformance, response_schema_conformance, status_code_conformance]
MADE_UP = settings(
    max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def test_answers_are_as_documented(server: Server, admin: httpx.Client) -> None:
    document = schemathesis.openapi.from_dict(admin.get("/openapi.json").json())
    document.config.base_url = f"{server.address}/api/stream-checker"
    tried = set()
    # The stream of events never ends.
    for found in document.exclude(path="/events").get_all_operations():
        operation = found.ok()
        # Health is a 503 here, as documented: no scheduler runs.
        healthy = [] if operation.path.endswith("/health") else [not_a_server_error]
        asked(operation, server.token("admin"), [*CONFORMANCE, *healthy])()
        tried.add(operation.path)
    assert {"/concurrency/config", "/results", "/streams/{stream_id}/thumbnail"} <= tried


def asked(operation: Any, token: str, checks: list[Any]) -> Callable[[], None]:
    @MADE_UP
    @given(case=operation.as_strategy())
    def answers(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=checks, timeout=30)

    return answers

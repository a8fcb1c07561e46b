"""Every route against its own OpenAPI document, with requests that schemathesis makes up from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .server import USERS, Server

CONFORMANCE = [content_type_conformance, response_schema_conformance, status_code_conformance]
MADE_UP = settings(
    max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
FEW = settings(MADE_UP, max_examples=3)
CREDENTIALS = {"authorization", "x-streamflow-secret"}


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


@pytest.mark.parametrize(
    ("caller", "reads", "changes"),
    [(None, False, False), ("stranger", False, False), ("reader", True, False), ("editor", True, True)],
)
def test_no_made_up_request_gets_past_the_callers_rights(
    server: Server, admin: httpx.Client, caller: str | None, reads: bool, changes: bool
) -> None:
    document = schemathesis.openapi.from_dict(admin.get("/openapi.json").json())
    document.config.base_url = f"{server.address}/api/stream-checker"
    token = server.token(caller) if caller in USERS else caller and "not.a.token"
    tried = set()
    # Webhooks have a secret of their own, which none of these callers knows; the stream of events never ends.
    for found in document.exclude(path="/events").get_all_operations():
        operation = found.ok()
        method, hook = operation.method.upper(), operation.path.startswith("/hooks")
        may = not hook and (reads if method == "GET" else changes)
        refusal = 403 if caller in USERS and not hook else 401
        answered(operation, token, None if may else refusal)()
        tried.add(method)
    assert tried == {"GET", "POST", "PUT"}


def answered(operation: Any, token: str | None, refusal: int | None) -> Callable[[], None]:
    """Requests of an operation, all refused with ``refusal``; with None, none refused."""

    @FEW
    @given(case=operation.as_strategy())
    def answers(case: Any) -> None:
        # Only the caller's own token counts, never a made-up one.
        case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() not in CREDENTIALS}
        answer = case.call(headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=30)
        if refusal is None:
            assert answer.status_code not in {401, 403, 500}
        else:
            assert answer.status_code == refusal
            assert answer.headers["content-type"] == ["application/problem+json"]

    return answers


def asked(operation: Any, token: str, checks: list[Any]) -> Callable[[], None]:
    @MADE_UP
    @given(case=operation.as_strategy())
    def answers(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=checks, timeout=30)

    return answers

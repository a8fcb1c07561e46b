"""Every route against the OpenAPI document, with requests that schemathesis generates from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from stream_checker.app import create_app

from .server import USERS, Server

CONFORMANCE = [content_type_conformance, response_schema_conformance, status_code_conformance]
GENERATED = settings(
    max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
FEW = settings(GENERATED, max_examples=3)
CREDENTIALS = {"authorization", "x-streamflow-secret"}
# Routes with a secret of their own, which no user of Airflow knows.
OWN_SECRET = {"/hooks/dispatcharr", "/playlist.m3u"}


def test_responses_are_as_documented(server: Server, admin: httpx.Client) -> None:
    document = schemathesis.openapi.from_dict(admin.get("/openapi.json").json())
    document.config.base_url = f"{server.address}/api/stream-checker"
    tried = set()
    # An event stream never ends.
    for found in document.exclude(path="/events").get_all_operations():
        operation = found.ok()
        # A documented 503: no scheduler runs, no DAG is loaded and no source is set.
        healthy = [] if operation.path.endswith(("/health", "/checks", "/undo")) else [not_a_server_error]
        check_responses(operation, server.token("admin"), [*CONFORMANCE, *healthy])()
        tried.add(operation.path)
    assert {"/concurrency/config", "/results", "/streams/{stream_id}/thumbnail"} <= tried


@pytest.mark.parametrize(
    ("caller", "reads", "changes"),
    [(None, False, False), ("stranger", False, False), ("reader", True, False), ("editor", True, True)],
)
def test_no_generated_request_gets_past_the_callers_rights(
    server: Server, admin: httpx.Client, caller: str | None, reads: bool, changes: bool
) -> None:
    document = schemathesis.openapi.from_dict(admin.get("/openapi.json").json())
    document.config.base_url = f"{server.address}/api/stream-checker"
    token = server.token(caller) if caller in USERS else caller and "not.a.token"
    tried = set()
    # An event stream never ends.
    for found in document.exclude(path="/events").get_all_operations():
        operation = found.ok()
        method, has_own_secret = operation.method.upper(), operation.path in OWN_SECRET
        may = not has_own_secret and (reads if method == "GET" else changes)
        # Wrong secrets are throttled.
        refusals = {401, 429} if has_own_secret else {403} if caller in USERS else {401}
        check_rights(operation, token, set() if may else refusals)()
        tried.add(method)
    assert tried == {"DELETE", "GET", "POST", "PUT"}


def check_rights(operation: Any, token: str | None, refusals: set[int]) -> Callable[[], None]:
    """Return a test that each request of an operation is refused with one of these statuses, or not at all."""

    @FEW
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        # Only the caller's own token counts, never a generated one.
        case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() not in CREDENTIALS}
        response = case.call(headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=30)
        if not refusals:
            assert response.status_code not in {401, 403, 500}
        else:
            assert response.status_code in refusals
            assert response.headers["content-type"] == ["application/problem+json"]

    return check


def check_responses(operation: Any, token: str, checks: list[Any]) -> Callable[[], None]:
    """Return a test that the responses to requests of an operation are as documented."""

    @GENERATED
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        # Starlette sends a path with a line break to no mounted application.
        assume(not any("\n" in str(value) for value in (case.path_parameters or {}).values()))
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=checks, timeout=30)

    return check


def test_every_route_parameter_and_field_has_a_description() -> None:
    document = create_app().openapi()
    missing = [
        f"{method.upper()} {path}: {part.get('name', 'the route')}"
        for path, methods in document["paths"].items()
        for method, route in methods.items()
        for part in [route, *route.get("parameters", ())]
        if not part.get("description")
    ]
    missing += [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, value in schema.get("properties", {}).items()
        if not value.get("description")
    ]
    assert missing == []


def test_only_throttled_routes_document_a_429() -> None:
    paths = create_app().openapi()["paths"]
    throttled = {
        path for path, methods in paths.items() if any("429" in route["responses"] for route in methods.values())
    }
    assert throttled == {
        "/accounts/{account_id}/report",
        "/alerts/test",
        "/channels",
        "/checks",
        "/concurrency/history",
        "/estimate",
        "/events",
        "/hooks/dispatcharr",
        "/metrics",
        "/overview",
        "/leases",
        "/matching/groups",
        "/matching/test",
        "/playlist.m3u",
        "/policies/preview",
        "/policies/replay",
        "/results",
        "/results/export",
        "/results/scores",
        "/runs",
        "/proxy/address",
        "/proxy/playlist.m3u",
        "/runs/{run_id}",
        "/runs/{run_id}/airflow",
        "/runs/{run_id}/report",
        "/schedules/preview",
    }

"""Large bodies, with and without a declared length, before a body is parsed and before the caller is authorised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from stream_checker.http.body_limit import LIMIT_BYTES, SETTINGS_LIMIT_BYTES, BodyLimit

from ..server import WEBHOOK_SECRET, Server

LARGE = 50_000_000
ALLOWED_GROWTH = 10_000_000
HOOK = "/hooks/dispatcharr"


def chunks(total: int, size: int = 64_000) -> Iterator[bytes]:
    yield b'{"event": "'
    for _ in range(total // size):
        yield b"x" * size
    yield b'"}'


async def call(path: str, messages: list[dict[str, Any]], headers: dict[str, str]) -> tuple[int | None, bytes | None]:
    """Return the status of a refusal, and the body that the application received."""
    received: list[bytes] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert not message["more_body"]
        received.append(message["body"])

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "headers": raw}
    await BodyLimit(app)(scope, receive, send)
    return (sent[0]["status"] if sent else None), (received[0] if received else None)


def parts(*bodies: bytes) -> list[dict[str, Any]]:
    return [
        {"type": "http.request", "body": body, "more_body": index < len(bodies) - 1}
        for index, body in enumerate(bodies)
    ]


@pytest.mark.parametrize(("path", "limit"), [(HOOK, LIMIT_BYTES), ("/concurrency/config", SETTINGS_LIMIT_BYTES)])
async def test_a_body_at_the_limit_reaches_the_application_in_whole(path: str, limit: int) -> None:
    half = b"x" * (limit // 2)
    assert await call(path, parts(half, half), {}) == (None, half + half)
    assert await call(path, parts(half, half), {"content-length": str(limit)}) == (None, half + half)


@pytest.mark.parametrize(("path", "limit"), [(HOOK, LIMIT_BYTES), ("/concurrency/config", SETTINGS_LIMIT_BYTES)])
async def test_a_body_above_the_limit_never_reaches_the_application(path: str, limit: int) -> None:
    assert await call(path, parts(b"x" * limit, b"x", b"x"), {}) == (413, None)
    # With a declared length, not even a part of the body is received.
    assert await call(path, [], {"content-length": str(limit + 1)}) == (413, None)
    assert await call(path, [], {"content-length": "9" * 5000}) == (413, None)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("secret", [None, WEBHOOK_SECRET])
def test_the_servers_memory_does_not_grow_with_a_large_body(server: Server, declared: bool, secret: str | None) -> None:
    headers = {"X-StreamFlow-Secret": secret} if secret else {}
    with server.client() as client:
        client.post(HOOK, json={"event": "login_failed"}, headers=headers)
        before = server.peak_memory
        content = b"".join(chunks(LARGE)) if declared else chunks(LARGE)
        response = client.post(HOOK, content=content, headers=headers | {"Content-Type": "application/json"})
        assert response.status_code == 413
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"] == "The body of the request is larger than 64 KiB."
        assert server.peak_memory - before < ALLOWED_GROWTH
        # The connection still serves requests.
        assert client.get("/openapi.json").status_code == 200


def test_every_route_refuses_a_large_body(server: Server) -> None:
    with server.client() as client:
        for method, path in (
            ("GET", "/results"),
            ("PUT", "/concurrency/config"),
            ("POST", "/nothing"),
            ("GET", "/docs"),
        ):
            response = client.request(method, path, content=chunks(2_000_000))
            assert response.status_code == 413, path


def test_a_large_setting_is_read(admin: httpx.Client) -> None:
    body = {"account_priority": {f"account {number}": 1 for number in range(5000)}}
    assert admin.put("/concurrency/config", json=body).status_code == 200
    assert admin.put("/concurrency/config", json={"account_priority": {}}).status_code == 200


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"event": ' + b"9" * 5000 + b"}", b"\xff\xfe", b'{"event": 1e999}'])
def test_a_body_that_no_parser_accepts_is_a_422(server: Server, body: bytes) -> None:
    headers = {"X-StreamFlow-Secret": WEBHOOK_SECRET, "Content-Type": "application/json"}
    with server.client() as client:
        response = client.post(HOOK, content=body, headers=headers)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"

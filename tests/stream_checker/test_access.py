"""Who may do what: nobody, a stranger, a reader, an editor; by token and by session cookie."""

from __future__ import annotations

import httpx
import pytest

from .library import RUN
from .server import Server

READS = [
    "/concurrency/status",
    "/concurrency/config",
    "/workers/health",
    "/celery/health",
    "/results",
    "/results/export",
    "/results/scores?stream_id=1",
    "/groups",
    "/streams/1",
    "/streams/1/history",
    "/streams/1/thumbnail",
    "/channels",
    "/channels/1",
    "/runs",
    f"/runs/{RUN}",
    f"/runs/{RUN}/report",
]
CHANGES = [("PUT", "/concurrency/config", {"stagger_delay": 0.3}), ("POST", "/concurrency/reset", None)]
MAY = {200, 404, 503}

pytestmark = pytest.mark.usefixtures("udi", "lease")


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


@pytest.mark.parametrize("path", READS)
def test_reading_needs_a_token(server: Server, path: str) -> None:
    with server.client() as nobody:
        refused(nobody.get(path), 401)
        assert nobody.get(path).headers["www-authenticate"] == "Bearer"
        refused(nobody.get(path, headers={"Authorization": "Bearer not.a.token"}), 401)
    with server.client("reader") as reader:
        assert reader.get(path).status_code in MAY


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_changing_needs_the_right_to_edit_pools(server: Server, method: str, path: str, body: object) -> None:
    with server.client() as nobody:
        refused(nobody.request(method, path, json=body), 401)
    with server.client("reader") as reader:
        refused(reader.request(method, path, json=body), 403)
    for user in ("editor", "admin"):
        with server.client(user) as client:
            assert client.request(method, path, json=body).status_code == 200


def test_every_route_of_the_document_is_protected(server: Server) -> None:
    with server.client() as nobody, server.client("reader") as reader:
        paths = nobody.get("/openapi.json").json()["paths"]
        assert len(paths) >= len(READS)
        for path, methods in paths.items():
            for method in methods:
                plain = path.replace("{", "").replace("}", "")
                refused(nobody.request(method, plain), 401)
                if method != "get" and not path.startswith("/hooks"):
                    refused(reader.request(method, plain, json={}), 403)


def test_the_session_cookie_reads_and_changes_only_from_the_servers_own_page(server: Server) -> None:
    with server.client() as browser:
        browser.cookies.set("_token", server.token("editor"))
        assert browser.get("/concurrency/status").status_code == 200
        for headers in (
            {},
            {"Origin": "https://evil.invalid"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site", "Origin": server.address},
            {"Sec-Fetch-Site": "same-site"},
            {"Authorization": "Basic eDp5"},
        ):
            refused(browser.post("/concurrency/reset", headers=headers), 403)
        for headers in ({"Origin": server.address}, {"Sec-Fetch-Site": "same-origin"}):
            assert browser.post("/concurrency/reset", headers=headers).status_code == 200


def test_a_stale_cookie_is_a_401(server: Server) -> None:
    with server.client() as browser:
        browser.cookies.set("_token", server.token("editor")[:-3] + "xxx")
        refused(browser.get("/concurrency/status"), 401)

"""Rights of anonymous callers, readers and editors, by token and by session cookie."""

from __future__ import annotations

import httpx
import pytest

from ..library import RUN
from ..server import Server

READS = [
    "/me",
    "/overview",
    "/concurrency/status",
    "/concurrency/config",
    "/workers/health",
    "/celery/health",
    "/results",
    "/results/export",
    "/results/scores?stream_id=1",
    "/groups",
    "/estimate",
    "/schedules",
    "/streams/1",
    "/streams/1/history",
    "/streams/1/thumbnail",
    "/channels",
    "/channels/1",
    "/runs",
    f"/runs/{RUN}",
    f"/runs/{RUN}/report",
    "/settings",
    "/settings/schema",
    "/settings/changes",
    "/policies",
    "/channels/1/changes",
    "/metrics",
]
CHANGES = [
    ("PUT", "/concurrency/config", {"stagger_delay": 0.3}),
    ("POST", "/concurrency/reset", None),
    ("PUT", "/settings/probe", {"retries": 2}),
    ("PUT", "/policies", []),
    ("POST", "/policies/preview", {"policies": []}),
    ("POST", "/policies/replay", {"policies": []}),
    ("POST", "/channels/1/pins", {"stream_id": 1, "pinned": False}),
    ("POST", "/schedules/preview", {}),
    ("POST", "/pins", {"streams": [1], "pinned": False}),
    ("POST", "/checks", {"channels": []}),
    ("POST", "/runs/none/stop", None),
    ("POST", "/runs/none/undo", None),
    ("POST", "/channels/99/changes/0/undo", None),
]
ALLOWED = {200, 404, 503}

pytestmark = pytest.mark.usefixtures("udi", "lease")


def assert_refused(response: httpx.Response, *statuses: int) -> None:
    assert response.status_code in statuses, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code


@pytest.mark.parametrize("path", READS)
def test_reading_needs_a_token(server: Server, path: str) -> None:
    with server.client() as anonymous:
        assert_refused(anonymous.get(path), 401)
        assert anonymous.get(path).headers["www-authenticate"] == "Bearer"
        assert_refused(anonymous.get(path, headers={"Authorization": "Bearer not.a.token"}), 401)
    with server.client("reader") as reader:
        assert reader.get(path).status_code in ALLOWED


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_changing_needs_the_right_to_edit_pools(server: Server, method: str, path: str, body: object) -> None:
    with server.client() as anonymous:
        assert_refused(anonymous.request(method, path, json=body), 401)
    with server.client("reader") as reader:
        assert_refused(reader.request(method, path, json=body), 403)
    for user in ("editor", "admin"):
        with server.client(user) as client:
            assert client.request(method, path, json=body).status_code in ALLOWED


def test_a_viewer_starts_nothing_and_a_user_starts_runs_but_changes_no_limit(server: Server) -> None:
    assert not server.starts_runs("reader")
    assert all(server.starts_runs(user) for user in ("runner", "editor", "admin"))
    with server.client("runner") as runner:
        assert all(runner.get(path).status_code in ALLOWED for path in READS)
        for method, path, body in CHANGES:
            assert_refused(runner.request(method, path, json=body), 403)


def test_every_route_of_the_document_is_protected(server: Server) -> None:
    with server.client() as anonymous, server.client("reader") as reader:
        paths = anonymous.get("/openapi.json").json()["paths"]
        assert len(paths) >= len(READS)
        for path, methods in paths.items():
            is_hook = path.startswith("/hooks")
            for method in methods:
                plain = path.replace("{", "").replace("}", "")
                # Other tests may have used up the wrong secrets that are allowed in a minute.
                assert_refused(anonymous.request(method, plain), 401, *([429] if is_hook else []))
                if method != "get" and not is_hook:
                    assert_refused(reader.request(method, plain, json={}), 403)


def test_a_session_cookie_reads_and_changes_only_from_the_servers_own_page(server: Server) -> None:
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
            assert_refused(browser.post("/concurrency/reset", headers=headers), 403)
        for headers in ({"Origin": server.address}, {"Sec-Fetch-Site": "same-origin"}):
            assert browser.post("/concurrency/reset", headers=headers).status_code == 200


def test_an_invalid_cookie_is_a_401(server: Server) -> None:
    with server.client() as browser:
        browser.cookies.set("_token", server.token("editor")[:-3] + "xxx")
        assert_refused(browser.get("/concurrency/status"), 401)


def test_every_response_forbids_to_guess_its_type(server: Server) -> None:
    with server.client("admin") as client:
        for path in (*READS, "/openapi.json", "/docs", "/page/", "/page/app.js", "/page/none.js", "/nothing"):
            assert client.get(path).headers["x-content-type-options"] == "nosniff", path
        assert client.delete("/results").headers["x-content-type-options"] == "nosniff"
        large = client.put("/concurrency/config", content=b" " * 2_000_000)
        assert (large.status_code, large.headers["x-content-type-options"]) == (413, "nosniff")
    with server.client() as anonymous:
        assert anonymous.get("/results").headers["x-content-type-options"] == "nosniff"

"""Rights under other auth managers than the simple one, on a server under a path prefix.

One auth manager belongs to the tests. The other is FAB, whose packages are not among StreamFlow's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from redis import Redis

from account_limiter import Limiter
from streamflow.udi import open_udi
from support.web_server import serving

from .. import library
from ..server import CUSTOM, FAB, FAB_EXAMPLE, Server
from .test_access import ALLOWED, CHANGES, READS, assert_refused

# The metadata of a provider (OpenID Connect Discovery 1.0, section 3).
PROVIDER = {
    "issuer": "https://id.example",
    "authorization_endpoint": "https://id.example/authorize",
    "token_endpoint": "https://id.example/token",
    "userinfo_endpoint": "https://id.example/userinfo",
    "jwks_uri": "https://id.example/keys",
}


@pytest.fixture(scope="module")
def fab_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the packages that FAB needs beyond the lock, for these tests alone."""
    folder = tmp_path_factory.mktemp("fab")
    lock = FAB_EXAMPLE / "requirements.txt"
    install = ["uv", "pip", "install", "--no-deps", "--require-hashes", "--target", folder, "-r", lock]
    done = run([sys.executable, "-m", *install], capture_output=True, text=True)
    if done.returncode:
        # CI must not skip, because nobody reads there which tests were skipped.
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"FAB cannot be installed: {done.stderr[-300:]}")
    return folder


@pytest.fixture(scope="module", params=[CUSTOM, FAB], ids=["custom", "fab"])
def server(
    request: pytest.FixtureRequest, redis_server: Any, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[Server]:
    """Start a server with the auth manager."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    home, address = tmp_path_factory.mktemp("airflow"), "http://localhost/tools/airflow"
    packages = request.getfixturevalue("fab_packages") if request.param == FAB else None
    with serving(json.dumps(PROVIDER).encode()) as issuer:
        oidc = {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": "streamflow", "OIDC_CLIENT_SECRET": "client-secret"}
        server = Server(home, redis_server.socket, shared, address, request.param, packages, oidc)
        try:
            server.start()
            yield server
        finally:
            server.close()


@pytest.fixture(autouse=True)
def filled(server: Server, redis_client: Redis) -> None:
    library.fill(open_udi(redis_client, server.home / "streamflow"))
    library.limits(Limiter(redis_client))


def test_a_reader_reads_everything_and_changes_nothing(server: Server) -> None:
    with server.client("reader") as reader:
        for path in READS:
            assert reader.get(path).status_code in ALLOWED, path
        for method, path, body in CHANGES:
            assert_refused(reader.request(method, path, json=body), 403)


def test_an_editor_changes(server: Server) -> None:
    with server.client("editor") as editor:
        for method, path, body in CHANGES:
            # Behind the rights some find that there is no such run, or that no DAG is loaded.
            assert editor.request(method, path, json=body).status_code in {200, 404, 503}, path


def test_a_user_starts_runs_but_changes_no_limit(server: Server) -> None:
    assert not server.starts_runs("reader")
    assert server.starts_runs("runner")
    with server.client("runner") as runner:
        for method, path, body in CHANGES:
            assert_refused(runner.request(method, path, json=body), 403)


def test_people_log_in_at_the_openid_connect_provider(server: Server) -> None:
    if server.auth_manager != FAB:
        pytest.skip("only the example of FAB has a provider")
    response = httpx.get(f"{server.address}/auth/login/oidc", follow_redirects=False)
    assert response.status_code == 302, response.text
    target = urlsplit(response.headers["location"])
    assert (target.hostname, target.path) == ("id.example", "/authorize")
    asked = parse_qs(target.query)
    assert asked["client_id"] == ["streamflow"]
    assert set(asked["scope"][0].split()) == {"openid", "profile", "email", "groups"}


def test_a_user_without_rights_and_an_anonymous_caller_get_nothing(server: Server) -> None:
    with server.client("guest") as guest, server.client() as anonymous:
        for method, path, body in [*(("GET", path, None) for path in READS), *CHANGES]:
            assert_refused(guest.request(method, path, json=body), 403)
            assert_refused(anonymous.request(method, path, json=body), 401)
            assert_refused(
                anonymous.request(method, path, json=body, headers={"Authorization": "Bearer not.a.token"}), 401
            )

"""Rights under other auth managers than the simple one, on a server under a path prefix.

One auth manager belongs to the tests. The other is FAB, whose packages are not among StreamFlow's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from redis import Redis

from account_limiter import Limiter
from streamflow.udi import open_udi

from .. import library
from ..server import AUTH_MANAGERS, CUSTOM, FAB, Server
from .test_access import ALLOWED, CHANGES, READS, assert_refused


@pytest.fixture(scope="module")
def fab_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the packages that FAB needs beyond the lock, for these tests alone."""
    folder = tmp_path_factory.mktemp("fab")
    lock = AUTH_MANAGERS / "fab.txt"
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
    server = Server(home, redis_server.socket, shared, base_url=address, auth_manager=request.param, packages=packages)
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
            assert editor.request(method, path, json=body).status_code == 200, path


def test_a_user_without_rights_and_an_anonymous_caller_get_nothing(server: Server) -> None:
    with server.client("guest") as guest, server.client() as anonymous:
        for method, path, body in [*(("GET", path, None) for path in READS), *CHANGES]:
            assert_refused(guest.request(method, path, json=body), 403)
            assert_refused(anonymous.request(method, path, json=body), 401)
            assert_refused(
                anonymous.request(method, path, json=body, headers={"Authorization": "Bearer not.a.token"}), 401
            )

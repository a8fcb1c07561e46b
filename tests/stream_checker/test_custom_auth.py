"""Who may do what under an auth manager that is not Airflow's own, on a server under a path prefix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from account_limiter import Limiter
from streamflow.udi import open_udi

from . import library
from .server import CUSTOM, Server
from .test_access import CHANGES, MAY, READS, refused


@pytest.fixture(scope="module")
def custom(redis_server: Any, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Server]:
    """A server with an auth manager of the tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    home, address = tmp_path_factory.mktemp("airflow"), "http://localhost/tools/airflow"
    server = Server(home, redis_server.socket, shared, base_url=address, auth_manager=CUSTOM)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(autouse=True)
def filled(custom: Server, redis_client: Redis) -> None:
    library.fill(open_udi(redis_client, custom.home / "streamflow"))
    library.limits(Limiter(redis_client))


def test_whoever_may_read_reads_everything_and_changes_nothing(custom: Server) -> None:
    with custom.client("reader") as reader:
        for path in READS:
            assert reader.get(path).status_code in MAY, path
        for method, path, body in CHANGES:
            refused(reader.request(method, path, json=body), 403)


def test_whoever_may_write_changes(custom: Server) -> None:
    with custom.client("editor") as editor:
        for method, path, body in CHANGES:
            assert editor.request(method, path, json=body).status_code == 200, path


def test_without_a_right_or_a_token_there_is_nothing(custom: Server) -> None:
    with custom.client("guest") as guest, custom.client() as nobody:
        for method, path, body in [*(("GET", path, None) for path in READS), *CHANGES]:
            refused(guest.request(method, path, json=body), 403)
            refused(nobody.request(method, path, json=body), 401)
            refused(nobody.request(method, path, json=body, headers={"Authorization": "Bearer not.a.token"}), 401)

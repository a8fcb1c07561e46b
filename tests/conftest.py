"""A real Redis for the tests: one server for each test process, empty at the start of each test."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from streamflow_stack.redis import Server

pytest_plugins = ["support.lab_fixtures"]


# The fixtures that start something beside the test: a server, media, a database or a browser.
SERVICES = {
    "redis_server",
    "own_redis",
    "lab",
    "lab_media",
    "served",
    "provider",
    "product",
    "fleet",
    "image",
    "airflow",
    "browser",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start nothing beside themselves as ``unit``: ``./streamflow test -m unit``."""
    for item in items:
        if not SERVICES.intersection(getattr(item, "fixturenames", ())) and "stack" not in item.keywords:
            item.add_marker(pytest.mark.unit)


class RedisServer(Server):
    """A server that a test can pause, kill and start again, with its data or without."""

    def __init__(self, *, append_only: bool = False) -> None:
        # The path of a Unix socket has room for 107 bytes, so pytest's own folders are too deep.
        durable = {"appendonly": "yes", "appendfsync": "always"} if append_only else {}
        super().__init__(Path(tempfile.mkdtemp(prefix="redis-")), {"enable-debug-command": "local", **durable})

    def kill(self, *, forget: bool = False) -> None:
        """End the server as a loss of power would; with ``forget`` its data is lost too."""
        super().kill()
        if forget:
            shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)

    def pause(self) -> None:
        """Let the server hang."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a pause."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the server and remove its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The server that the tests of a process share; a test that stops its server uses ``own_redis``."""
    server = RedisServer()
    server.start()
    yield server
    server.close()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> Iterator[str]:
    """The address of an empty Redis."""
    with redis_server.client() as client:
        client.flushall()
    yield redis_server.url


@pytest.fixture
def redis_client(redis_server: RedisServer, redis_url: str) -> Iterator[Redis]:
    """A client of an empty Redis."""
    with redis_server.client() as client:
        yield client


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server with an append-only file for one test, which may pause, kill and restart it."""
    server = RedisServer(append_only=True)
    server.start()
    yield server
    server.close()

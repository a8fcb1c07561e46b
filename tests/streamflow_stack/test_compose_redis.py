"""The Redis of the compose file, started by its own command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from redis import AuthenticationError, Redis
from redis import ConnectionError as NoConnection

from streamflow_stack import ports, redis
from support.compose_file import FULL, ROOT, services
from support.running_product import eventually

USERS = {"streamflow": "redis_password", "broker": "broker_password"}
KEYS = {"streamflow": "{streamflow}:udi:run", "broker": "unacked"}


@pytest.fixture
def running(tmp_path: Path) -> Callable[[], AbstractContextManager[int]]:
    """Return a context in which the server runs with the same folder as before; it gives the port."""
    for user, file in USERS.items():
        (tmp_path / file).write_text(f"password-of-{user}")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "valkey-server").symlink_to(redis.binary())
    shell, option, program = services(FULL, {})["redis"].command

    @contextmanager
    def server() -> Iterator[int]:
        port = ports.any_free()
        own = f"{ROOT}/docker/valkey.conf --bind {ports.loopback()} --port {port} --dir {tmp_path}"
        command = program.replace("/run/secrets", str(tmp_path)).replace("/etc/valkey/valkey.conf", own)
        path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
        with subprocess.Popen([shell, option, command], env={"PATH": path}) as process:
            try:
                eventually(lambda: responds(port), 60)
                yield port
            finally:
                process.terminate()

    return server


def responds(port: int) -> bool:
    with Redis(port=port, username="health", password="none") as client:
        try:
            return bool(client.ping())
        except NoConnection:
            return False


def client_of(port: int, user: str) -> Redis:
    return Redis(port=port, username=user, password=f"password-of-{user}", decode_responses=True)


def test_transactions_survive_a_restart(running: Callable[[], AbstractContextManager[int]]) -> None:
    with running() as port:
        for user, key in KEYS.items():
            with client_of(port, user) as client, client.pipeline(transaction=True) as pipe:
                pipe.hset(key, "kept", user)
                pipe.rpush(f"{key}:list", 1, 2)
                pipe.execute()
    with running() as port:
        for user, key in KEYS.items():
            with client_of(port, user) as client:
                assert client.hget(key, "kept") == user
                assert client.llen(f"{key}:list") == 2


def test_nobody_is_the_default_user(running: Callable[[], AbstractContextManager[int]]) -> None:
    with running() as port:
        for password in (None, "", "password-of-streamflow"):
            with Redis(port=port, password=password) as client, pytest.raises(AuthenticationError):
                client.get(KEYS["streamflow"])

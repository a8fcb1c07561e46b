"""The login tokens of several machines: each has a home, and all share one Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from redis import Redis

from conftest import RedisServer
from streamflow.sources.dispatcharr.tokens import Tokens


class Server:
    """Issues tokens, and counts the logins and the refreshes."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.paths: list[str] = []

    def post(self, path: str, body: dict[str, str]) -> dict[str, str]:
        self.paths.append(path.rstrip("/").rpartition("/")[2])
        # Long enough for the others to come while one logs in.
        time.sleep(0.1)
        self.issued.append(f"access {len(self.issued)}")
        return {"access": self.issued[-1], "refresh": body.get("refresh", "refresh 1")}


def tokens(home: Path, redis: Redis | None) -> Tokens:
    return Tokens(home, "http://dispatcharr.test", "user", "pa55word", redis)


def at_once(*calls: Callable[[], object]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def test_many_machines_log_in_once(redis_client: Redis, tmp_path: Path) -> None:
    server, received = Server(), set()
    machines = [tokens(tmp_path / str(number), redis_client) for number in range(8)]
    at_once(*[lambda machine=machine: received.add(machine.access(server.post)) for machine in machines])  # type: ignore[misc]
    assert (server.paths, received) == (["token"], {"access 0"})


def test_a_token_that_was_rejected_on_many_machines_is_refreshed_once(redis_client: Redis, tmp_path: Path) -> None:
    server = Server()
    machines = [tokens(tmp_path / str(number), redis_client) for number in range(8)]
    old = machines[0].access(server.post)

    def renew(machine: Tokens) -> None:
        machine.forget(old)
        assert machine.access(server.post) == "access 1"

    at_once(*[lambda machine=machine: renew(machine) for machine in machines])  # type: ignore[misc]
    assert server.paths == ["token", "refresh"]


def test_tokens_in_redis_expire_and_hold_no_password(redis_client: Redis, tmp_path: Path) -> None:
    tokens(tmp_path, redis_client).access(Server().post)
    keys = [key.decode() for key in redis_client.keys("*")]  # type: ignore[union-attr]
    assert len(keys) == 1
    assert 0 < redis_client.ttl(keys[0]) <= 86_400  # type: ignore[operator]
    assert b"pa55word" not in (redis_client.get(keys[0]) or b"")  # type: ignore[operator]


def test_while_redis_is_away_the_home_keeps_the_tokens(own_redis: RedisServer, tmp_path: Path) -> None:
    server = Server()
    tokens(tmp_path, own_redis.client()).access(server.post)
    own_redis.kill()
    assert tokens(tmp_path, own_redis.client()).access(server.post) == "access 0"
    lone = tokens(tmp_path / "other", own_redis.client())
    assert lone.access(server.post) == "access 1"
    assert server.paths == ["token", "token"]

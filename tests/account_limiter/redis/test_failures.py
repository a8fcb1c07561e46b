"""Faults that the limiter survives: a lost connection, a restart of Redis, a server that cannot write."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from account_limiter import (
    AccountLimit,
    Granted,
    Holder,
    Lease,
    LeaseLost,
    Limiter,
    LimiterUnavailable,
    Queued,
    Refused,
    Request,
    connect,
    connect_async,
)
from account_limiter.airflow.hub import Hub
from account_limiter.redis.library import DEFAULT_PREFIX, library, translated

ONE = [AccountLimit(1, "one", 1)]
SETTINGS = {"lease_ttl": 0.5, "stagger_delay": 0.0, "global_limit": 4}


@contextmanager
def answer_lost_once(redis_path: str, path: str) -> Iterator[None]:
    """Forward to Redis, and break the connection once after a command has run and before its reply."""
    losses = iter([True])

    def carry(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(redis_path)
            while command := client.recv(1 << 16):
                server.sendall(command)
                answer = server.recv(1 << 16)
                if b"FCALL" in command and next(losses, False):
                    return
                client.sendall(answer)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(client,), daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def test_a_call_whose_reply_was_lost_is_repeated_and_takes_one_slot(
    limiter: Limiter, redis_url: str, request_of: Callable[..., Request], tmp_path: Path
) -> None:
    path = str(tmp_path / "lossy")
    limiter.acquire(request_of(3), "load the library")
    with answer_lost_once(redis_url.removeprefix("unix://"), path), connect(unix_socket_path=path) as lossy:
        answer = Limiter(lossy).acquire(request_of(1), "h")
        assert isinstance(answer, Granted)
        assert limiter.snapshot().active == 2
        assert Limiter(lossy).release(answer.lease)


def test_connections_that_redis_closed_are_opened_again(
    limiter: Limiter, take: Callable[..., Lease], redis_client: Redis
) -> None:
    lease = take(1)
    redis_client.client_kill_filter(_type="normal", skipme=False)
    assert limiter.renew(lease).over == 0


@pytest.mark.parametrize("forget", [False, True])
def test_running_holders_keep_their_slots_over_a_restart(own_redis: Any, forget: bool) -> None:
    with own_redis.client() as client:
        limiter = Limiter(client)
        limiter.configure(accounts=ONE, **SETTINGS | {"lease_ttl": 30})
        limiter.open_now()
        answer = limiter.acquire(Request("a", 1), "h")
        assert isinstance(answer, Granted)
        own_redis.kill(forget=forget)
        with pytest.raises(LimiterUnavailable):
            limiter.snapshot()
        own_redis.start()
        newcomer = limiter.acquire(Request("b", 1), "h", enqueue=False)
        assert newcomer == Refused("unknown_account" if forget else "closed")
        if not forget:
            queued = limiter.acquire(Request("c", 1), "h")
            assert isinstance(queued, Queued) and queued.reason == "closed"
            limiter.drop("c")
        limiter.renew(answer.lease)
        limiter.configure(accounts=ONE)
        limiter.open_now()
        assert limiter.acquire(Request("b", 1), "h", enqueue=False) == Refused("full")
        assert limiter.release(answer.lease)
        assert isinstance(limiter.acquire(Request("b", 1), "h", enqueue=False), Granted)


@pytest.mark.parametrize(("forget", "expected"), [(False, ("granted", "")), (True, ("refused", "unknown_account"))])
async def test_waiters_live_through_a_restart(own_redis: Any, forget: bool, expected: tuple[str, str]) -> None:
    hub = Hub(lambda: connect_async(unix_socket_path=str(own_redis.socket)))
    with own_redis.client() as client:
        limiter = Limiter(client)
        limiter.configure(accounts=ONE, **SETTINGS)
        limiter.open_now()
        limiter.acquire(Request("crashes", 1), "h")
        waiting = asyncio.create_task(hub.wait(Request("waits", 1)))
        async with asyncio.timeout(5):
            while not limiter.snapshot().waiting:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        own_redis.kill(forget=forget)
        await asyncio.to_thread(own_redis.start)
        outcome = await asyncio.wait_for(waiting, 60)
    await hub.close()
    assert (outcome.status, outcome.reason) == expected
    assert outcome.rank, "the place is kept even if Redis has lost it"


def test_a_server_that_cannot_write_grants_no_slot(own_redis: Any) -> None:
    with own_redis.client() as client:
        limiter = Limiter(client)
        limiter.configure(accounts=ONE, **SETTINGS | {"lease_ttl": 30})
        limiter.open_now()
        answer = limiter.acquire(Request("a", 1), "h")
        assert isinstance(answer, Granted)
        client.replicaof("127.0.0.1", 1)
        with pytest.raises(LimiterUnavailable):
            limiter.acquire(Request("b", 1), "h")
        with pytest.raises(LimiterUnavailable):
            limiter.renew(answer.lease)
        client.replicaof("no", "one")
        assert limiter.renew(answer.lease).over == 0


def test_after_a_failover_to_a_replica_that_lacks_the_latest_leases_the_limit_holds(
    own_redis: Any, redis_client: Redis, request_of: Callable[..., Request]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    with own_redis.client() as main:
        main.config_set("port", port)
        limiter = Limiter(main)
        limiter.configure(accounts=[AccountLimit(1, "two", 2)], **SETTINGS | {"lease_ttl": 30})
        limiter.open_now()
        first = limiter.acquire(request_of(1), "h")
        redis_client.replicaof("127.0.0.1", port)
        try:
            deadline = time.monotonic() + 10
            while redis_client.hlen(library().keys["leases"]) < 1:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            redis_client.replicaof("no", "one")
        # The replication may have taken longer than the silence after which no slot is granted for a moment.
        latest = limiter.wait(request_of(1), "h", timeout=5)
        own_redis.kill()
        assert isinstance(first, Granted) and isinstance(latest, Granted)
        promoted = Limiter(redis_client)
        assert promoted.acquire(request_of(1), "h", enqueue=False) == Refused("closed")
        for known in (latest, first):
            promoted.renew(known.lease)
        promoted.open_now()
        assert promoted.acquire(request_of(1), "h", enqueue=False) == Refused("full")


def test_a_server_that_hangs_costs_no_lease_unless_it_hangs_for_too_long(own_redis: Any) -> None:
    with own_redis.client() as client, own_redis.client() as hangs:
        limiter = Limiter(client)
        limiter.configure(accounts=ONE, **SETTINGS | {"lease_ttl": 1.0})
        limiter.open_now()
        answer = limiter.acquire(Request("a", 1), "h")
        assert isinstance(answer, Granted)
        with Holder(limiter, answer.lease) as holder:
            hangs.execute_command("DEBUG", "SLEEP", "0.4")
            assert not holder.lost.wait(1.0)
            hangs.execute_command("DEBUG", "SLEEP", "1.2")
            assert holder.lost.is_set(), "the holder stops before its slot is granted again"
        assert isinstance(limiter.wait(Request("b", 1), "h", timeout=5), Granted)


def test_a_late_renewal_fails_when_the_slot_is_in_use(limiter: Limiter, clock: Any) -> None:
    first = limiter.acquire(Request("a", 1), "h")
    assert isinstance(first, Granted)
    clock.move(31)
    assert isinstance(limiter.acquire(Request("b", 1), "h"), Granted)
    with pytest.raises(LeaseLost, match="full"):
        limiter.renew(first.lease)


def test_keys_of_another_layout_are_ignored(redis_client: Redis) -> None:
    redis_client.hset(DEFAULT_PREFIX + "leases", "a", "held|h|1|account-1|0|0|0|0|{}")
    redis_client.hset(DEFAULT_PREFIX + "meta", "global_limit", "1")
    limiter = Limiter(redis_client)
    limiter.configure(accounts=ONE, **SETTINGS)
    limiter.open_now()
    assert isinstance(limiter.acquire(Request("b", 1), "h"), Granted)


def test_the_error_for_a_redis_without_functions_names_the_required_version() -> None:
    # The text of Redis 6.2; the client removes "ERR".
    error = translated(ResponseError("unknown command `FCALL`, with args beginning with: `x`, `1`, "))
    assert isinstance(error, LimiterUnavailable)
    assert "Redis 7.0 or newer, or Valkey, is needed" in str(error)

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient

from account_limiter import Lease, Limiter, Request, connect
from account_limiter.web.routes import Concurrency, router


def client_of(limiter: Limiter, *, may_edit: bool = True) -> TestClient:
    def editor() -> None:
        if not may_edit:
            raise HTTPException(403)

    app = FastAPI()
    app.include_router(
        router(
            limiter=lambda: limiter,
            concurrency=lambda: Concurrency(enabled=True, global_limit=7),
            reader=Depends(lambda: None),
            editor=Depends(editor),
        )
    )
    return TestClient(app)


@pytest.fixture
def client(limiter: Limiter) -> TestClient:
    return client_of(limiter)


def test_status_returns_leases_and_waiters(
    limiter: Limiter, client: TestClient, take: Callable[..., Lease], request_of: Callable[..., Request]
) -> None:
    take(2, labels={"stream_id": 12, "dag_id": "check", "run_id": "r", "map_index": 0})
    limiter.acquire(request_of(1), "a")
    limiter.acquire(request_of(1), "b")
    limiter.set_viewers({"account-2": 1})
    status = client.get("/concurrency/status").json()
    assert (status["mode"], status["redis"]) == ("concurrent", "up")
    assert status["global"] == {"limit": 4, "active": 2, "waiting": 1}
    two = next(account for account in status["accounts"] if account["account_id"] == 2)
    expected = {"name": "two", "limit": 2, "effective_limit": 1, "viewers": 1, "active": 1, "waiting": 0}
    assert two.items() >= expected.items()
    lease = next(lease for lease in status["leases"] if lease["account_id"] == 2)
    assert lease["labels"] == {"stream_id": 12, "dag_id": "check", "run_id": "r", "map_index": 0}


def test_without_redis_the_mode_is_sequential() -> None:
    away = client_of(Limiter(connect(unix_socket_path="/nonexistent/redis.sock")))
    status = away.get("/concurrency/status").json()
    assert (status["mode"], status["redis"], status["global"]["limit"]) == ("sequential", "down", 7)


def test_history_returns_series_of_equal_steps(
    limiter: Limiter, client: TestClient, take: Callable[..., Lease]
) -> None:
    lease = take(2)
    take(1)
    limiter.release(lease)
    series = client.get("/concurrency/history", params={"since": time.time() - 600, "step": 60}).json()
    assert series["step"] == 60
    assert len(series["at"]) == len(series["global"]["active"]) in (10, 11)
    assert sum(series["global"]["granted"]) == 2
    assert sum(series["global"]["finished"]) == 1
    assert [account["account_id"] for account in series["accounts"]] == ["1", "2"]
    assert client.get("/concurrency/history").json()["step"] == 60


@pytest.mark.parametrize("query", ["step=1", "step=x", "since=yesterday"])
def test_history_refuses_an_invalid_query(client: TestClient, query: str) -> None:
    assert client.get(f"/concurrency/history?{query}").status_code == 422


def test_reset_is_for_editors(limiter: Limiter, client: TestClient, take: Callable[..., Lease]) -> None:
    take(1)
    assert client_of(limiter, may_edit=False).post("/concurrency/reset").status_code == 403
    assert client.post("/concurrency/reset").json() == {"released": 1, "waiters_dropped": 0}

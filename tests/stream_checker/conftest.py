"""The routes as a client sees them: over HTTP, behind Airflow's auth manager, over a real Redis with data."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow.models.dag import DagModel
from redis import Redis
from sqlalchemy import create_engine, delete
from sqlalchemy.orm import Session

from account_limiter import Lease, Limiter
from streamflow import config
from streamflow.config import Config
from streamflow.udi import Udi, open_udi

from . import library
from .server import Server


@pytest.fixture(scope="session")
def server(redis_server: Any, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Server]:
    """Start the API server of this test process."""
    base = tmp_path_factory.getbasetemp()
    server = Server(
        tmp_path_factory.mktemp("airflow"), redis_server.socket, base if worker_id == "master" else base.parent
    )
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def udi(server: Server, redis_client: Redis) -> Udi:
    """Return the UDI with a library and results, and with nothing of an earlier test."""
    home = server.home / "streamflow"
    _empty(home / "udi" / "udi.db")
    store = open_udi(redis_client, home)
    library.fill(store)
    return store


def _empty(file: Path) -> None:
    """Delete all rows of a file store that the server has open."""
    if not file.exists():
        return
    with closing(sqlite3.connect(file, timeout=30)) as db, db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            db.execute(f'DELETE FROM "{table}"')  # noqa: S608 - names of the schema


@pytest.fixture
def limiter(redis_client: Redis) -> Limiter:
    """Return the limiter without accounts."""
    return Limiter(redis_client)


@pytest.fixture
def lease(limiter: Limiter) -> Lease:
    """Return the lease of a slot in use; the limiter knows the library's accounts."""
    return library.limits(limiter)


@pytest.fixture
def admin(server: Server, udi: Udi, lease: Lease) -> Iterator[httpx.Client]:
    """Return a client with every right, of a server with data."""
    with server.client("admin") as client:
        yield client


@pytest.fixture
def defaults(server: Server) -> Iterator[None]:
    """Give the settings their defaults before and after the test."""
    file = server.home / "settings" / "stream_checker_config.json"
    config.save(Config(), file)
    yield
    config.save(Config(), file)


@pytest.fixture
def dag(server: Server) -> Iterator[Callable[..., None]]:
    """Return a function that makes a DAG in Airflow's database as the DAG processor does; it leaves with the test."""
    with Session(create_engine(f"sqlite:///{server.home / 'airflow.db'}")) as session:

        def make(dag_id: str, cron: str, next_start: datetime | None = None, *, is_paused: bool = False) -> None:
            file = "check_streams.py" if dag_id == "check_streams" else "check_schedules.py"
            made = DagModel(
                dag_id=dag_id, fileloc=f"/dags/{file}", bundle_name="tests", timetable_summary=cron, is_stale=False
            )
            made.is_paused, made.next_dagrun_create_after = is_paused, next_start
            session.add(made)
            session.commit()

        yield make
        session.execute(delete(DagModel))
        session.commit()


@pytest.fixture
def redis_away(server: Server, redis_server: Any) -> Callable[[], AbstractContextManager[None]]:
    """Return a context in which Redis is unavailable: its socket has another name, and all connections are cut."""

    @contextmanager
    def away() -> Iterator[None]:
        hidden: Path = redis_server.socket.with_name("hidden")
        redis_server.socket.rename(hidden)
        try:
            with Redis(unix_socket_path=str(hidden)) as client:
                client.client_kill_filter(_type="normal", skipme=True)
                client.client_kill_filter(_type="pubsub", skipme=True)
            yield
        finally:
            hidden.rename(redis_server.socket)
            (server.home / "streamflow" / "udi" / "redis.away").unlink(missing_ok=True)

    return away

"""A row of Airflow's audit log that waits for the database keeps no other request waiting."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow.api_fastapi.common.db.common import _get_session
from airflow.api_fastapi.core_api.security import get_user
from airflow.api_fastapi.logging import decorators
from fastapi import Depends, FastAPI

from stream_checker.airflow import audit_log
from streamflow_stack.airflow import root


class Session:
    """A session whose commit waits until another request has ended."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.is_asked = threading.Event()
        self.is_free = threading.Event()
        self.waited: list[bool] = []

    def add(self, row: Any) -> None:
        """Take a row."""
        self.rows.append(row)

    def commit(self) -> None:
        """Wait for the other request."""
        self.is_asked.set()
        self.waited.append(self.is_free.wait(10))


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def app(session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    monkeypatch.setattr(decorators, "action_logging", decorators.action_logging)
    audit_log.install()
    made = FastAPI()
    made.dependency_overrides = {_get_session: lambda: session, get_user: lambda: None}

    @made.patch("/dags/{dag_id}", dependencies=[Depends(decorators.action_logging(event="patched"))])
    def patch(dag_id: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"dag_id": dag_id, **body}

    @made.get("/other")
    async def other() -> None:
        session.is_free.set()

    yield made


async def test_a_row_that_waits_keeps_no_other_request_waiting(app: FastAPI, session: Session) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        patched = asyncio.create_task(client.patch("/dags/one", json={"note": "two"}))
        assert await asyncio.to_thread(session.is_asked.wait, 10)
        await client.get("/other")
        response = await patched
    assert response.json() == {"dag_id": "one", "note": "two"}
    (row,) = session.rows
    assert (row.event, row.dag_id, session.waited) == ("patched", "one", [True])


ROUTES = """
import sys
sys.argv = ["airflow", "api-server"]
import airflow.settings
from airflow.api_fastapi.core_api.routes.public.dags import dags_router
logs = [one.dependency for route in dags_router.routes if "PATCH" in route.methods for one in route.dependencies]
print([hasattr(log, "__wrapped__") for log in logs if "action_logging" in log.__qualname__])
"""


@pytest.mark.stack
def test_the_plugin_is_loaded_before_airflow_defines_its_routes(tmp_path: Path) -> None:
    env = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root() / "plugins"),
        "AIRFLOW__CORE__LAZY_LOAD_PLUGINS": "False",
        "PYTHONPATH": os.pathsep.join(str(root() / folder) for folder in ("include", "plugins")),
    }
    printed = subprocess.run([sys.executable, "-c", ROUTES], env=env, capture_output=True, text=True, timeout=120)
    assert printed.stdout.splitlines()[-1] == "[True, True]", printed.stderr[-2000:]

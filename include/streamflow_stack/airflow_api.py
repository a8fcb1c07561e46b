"""A client of Airflow's REST API: login, health, pools, DAGs and runs, and StreamFlow's own routes beside them."""

from __future__ import annotations

import time
from typing import Any

import httpx

from streamflow.errors import StreamFlowError


class AirflowError(StreamFlowError):
    """Airflow refused a request or does not answer."""


class AirflowApi:
    """One session; the token is fetched on first use and again when it has expired."""

    def __init__(self, address: str, username: str, password: str) -> None:
        self.address = address
        self._login = {"username": username, "password": password}
        self._client = httpx.Client(base_url=address, timeout=30)

    def health(self) -> dict[str, Any] | None:
        """The health of Airflow's components, or None while the server does not answer."""
        try:
            # What tasks talk to is made at its first request, which blocks the server for seconds, on a busy machine
            # for half a minute: better before it is called healthy than when the first task starts.
            self._client.get("/execution/health", timeout=5)
            answer = self._client.get("/api/v2/monitor/health", timeout=5)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def request(self, method: str, path: str, *, missing_ok: bool = False, **options: Any) -> Any:
        """Call a route and answer its JSON (None for 404 where ``missing_ok``); raises AirflowError."""
        try:
            if "Authorization" not in self._client.headers:
                self._log_in()
            answer = self._client.request(method, path, **options)
            if answer.status_code == 401:
                self._log_in()
                answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise AirflowError(f"{self.address} does not answer ({type(error).__name__}): is the stack up?") from error
        if answer.status_code == 404 and missing_ok:
            return None
        if answer.is_error:
            raise AirflowError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def _log_in(self) -> None:
        answer = self._client.post("/auth/token", json=self._login)
        if answer.status_code != 201:
            raise AirflowError(f"{self.address} refused the login of {self._login['username']}: {answer.status_code}")
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def set_pool(self, name: str, slots: int, description: str) -> None:
        """Create the pool or resize it."""
        body = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        if self.request("GET", f"/api/v2/pools/{name}", missing_ok=True) is None:
            self.request("POST", "/api/v2/pools", json=body)
        else:
            self.request("PATCH", f"/api/v2/pools/{name}", params={"update_mask": "slots"}, json=body)

    def has_dag(self, dag_id: str) -> bool:
        return self.request("GET", f"/api/v2/dags/{dag_id}", missing_ok=True) is not None

    def import_errors(self) -> list[dict[str, Any]]:
        return list(self.request("GET", "/api/v2/importErrors")["import_errors"])

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run now; returns its id."""
        body = {"logical_date": None, "conf": conf}
        return str(self.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return dict(self.request("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"))

    def wait(self, dag_id: str, run_id: str, *, timeout: float, poll: float = 1.0) -> str:
        """Wait for a run's end; returns its state. Raises AirflowError on time-out."""
        deadline = time.monotonic() + timeout
        while (state := str(self.run(dag_id, run_id)["state"])) not in ("success", "failed"):
            if time.monotonic() > deadline:
                raise AirflowError(f"{dag_id} {run_id} is still {state} after {timeout:.0f} s")
            time.sleep(poll)
        return state

"""A client of Airflow's REST API: login, health, DAGs and runs, and StreamFlow's own routes beside them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from streamflow.errors import StreamFlowError
from streamflow.plain_text import plain_values

REQUEST_SECONDS = 30.0
HEALTH_SECONDS = 5.0
ENDS = ("success", "failed")
STREAMFLOW = "/api/stream-checker/"


class AirflowError(StreamFlowError):
    """Airflow rejected a request."""


class AirflowUnreachable(AirflowError):
    """Airflow sent no response in time; the same request may succeed later."""


class AirflowApi:
    """A session with Airflow.

    The token is fetched at the first request, and again when it has expired.
    """

    def __init__(self, address: str, username: str, password: str) -> None:
        self.address = address
        self._login = {"username": username, "password": password}
        self._client = httpx.Client(base_url=address, timeout=REQUEST_SECONDS)

    def health(self) -> dict[str, Any] | None:
        """Return the health of Airflow's components; None while the server does not respond."""
        try:
            # The server builds the routes that tasks use at the first request to one of them, which blocks it for up
            # to half a minute. It must not be called healthy before.
            self._client.get("/execution/health", timeout=HEALTH_SECONDS)
            response = self._client.get("/api/v2/monitor/health", timeout=HEALTH_SECONDS)
        except httpx.HTTPError:
            return None
        return response.json() if response.status_code == 200 else None

    def request(self, method: str, path: str, *, missing_ok: bool = False, **options: Any) -> Any:
        """Call a route.

        :param missing_ok: return None for a response with status 404.
        :param options: further arguments of :meth:`httpx.Client.request`.
        :returns: the JSON of the response; None for an empty one.
        :raises AirflowUnreachable: There was no response.
        :raises AirflowError: The response is an error.
        """
        try:
            if "Authorization" not in self._client.headers:
                self._log_in()
            response = self._client.request(method, path, **options)
            if response.status_code == 401:
                self._log_in()
                response = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise AirflowUnreachable(
                f"{self.address} does not respond ({type(error).__name__}): is the stack up?"
            ) from error
        if response.status_code == 404 and missing_ok:
            return None
        if response.is_error:
            raise AirflowError(_reason(response) or f"{method} {path}: {response.status_code} {response.text[:500]}")
        if not response.content:
            return None
        # StreamFlow's routes return names from providers, and commands print them on terminals.
        return plain_values(response.json()) if path.startswith(STREAMFLOW) else response.json()

    def _log_in(self) -> None:
        response = self._client.post("/auth/token", json=self._login)
        if response.status_code != 201:
            raise AirflowError(
                f"{self.address} rejected the login of {self._login['username']}: {response.status_code}"
            )
        self._client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    def has_dag(self, dag_id: str) -> bool:
        """Return whether Airflow knows a DAG."""
        return self.request("GET", f"/api/v2/dags/{dag_id}", missing_ok=True) is not None

    def import_errors(self) -> list[dict[str, Any]]:
        """Return the errors of DAG files that could not be imported."""
        return list(self.request("GET", "/api/v2/importErrors")["import_errors"])

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run now and return its id."""
        body = {"logical_date": None, "conf": conf}
        return str(self.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run as Airflow describes it."""
        return dict(self.request("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"))

    def wait(
        self,
        dag_id: str,
        run_id: str,
        *,
        timeout: float,
        poll: float = 1.0,
        check: Callable[[], None] = lambda: None,
    ) -> str:
        """Wait for the end of a run.

        :param timeout: seconds.
        :param poll: seconds between two requests.
        :param check: called before each request; may raise an error.
        :returns: the final state, ``success`` or ``failed``.
        :raises AirflowError: The run has not ended in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            check()
            state = str(self.run(dag_id, run_id)["state"])
            if state in ENDS:
                return state
            if time.monotonic() > deadline:
                raise AirflowError(f"{dag_id} {run_id} is still {state} after {timeout:.0f} s")
            time.sleep(poll)


def _reason(response: httpx.Response) -> str | None:
    """Return the sentence for people in a problem document (RFC 9457); None for any other response."""
    if response.headers.get("content-type") != "application/problem+json":
        return None
    detail = plain_values(response.json()).get("detail")
    return str(detail) if detail else None

"""Measure the page over a library of 20,000 streams in 2,000 channels, while results of a run arrive.

A real API server of Airflow handles the requests of each view, one at a time, from a user with a token, as a browser
sends them. Each line has the view, the median of all of its requests and the 95th percentile of the slowest one, in
milliseconds. Then headless Chromium opens some views with an empty cache. The time counts from the navigation of the
frame until the view shows its data and can be used. The server has a database and a Redis of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from redis import Redis

from bench.browser import PROGRAM, Tab
from bench.udi import library
from streamflow.records import Result, Run
from streamflow.udi import open_udi
from streamflow_stack import ports
from streamflow_stack.airflow import root
from streamflow_stack.redis import temporary_server

STREAMS, ROUNDS, PATIENCE_SECONDS = 20_000, 40, 300.0
GOAL_MS, INTERACTIVE_GOAL_MS = 150, 1000
# Results that arrive meanwhile: ten checks at the same time of about 2 s each.
RESULTS_PER_SECOND = 5.0
LOADS = 12
OPENED_VIEWS = (
    "overview",
    "results",
    "channel",
    "channel/1",
    "stream/3",
    f"run/{quote('manual__2026-01-02T03:04:05+00:00')}",
)
# Runs before the page's own scripts: notes when the view first shows its data and has something to use.
NOTE_INTERACTIVE = """
(() => {
  const look = () => {
    const main = document.getElementById("main");
    const notices = [...(main?.querySelectorAll("[role=status]") ?? [])];
    const isLoading = notices.some((one) => one.innerText.startsWith("Loading"));
    if (main?.querySelector("h2, table") && !isLoading && main.querySelector("a, button:enabled")) {
      window.interactiveAt = performance.now();
    } else {
      requestAnimationFrame(look);
    }
  };
  requestAnimationFrame(look);
})();
"""
RUN_STREAMS = 500
VERDICTS = (("ok", None), ("ok", None), ("ok", None), ("degraded", "black_video"), ("dead", "http_404"))
RUN = "manual__2026-01-02T03:04:05+00:00"


def requests(stream_ids: Sequence[int]) -> Mapping[str, list[str]]:
    """Return the requests of each view.

    :param stream_ids: streams of the first page of the results.
    """
    scores = "&".join(f"stream_id={id}" for id in stream_ids[:50])
    return {
        "overview": ["overview", "estimate"],
        "now": ["concurrency/status", "probes"],
        "run": ["runs?limit=50", f"runs/{RUN}?streams=false", f"runs/{RUN}", f"runs/{RUN}/airflow"],
        "results": ["results?limit=50", "groups", "explanations", f"results/scores?{scores}"],
        "results, sorted and filtered": ["results?limit=50&sort=-score&status=ok", "results?limit=50&q=number 1"],
        "channels": ["channels?limit=50", "channels?limit=50&q=number 1"],
        "channel": ["channels/1", "channels/1/changes"],
        "stream": [f"streams/{stream_ids[0]}", f"streams/{stream_ids[0]}/history"],
        "history": ["concurrency/history"],
        "policies": ["policies"],
        "settings": ["settings", "settings/schema", "settings/changes"],
        "workers": ["workers/health"],
        "provider": ["accounts/1/report"],
        "report": [f"runs/{RUN}/report"],
    }


def run(streams: int = STREAMS, rounds: int = ROUNDS) -> Iterator[dict[str, Any]]:
    """Yield the figures of each view."""
    with tempfile.TemporaryDirectory(prefix="page-") as folder, temporary_server() as redis:
        home = Path(folder)
        with Redis(unix_socket_path=str(redis.socket)) as client:
            ids = _fill(client, home / "streamflow", streams)
        with _api(home, redis.socket) as (api, token), _arriving(home / "streamflow", redis.socket, ids):
            for view, paths in requests(ids).items():
                figures = _measured(api, paths, rounds)
                yield {"bench": "page", "streams": streams, "view": view} | figures | {"goal_p95_ms": GOAL_MS}
            yield from _opened(str(api.base_url), token, streams)


def _measured(api: httpx.Client, paths: list[str], rounds: int) -> dict[str, Any]:
    """Return the figures of some requests, without the first round, which fills the caches."""
    times: dict[str, list[float]] = {path: [] for path in paths}
    for _ in range(rounds + 1):
        for path, taken in times.items():
            began = time.perf_counter()
            response = api.get(path)
            taken.append((time.perf_counter() - began) * 1000)
            # The health of the workers has status 503, because there is no worker.
            if response.status_code not in (200, 503):
                response.raise_for_status()
    p95s = {path: statistics.quantiles(taken[1:], n=20)[-1] for path, taken in times.items()}
    slowest = max(p95s, key=lambda path: p95s[path])
    every = [one for taken in times.values() for one in taken[1:]]
    return {
        "median_ms": round(statistics.median(every), 1),
        "p95_ms": round(p95s[slowest], 1),
        "slowest": slowest.partition("?")[0],
    }


def _fill(redis: Redis, home: Path, streams: int) -> list[int]:
    """Publish a library with a result for each stream, and a run; return the ids of the streams."""
    store, snapshot, now = open_udi(redis, home), library(streams), datetime.now(UTC)
    store.publish(snapshot, force=True)
    ids = [stream.id for stream in snapshot.streams]
    for place, stream in enumerate(snapshot.streams):
        verdict, reason = VERDICTS[place % len(VERDICTS)]
        measured = {"score": place % 100 / 100, "bitrate_kbps": 1000 + place % 9000, "width": 1920, "height": 1080}
        result = {"stream_id": stream.id, "account_id": stream.account_id, "verdict": verdict, "reason": reason}
        at = {"checked_at": now - timedelta(seconds=place % 80_000)}
        store.runs.settle("no run", Result.model_validate(result | measured | at))
    chosen = [channel for channel in snapshot.channels if channel.id <= RUN_STREAMS // 10]
    channels = {channel.id: channel.stream_ids for channel in chosen}
    planned = tuple(dict.fromkeys(id for own in channels.values() for id in own))
    store.runs.open(Run(run_id=RUN, started_at=now, mode="concurrent", stream_ids=planned, channels=channels))
    return sorted(ids)


@contextmanager
def _arriving(home: Path, socket: Path, ids: Sequence[int]) -> Iterator[None]:
    """Let results arrive in the run."""
    is_over = threading.Event()

    def settle() -> None:
        with Redis(unix_socket_path=str(socket)) as client:
            store = open_udi(client, home)
            for id in cycle(ids[:RUN_STREAMS]):
                if is_over.wait(1 / RESULTS_PER_SECOND):
                    return
                result = {"stream_id": id, "account_id": 1, "verdict": "ok", "score": 0.5, "run_id": RUN}
                store.runs.settle(RUN, Result.model_validate(result | {"checked_at": datetime.now(UTC)}))

    thread = threading.Thread(target=settle)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _opened(address: str, token: str, streams: int) -> Iterator[dict[str, Any]]:
    """Yield the time after which each view can be used in a browser with an empty cache."""
    if PROGRAM is None:
        return
    with Tab() as tab:
        tab.log_in(address, token)
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=NOTE_INTERACTIVE)
        for view in OPENED_VIEWS:
            times = []
            for _ in range(LOADS):
                tab.call("Network.clearBrowserCache")
                tab.show(f"{address}page/#{view}")
                tab.until("window.interactiveAt")
                times.append(float(tab.value("window.interactiveAt")))
            yield {
                "bench": "page",
                "streams": streams,
                "opened": view.partition("/")[0] + ("/…" if "/" in view else ""),
                "median_ms": round(statistics.median(times)),
                "p95_ms": round(statistics.quantiles(times, n=20)[-1]),
                "goal_ms": INTERACTIVE_GOAL_MS,
            }


@contextmanager
def _api(home: Path, socket: Path) -> Iterator[tuple[httpx.Client, str]]:
    """Start an API server with a database of its own, and return a client with a token, and the token."""
    address = f"http://127.0.0.1:{ports.any_free()}"
    settings = {
        "CORE__DAGS_FOLDER": str(home / "dags"),
        "CORE__PLUGINS_FOLDER": str(root() / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "API__BASE_URL": address,
        "API_AUTH__JWT_SECRET": "a secret of this benchmark alone, of more than sixty-four bytes in all, for HS512",
        "LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "REDIS", "STREAMFLOW"))}
    env |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_API_APPS": "core",
        "STREAMFLOW_HOME": str(home / "streamflow"),
        "REDIS_SOCKET": str(socket),
        "PYTHONPATH": os.pathsep.join(str(root() / part) for part in ("include", "plugins")),
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
    }
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=env, check=True, capture_output=True)
    command = [sys.executable, "-m", "uvicorn", "airflow.api_fastapi.main:app", "--log-level", "warning"]
    server = subprocess.Popen(
        [*command, "--port", address.rpartition(":")[2]], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        token = _token(address, server)
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"{address}/api/stream-checker/", headers=headers, timeout=60) as client:
            yield client, token
    finally:
        server.terminate()
        server.wait()


def _token(address: str, server: subprocess.Popen[bytes]) -> str:
    """Return a token as soon as the server responds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return str(httpx.get(f"{address}/auth/token", timeout=60).raise_for_status().json()["access_token"])
        except httpx.TransportError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    for line in run():
        print(json.dumps(line), flush=True)

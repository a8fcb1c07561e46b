"""One run over two workers, two schedulers and two triggerers, while one part after another fails."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from streamflow import thumbnails
from streamflow.config import Config
from streamflow.udi.sqlite.store import FileStore
from streamflow_stack.airflow_api import AirflowApi, AirflowError
from streamflow_stack.cli.demo import Lab

from .conftest import GLOBAL_LIMIT, LEASE_TTL
from .fleet import Fleet, eventually

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(2400)]

API = "/api/stream-checker"
STREAMS = 300
# The time that a busy machine needs; a quiet one needs a fifth.
RUN_SECONDS = 1500
PAUSE_SECONDS = 10
# A change of the settings on the page.
CHANGE = {"stagger_delay": 0.1}
RESTART_SECONDS = 2


@dataclass(frozen=True)
class Run:
    """A run of ``check_streams`` as the API describes it."""

    api: AirflowApi
    run_id: str

    def state(self) -> dict[str, Any]:
        """Return the run as ``GET /runs/{run_id}`` does."""
        return dict(self.api.request("GET", f"{API}/runs/{quote(self.run_id, safe='')}"))

    def done(self) -> int:
        """Return the number of streams with a verdict; 0 while the API does not know it."""
        try:
            verdicts = self.state()["verdicts"]
        except AirflowError:
            # A file store behind a Redis that is away may not hold the run.
            return 0
        return sum(count for verdict, count in verdicts.items() if verdict != "pending")

    def has_ended(self) -> bool:
        """Return whether Airflow has finished the run."""
        return self.api.run("check_streams", self.run_id)["state"] in ("success", "failed")

    def tasks(self) -> list[dict[str, Any]]:
        """Return the task instances of the run."""
        path = f"/api/v2/dags/check_streams/dagRuns/{quote(self.run_id, safe='')}/taskInstances"
        found: list[dict[str, Any]] = []
        while True:
            page = self.api.request("GET", path, params={"limit": 100, "offset": len(found)})
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                return found


def limiter(api: AirflowApi) -> dict[str, Any]:
    """Return the slots in use."""
    return dict(api.request("GET", f"{API}/concurrency/status"))


def held(fleet: Fleet) -> set[tuple[str, str]]:
    """Return the held leases, by id and time. Grants that no task has fetched expire later and are left out."""
    leases = limiter(fleet.api())["leases"]
    return {(lease["lease_id"], lease["acquired_at"]) for lease in leases if lease["state"] == "held"}


def killed_and_started_again(fleet: Fleet, name: str) -> None:
    """Kill a part, start it again as ``restart: unless-stopped`` does, and check that its slots are released."""
    before = held(fleet)
    fleet.kill(name)
    died = time.monotonic()
    time.sleep(RESTART_SECONDS)
    fleet.start(name)
    time.sleep(max(0.0, died + LEASE_TTL + 1 - time.monotonic()))
    # A check takes two seconds, so a lease from before the kill would be a dead holder's.
    assert held(fleet) & before == set()


def redis_is_restarted(fleet: Fleet) -> None:
    fleet.kill("redis")
    time.sleep(RESTART_SECONDS)
    fleet.start("redis")


def postgres_is_paused(fleet: Fleet) -> None:
    fleet.postgres.pause()
    time.sleep(PAUSE_SECONDS)
    fleet.postgres.go_on()


def dispatcharr_is_cut_off(fleet: Fleet) -> None:
    fleet.dispatcharr.cut()
    time.sleep(PAUSE_SECONDS)
    fleet.dispatcharr.restore()


def worker_is_killed(fleet: Fleet) -> None:
    killed_and_started_again(fleet, "worker-1")


def triggerer_is_killed(fleet: Fleet) -> None:
    killed_and_started_again(fleet, "triggerer-1")


def scheduler_is_killed(fleet: Fleet) -> None:
    killed_and_started_again(fleet, "scheduler-1")


def second_host_is_cut_off(fleet: Fleet) -> None:
    if not fleet.host.name:
        return
    before = held(fleet)
    fleet.host.unplug()
    # The checks of that host must end before others get their slots.
    time.sleep(LEASE_TTL + PAUSE_SECONDS)
    assert held(fleet) & before == set()
    fleet.host.plug()


# The faults, by the number of streams that have a verdict when each one happens.
FAULTS: dict[int, Callable[[Fleet], None]] = {
    20: worker_is_killed,
    70: triggerer_is_killed,
    110: scheduler_is_killed,
    130: second_host_is_cut_off,
    150: redis_is_restarted,
    190: postgres_is_paused,
    240: dispatcharr_is_cut_off,
}


@pytest.fixture(scope="module")
def run(fleet: Fleet, provider: Lab) -> Run:
    """The finished run."""
    api = fleet.api()
    refresh = api.trigger("refresh_udi", {})
    assert api.wait("refresh_udi", refresh, timeout=240) == "success"
    httpx.post(f"{provider.provider}/lab/reset").raise_for_status()
    # As the page does it. No service but the API server has the settings file of its home.
    api.request("PUT", f"{API}/concurrency/config", json=CHANGE)
    run = Run(api, api.trigger("check_streams", {"force": True, "sample_seconds": 1}))
    started = time.monotonic()
    eventually(lambda: api.request("GET", f"{API}/runs/{run.run_id}", missing_ok=True), 240)
    for done, fault in FAULTS.items():
        eventually(
            lambda wanted=done: fleet.restart_ended() or run.done() >= wanted or run.has_ended(), RUN_SECONDS, pause=1
        )
        print(f"{time.monotonic() - started:.0f} s, {run.done()} streams: {fault.__name__}")
        fault(fleet)
    eventually(lambda: fleet.restart_ended() or run.has_ended(), RUN_SECONDS, pause=1)
    print(f"{time.monotonic() - started:.0f} s, {run.done()} streams: end")
    return run


def test_the_run_succeeds(run: Run) -> None:
    assert run.api.run("check_streams", run.run_id)["state"] == "success"
    assert Counter(task["state"] for task in run.tasks() if task["task_id"] == "check_stream") == {"success": STREAMS}


def test_work_of_the_killed_worker_was_done_again(run: Run) -> None:
    assert any(task["try_number"] > 1 for task in run.tasks())


def test_every_stream_has_exactly_one_verdict_of_the_run(run: Run, provider: Lab) -> None:
    assert run.state()["verdicts"] == {"ok": STREAMS}
    kept: Counter[int] = Counter()
    for stream in range(1, STREAMS + 1):
        history = run.api.request("GET", f"{API}/streams/{stream}/history")["results"]
        kept[stream] = sum(result["run_id"] == run.run_id for result in history)
    assert {stream: count for stream, count in kept.items() if count != 1} == {}


def test_every_channel_is_finished(run: Run, provider: Lab) -> None:
    finished = [change["channel_id"] for change in run.state()["finished_channels"]]
    assert sorted(finished) == sorted(provider.channels())


def test_the_provider_never_saw_a_limit_exceeded(run: Run, provider: Lab) -> None:
    record = provider.record()
    assert record["global"]["peak"] <= GLOBAL_LIMIT
    for account in record["accounts"]:
        assert account["refused"] == 0, account
        assert account["max_streams"] == 0 or account["peak"] <= account["max_streams"], account


def test_no_slot_is_held_at_the_end(run: Run, fleet: Fleet) -> None:
    state = limiter(fleet.api())
    assert (state["leases"], state["global"]["active"], state["global"]["waiting"]) == ([], 0, 0)
    assert state["redis"] == "up"


def test_the_write_back_is_complete(run: Run, provider: Lab) -> None:
    state = httpx.get(f"{provider.dispatcharr}/lab/dispatcharr").raise_for_status().json()
    assert [stream["id"] for stream in state["streams"] if not stream["stream_stats"]] == []
    scores = {one["stream_id"]: one["result"]["score"] for one in run.state()["streams"]}
    for channel in state["channels"]:
        ordered = [scores[stream] for stream in channel["streams"]]
        beaten = [max(ordered[place:]) - score for place, score in enumerate(ordered)]
        assert round(max(beaten), 4) <= Config().scoring.switch_margin, channel["name"]


def test_all_parts_are_healthy_again(run: Run, fleet: Fleet) -> None:
    for name in fleet.names():
        eventually(lambda asked=name: fleet.restart_ended() or fleet.health(asked).returncode == 0)
    health = fleet.api().request("GET", f"{API}/workers/health")
    assert (health["status"], health["executor"]) == ("healthy", "CeleryExecutor")
    assert [(worker["name"], worker["queues"], worker["capacity"]) for worker in health["workers"]] == [
        ("celery@worker-1", ["default"], 8),
        ("celery@worker-2", ["default"], 8),
    ]
    assert all(worker["last_heartbeat"] for worker in health["workers"])


def test_each_worker_has_a_home_of_its_own_with_the_settings_of_the_page(run: Run, fleet: Fleet) -> None:
    for name in ("worker-1", "worker-2"):
        settings = json.loads((fleet.state(name) / "stream_checker_config.json").read_text())
        assert settings["concurrent_streams"] | CHANGE == settings["concurrent_streams"], name
        assert (fleet.state(name) / "id").read_text() != (fleet.state("api-server-1") / "id").read_text()


def test_both_workers_took_part(run: Run, fleet: Fleet) -> None:
    for name in ("worker-1", "worker-2"):
        own = FileStore(fleet.state(name) / "udi" / "udi.db")
        assert (fleet.state(name) / "thumbnails").is_dir(), name
        # All is merged, and each machine knows what the others found.
        eventually(lambda store=own: store.journal() == [])
        eventually(lambda store=own: len(store.results.last_checks()) == STREAMS)


def test_every_picture_reaches_the_api_server(run: Run, fleet: Fleet) -> None:
    for stream in range(1, STREAMS + 1):
        assert eventually(lambda wanted=stream: thumbnails.load(fleet.state("api-server-1"), wanted)), stream
    assert [list((fleet.state(name) / "outbox").iterdir()) for name in ("worker-1", "worker-2")] == [[], []]


def test_the_machines_share_dispatcharrs_tokens(run: Run, provider: Lab) -> None:
    state = httpx.get(f"{provider.dispatcharr}/lab/dispatcharr").raise_for_status().json()
    # While Redis is away, a home logs in on its own.
    assert 1 <= state["logins"] <= 3


def test_the_second_host_is_a_network_namespace(run: Run, fleet: Fleet) -> None:
    if not fleet.host.name:
        pytest.skip(f"no network namespace can be made: {fleet.host.why_not}")
    inside = Path(f"/proc/{fleet.processes.pids['worker-2']}/ns/net").readlink()
    assert inside != Path("/proc/self/ns/net").readlink()


def test_a_health_check_distinguishes_a_dead_part_from_a_living_one(run: Run, fleet: Fleet) -> None:
    fleet.kill("worker-2")
    dead, living = fleet.health("worker-2"), fleet.health("worker-1")
    assert (dead.returncode, living.returncode) == (1, 0)
    assert dead.stdout == "worker: celery@worker-2 does not respond\n"
    eventually(
        lambda: (
            [w["name"] for w in fleet.api().request("GET", f"{API}/workers/health")["workers"]] == ["celery@worker-1"]
        )
    )


def test_health_reports_that_nothing_can_be_checked_without_the_broker(run: Run, fleet: Fleet) -> None:
    api = fleet.api()

    def refused() -> str:
        try:
            api.request("GET", f"{API}/workers/health")
        except AirflowError as error:
            return str(error)
        return ""

    fleet.kill("redis")
    response = eventually(refused)
    assert "503" in response
    assert '"status":"unhealthy"' in response
    assert '"workers":[]' in response
    fleet.start("redis")
    eventually(lambda: not refused())

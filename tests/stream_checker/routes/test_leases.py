"""Leases for the rest of the household, over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from account_limiter import AccountLimit, Granted, Limiter, Queued, Request

from ..server import PROJECT, Server


@pytest.fixture
def alone(admin: httpx.Client, limiter: Limiter) -> Iterator[Limiter]:
    """Return the limiter with one account, of whose connections a viewer and a check that was reset use one each."""
    limiter.reset()
    limiter.configure(accounts=[AccountLimit(1, "North", limit=4)], global_limit=0, stagger_delay=0)
    limiter.open_now()
    yield limiter


WANTED = {"account_id": 1, "label": "recorder\n", "seconds": 60}


def test_a_lease_is_taken_prolonged_shown_and_given_back(admin: httpx.Client, alone: Limiter) -> None:
    response = admin.post("/leases", json=WANTED)
    assert response.status_code == 201
    lease = response.json()
    assert (lease["account_id"], lease["label"]) == (1, "recorder ")
    path = f"/leases/{lease['lease_id']}"
    assert response.headers["location"] == path[1:]
    (shown,) = (
        one for one in admin.get("/concurrency/status").json()["leases"] if one["lease_id"] == lease["lease_id"]
    )
    assert (shown["label"], shown["stream_id"]) == ("recorder ", None)
    prolonged = admin.put(path, json={"seconds": 600}).json()
    assert datetime.fromisoformat(prolonged["expires_at"]) > datetime.fromisoformat(lease["expires_at"])
    assert admin.delete(path).status_code == 204
    assert admin.delete(path).status_code == 404
    assert admin.put(path, json={"seconds": 60}).status_code == 404


def test_a_full_account_answers_with_the_place_in_the_queue(admin: httpx.Client, alone: Limiter) -> None:
    held = []
    while isinstance(answer := alone.acquire(Request(f"check-{len(held)}", 1), "h", enqueue=False), Granted):
        held.append(answer.lease)
    assert isinstance(alone.acquire(Request("waiter", 1), "h"), Queued)
    response = admin.post("/leases", json=WANTED)
    assert response.status_code == 409
    assert response.headers["retry-after"] == "2"
    problem = response.json()
    assert problem["place"] == 2
    path = f"/leases/{problem['lease_id']}"
    assert admin.put(path, json={"seconds": 60}).json()["place"] == 2
    for lease in held:
        alone.release(lease)
    assert isinstance(alone.acquire(Request("waiter", 1), "h"), Granted)
    response = admin.put(path, json={"seconds": 60})
    assert (response.status_code, response.json()["lease_id"]) == (200, problem["lease_id"])
    assert admin.delete(path).status_code == 204


@pytest.mark.parametrize(
    "wrong",
    [
        {"account_id": 1, "label": "x"},
        {"account_id": 1, "label": "", "seconds": 60},
        {"account_id": 1, "label": "x" * 101, "seconds": 60},
        {"account_id": 1, "label": "x", "seconds": 0},
        {"account_id": 1, "label": "x", "seconds": 1e9},
        {"account_id": 4711, "label": "x", "seconds": 60},
        {"account_id": 1, "label": "x", "seconds": 60, "more": 1},
    ],
)
def test_a_wrong_request_is_refused_by_field(admin: httpx.Client, alone: Limiter, wrong: dict[str, object]) -> None:
    response = admin.post("/leases", json=wrong)
    assert response.status_code == 422
    assert response.json()["errors"]


def test_only_those_who_may_change_pools_get_a_lease(alone: Limiter, server: Server) -> None:
    with server.client("reader") as viewer:
        assert viewer.post("/leases", json=WANTED).status_code == 403
        assert viewer.delete(f"/leases/{'0' * 32}").status_code == 403


# -- the programs of docs/use/leases.md ---------------------------------------------------------
EXAMPLE = PROJECT / "examples" / "household" / "with_lease.py"
# Stands in for a recorder: it says that it runs, and goes on until it is ended.
RECORDER = "import sys, time; print('records', flush=True); time.sleep(float(sys.argv[1]))"


@pytest.fixture
def household(server: Server, alone: Limiter) -> dict[str, str]:
    """Return the environment of a program in the household."""
    return {
        **os.environ,
        "STREAMFLOW_URL": server.address,
        "STREAMFLOW_USER": "editor",
        "STREAMFLOW_PASSWORD": "editor",
    }


def recording(env: dict[str, str], seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, str(EXAMPLE), "--account", "1", "--label", "film", "--seconds", "3", "--"]
    command += [sys.executable, "-c", RECORDER, str(seconds)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


def labels(limiter: Limiter) -> list[str]:
    return [lease.labels["label"] for lease in limiter.snapshot().leases if "label" in lease.labels]


def test_a_recorder_keeps_its_lease_for_as_long_as_it_runs(household: dict[str, str], alone: Limiter) -> None:
    with recording(household, 6) as recorder:
        assert recorder.stdout
        assert recorder.stdout.readline() == "records\n"
        time.sleep(4)
        assert labels(alone) == ["film"], "it was prolonged"
        assert recorder.wait(20) == 0
    assert labels(alone) == []


def test_a_recorder_waits_for_its_turn_and_ends_with_its_lease(household: dict[str, str], alone: Limiter) -> None:
    held = []
    while isinstance(answer := alone.acquire(Request(f"check-{len(held)}", 1), "h", enqueue=False), Granted):
        held.append(answer.lease)
    with recording(household, 600) as recorder:
        while not alone.snapshot().waiting:
            time.sleep(0.05)
        assert recorder.poll() is None
        alone.release(held[0])
        assert recorder.stdout
        assert recorder.stdout.readline() == "records\n"
        alone.reset()
        assert recorder.wait(20) == 1


def test_the_shell_commands_of_the_document_take_and_give_back_a_lease(
    household: dict[str, str], alone: Limiter
) -> None:
    text = (PROJECT / "docs" / "use" / "leases.md").read_text()
    script = text.split("```sh\n")[1].split("```")[0]
    with subprocess.Popen(
        ["bash", "-c", script, "record", sys.executable, "-c", RECORDER, "2"],
        env=household,
        stdout=subprocess.PIPE,
        text=True,
    ) as recorder:
        assert recorder.stdout
        assert recorder.stdout.readline() == "records\n"
        assert labels(alone) == ["recorder"]
        assert recorder.wait(20) == 0
    assert labels(alone) == []

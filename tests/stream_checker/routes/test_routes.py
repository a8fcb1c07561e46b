"""The responses of each route."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from redis import Redis

from account_limiter import Lease, LeaseLost, Limiter
from stream_checker.routes import workers
from streamflow import faults, names, thumbnails
from streamflow.udi import Udi

from ..library import NOW, RUN, SECRET, STREAMS, result, url
from ..server import Server

RESULT_FIELDS = [
    "stream_id", "account_id", "url_hash", "checked_at", "run_id", "verdict", "reason", "detail", "attempts",
    "elapsed_s", "first_frame_ms", "width", "height", "fps", "interlaced", "hdr", "video_codec", "video_profile",
    "pixel_format", "bitrate_kbps", "container", "audio", "black_ratio", "frozen_ratio", "silent_ratio",
    "decode_errors", "discontinuities", "label_mismatch", "score", "quality", "tls_untrusted",
]  # fmt: skip


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["title"]
    return document


def test_the_status_shows_slots_waiters_and_viewers(admin: httpx.Client) -> None:
    status = admin.get("/concurrency/status").json()
    assert (status["mode"], status["redis"]) == ("concurrent", "up")
    assert status["global"] == {"limit": 10, "active": 2, "waiting": 1}
    first, second, _ = status["accounts"]
    assert (first["name"], first["max_streams"], first["effective_limit"]) == ("Provider A", 3, 2)
    assert (first["viewers"], first["active"], second["active"], second["waiting"]) == (1, 1, 1, 1)
    lease = next(one for one in status["leases"] if one["lease_id"] == "lease-4")
    assert lease | {"acquired_at": "", "expires_at": ""} == {
        "lease_id": "lease-4", "state": "held", "account_id": 1, "stream_id": 4, "dag_id": "check_streams",
        "run_id": RUN, "map_index": 3, "label": None, "acquired_at": "", "expires_at": "",
    }  # fmt: skip


def test_a_reset_drops_leases_and_waiters(admin: httpx.Client, limiter: Limiter, lease: Lease) -> None:
    assert admin.post("/concurrency/reset").json() == {"released": 2, "waiters_dropped": 1}
    with pytest.raises(LeaseLost):
        limiter.renew(lease)


def test_without_redis_a_run_of_another_machine_is_not_denied(
    admin: httpx.Client, server: Server, redis_away: Callable[[], AbstractContextManager[None]]
) -> None:
    other = server.home / "streamflow" / "homes.json"
    with redis_away():
        problem(admin.get("/runs/unknown"), 404)
        other.write_text('{"another-home": {"at": 0}}')
        try:
            assert "Redis is away" in problem(admin.get("/runs/unknown"), 503)["detail"]
        finally:
            other.unlink()


def test_without_redis_the_status_is_sequential_and_changes_are_refused(
    admin: httpx.Client, redis_away: Callable[[], AbstractContextManager[None]]
) -> None:
    with redis_away():
        status = admin.get("/concurrency/status").json()
        assert (status["mode"], status["redis"], status["leases"]) == ("sequential", "down", [])
        assert problem(admin.post("/concurrency/reset"), 503)["detail"]
        assert admin.get("/results").json()["total"] > 0
    assert admin.get("/concurrency/status").json()["redis"] == "up"


def test_results_are_filtered_and_paged(admin: httpx.Client, udi: Udi) -> None:
    whole = admin.get("/results", params={"limit": 1000}).json()
    assert whole["total"] == len(whole["results"]) == len(udi.results.checked_since(NOW.replace(year=2000)))
    assert whole["next_cursor"] is None
    assert set(RESULT_FIELDS) <= set(whole["results"][0])

    paged: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = admin.get("/results", params={"limit": 4} | ({"cursor": cursor} if cursor else {})).json()
        paged += page["results"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert paged == whole["results"]

    def ids(**query: object) -> list[int]:
        return [one["stream_id"] for one in admin.get("/results", params=query).json()["results"]]

    assert ids(status="dead") == [2]
    assert ids(status="degraded", account_id=3) == [21]
    assert ids(account_id=2, status="ok") == [8, 11, 14, 17, 20]
    assert ids(channel_id=1) == [1, 2, 3]
    assert ids(q="channel 1 hd") == [1, 11, 21]
    assert ids(q="channel 1 hd", account_id=2) == [11]
    assert ids(channel_id=999) == []


def test_a_result_carries_the_names_people_know(admin: httpx.Client) -> None:
    (only,) = admin.get("/results", params={"status": "dead"}).json()["results"]
    assert (only["name"], only["account"], only["reason"]) == ("Channel 2 UHD", "Provider B", "http_404")


def test_probes_are_the_streams_with_a_slot_and_their_progress(admin: httpx.Client, udi: Udi) -> None:
    udi.progress.publish(
        9, {"seconds": 1.5, "bytes": 10, "bitrate_kbps": None, "first_frame_ms": None, "phase": "opening"}
    )
    probing, starting, alone = admin.get("/probes").json()["probes"]
    assert (probing["stream_id"], probing["phase"], probing["bitrate_kbps"]) == (4, "sampling", 6000)
    assert (probing["name"], probing["account"]) == ("Channel 4 UHD", "Provider A")
    assert (probing["run_id"], probing["map_index"]) == (RUN, 3)
    assert (starting["stream_id"], starting["phase"], starting["seconds"]) == (5, "starting", 0)
    assert (alone["stream_id"], alone["phase"], alone["run_id"]) == (9, "opening", None)


def test_a_stream_and_its_history(admin: httpx.Client) -> None:
    stream = admin.get("/streams/1").json()
    assert stream["channels"] == [{"channel_id": 1, "name": "Das Erste", "position": 1}]
    assert (stream["account"], stream["result"]["score"], stream["progress"]) == ("Provider A", 0.83, None)
    assert [one["score"] for one in admin.get("/streams/1/history").json()["results"]] == [0.83, 0.4]
    assert [one["score"] for one in admin.get("/streams/1/history?limit=1").json()["results"]] == [0.83]
    assert admin.get("/streams/2").json()["failures"]["failures"] == 2
    assert admin.get("/streams/4").json()["progress"]["bitrate_kbps"] == 6000
    for path in ("/streams/999", "/streams/999/history", "/channels/999", "/runs/none"):
        assert problem(admin.get(path), 404)["instance"] == f"/api/stream-checker{path}"


def test_a_thumbnail_is_sent_again_only_when_it_changed(admin: httpx.Client, server: Server) -> None:
    problem(admin.get("/streams/1/thumbnail"), 404)
    thumbnails.save(server.home / "streamflow", 1, b"\xff\xd8one")
    first = admin.get("/streams/1/thumbnail")
    assert (first.content, first.headers["content-type"]) == (b"\xff\xd8one", "image/jpeg")
    known = {"If-None-Match": f'W/"other", {first.headers["etag"]}'}
    again = admin.get("/streams/1/thumbnail", headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    thumbnails.save(server.home / "streamflow", 1, b"\xff\xd8two")
    assert admin.get("/streams/1/thumbnail", headers=known).content == b"\xff\xd8two"
    thumbnails.path(server.home / "streamflow", 1).unlink()


def test_a_channel_shows_its_order_and_its_last_change(admin: httpx.Client) -> None:
    channel = admin.get("/channels/1").json()
    assert [(one["position"], one["stream_id"], one["score"]) for one in channel["streams"]] == [
        (1, 1, 0.83), (2, 3, 0.7), (3, 2, 0.0),
    ]  # fmt: skip
    assert channel["removed"] == [{"stream_id": 9, "name": "Channel 9 HD", "position": 2}]
    assert channel["last_change"]["before"] == [2, 1, 3, 9]
    assert channel["last_change"]["moves"][1]["why"] == "dead: http_404"
    assert set(channel["names"]) == {"1", "2", "3", "9"}
    assert admin.get("/channels/2").json()["last_change"] is None


def test_channels_are_searched_and_paged(admin: httpx.Client) -> None:
    page = admin.get("/channels", params={"limit": 1}).json()
    assert ([one["name"] for one in page["channels"]], page["total"]) == (["Das Erste"], 2)
    assert [(one["streams"], one["checked"], one["working"]) for one in page["channels"]] == [(3, 3, 2)]
    page = admin.get("/channels", params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert ([one["number"] for one in page["channels"]], page["next_cursor"]) == ([2.5], None)
    assert admin.get("/channels", params={"q": "ERSTE", "group_id": 1}).json()["total"] == 1
    assert admin.get("/channels", params={"group_id": 2}).json()["total"] == 0


def test_a_run_shows_its_progress(admin: httpx.Client, udi: Udi) -> None:
    listed = admin.get("/runs").json()
    assert listed["runs"][0] == listed["outcomes"][0]["run_id"] == RUN
    assert listed["outcomes"][0]["verdicts"] == {"ok": 2, "dead": 1, "pending": 3}
    run = admin.get(f"/runs/{RUN}").json()
    assert (run["total"], run["done"], run["verdicts"]) == (6, 3, {"ok": 2, "dead": 1, "pending": 3})
    assert run["reasons"] == {"http_404": 1}
    assert run["names"] == {"1": "Das Erste", "2": "Second"}
    assert run["expected_end"] > NOW.isoformat()
    states = {one["stream_id"]: one["state"] for one in run["streams"]}
    assert states == {1: "ok", 2: "dead", 3: "ok", 4: "running", 5: "pending", 6: "pending"}
    assert admin.get(f"/runs/{RUN}?streams=false").json()["streams"] == []

    for id in (4, 5, 6):
        udi.runs.settle(RUN, result(id, run_id=RUN, checked_at=NOW))
    udi.runs.close(RUN, {"streams": 6, "next_run_id": "part2"}, NOW)
    run = admin.get(f"/runs/{RUN}").json()
    assert (run["done"], run["expected_end"], run["next_run_id"]) == (6, None, "part2")
    assert run["rate_per_minute"] == 6.0
    for _ in range(2):
        (outcome,) = admin.get("/runs").json()["outcomes"]
        assert (outcome["verdicts"], outcome["finished_at"]) == ({"ok": 5, "dead": 1}, run["finished_at"])


def test_health_is_503_while_no_scheduler_runs(admin: httpx.Client) -> None:
    for path in ("/workers/health", "/celery/health"):
        response = admin.get(path)
        assert response.status_code == 503
        health = response.json()
        assert (health["status"], health["executor"], health["workers"]) == ("unhealthy", "LocalExecutor", [])
        assert health["redis"]["status"] == "healthy"
        assert health["waiters"].items() >= {"status": "healthy", "unattended": 0}.items()
        assert {"scheduler", "triggerer", "dag_processor"} <= set(health)
        assert health["source"] == {"status": "healthy", "detail": None}


def test_health_tells_why_the_last_refresh_failed(admin: httpx.Client, redis_client: Redis) -> None:
    with pytest.raises(OSError), faults.noted(redis_client, names.REFRESH_DAG, "; set DISPATCHARR_URL"):
        raise OSError("connection refused")
    try:
        source = admin.get("/workers/health").json()["source"]
    finally:
        with faults.noted(redis_client, names.REFRESH_DAG):
            pass
    assert source == {"status": "unhealthy", "detail": "connection refused; set DISPATCHARR_URL"}


@pytest.mark.parametrize(("kills", "status"), [(0, "healthy"), (3, "degraded")])
def test_processes_that_were_ended_for_want_of_memory_are_shown(
    monkeypatch: pytest.MonkeyPatch, kills: int, status: str
) -> None:
    monkeypatch.setattr(workers.memory, "kills", lambda: kills)
    health = workers._memory_health()
    assert (health.status, health.kills, "memory" in str(health.detail)) == (status, kills, bool(kills))
    assert health.limit_bytes > 100_000_000


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/results?limit=0", "limit"),
        ("/results?limit=1001", "limit"),
        ("/results?status=great", "status"),
        ("/results?cursor=nonsense", "cursor"),
        ("/results?account_id=x", "account_id"),
        ("/streams/x", "stream_id"),
        (f"/streams/{'9' * 5000}", "stream_id"),
        (f"/streams/{2**63}/thumbnail", "stream_id"),
        (f"/channels/{2**63}", "channel_id"),
        (f"/results?account_id={2**63}", "account_id"),
        (f"/results/scores?stream_id={2**63}", "stream_id.0"),
        (f"/runs/{'x' * 251}", "run_id"),
        ("/streams/1/history?limit=501", "limit"),
        ("/channels?cursor=%C3%A4", "cursor"),
        ("/runs?limit=0", "limit"),
    ],
)
def test_a_wrong_parameter_is_named(admin: httpx.Client, path: str, field: str) -> None:
    document = problem(admin.get(path), 422)
    assert [fault["field"] for fault in document["errors"]] == [field]
    assert field in document["detail"]


def test_an_unknown_path_and_method_are_problems_too(admin: httpx.Client) -> None:
    problem(admin.get("/nothing"), 404)
    problem(admin.delete("/results"), 405)


def test_no_response_holds_a_url_or_a_password(admin: httpx.Client, udi: Udi) -> None:
    stream = udi.library.stream(1)
    assert stream and stream.url == url(1) and SECRET in url(1)
    paths = ["/concurrency/status", "/results?limit=1000", "/channels", "/channels/1", "/runs", f"/runs/{RUN}"]
    paths += [f"/streams/{id}{part}" for id in range(1, STREAMS + 1) for part in ("", "/history")]
    for path in paths:
        text = admin.get(path).raise_for_status().text
        assert SECRET not in text
        assert "provider.invalid" not in text

"""The main job of a user: real tasks of a real Airflow on real media, in the order of a first day's work."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamflow.config import Config
from streamflow_stack import redis
from support.running_product import API, Product, eventually, probing, within_limits

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420), pytest.mark.xdist_group("stack")]


@pytest.fixture(scope="module")
def whole(product: Product) -> dict[str, Any]:
    """The run over the whole library."""
    httpx.post(f"{product.provider.provider}/lab/reset").raise_for_status()
    return product.check(sample_seconds=5)


def test_every_stream_gets_the_right_verdict(product: Product, whole: dict[str, Any]) -> None:
    got = {one["stream_id"]: (one["state"], (one["result"] or {}).get("reason")) for one in whole["streams"]}
    expected = {stream.id: (stream.verdict, stream.reason) for stream in product.library.streams}
    assert got == expected


def test_no_account_was_ever_above_its_limit(product: Product, whole: dict[str, Any]) -> None:
    assert within_limits(product)
    assert {a["name"]: a["peak"] for a in product.provider.record()["accounts"]}["North"] == 1


def test_each_stream_was_opened_as_often_as_it_was_tried_and_never_twice_at_once(
    product: Product, whole: dict[str, Any]
) -> None:
    record = httpx.get(f"{product.provider.provider}/lab/record?connections=1").json()
    opened: dict[int, int] = {}
    for connection in record["connections"]:
        opened[connection["stream"]] = opened.get(connection["stream"], 0) + 1
    tried = {one["stream_id"]: one["result"]["attempts"] for one in whole["streams"] if one["result"]}
    assert {stream: tried[stream] for stream in opened} == opened


def test_channels_are_ordered_best_first_in_dispatcharr(product: Product, whole: dict[str, Any]) -> None:
    score = {one["stream_id"]: one["result"]["score"] for one in whole["streams"]}
    channels = product.provider.channels()
    assert len(whole["finished_channels"]) == len(channels) == len(product.library.channels)
    for channel in channels.values():
        scores = [score[stream] for stream in channel["streams"]]
        beaten = [max(scores[place:]) - one for place, one in enumerate(scores)]
        assert round(max(beaten), 4) <= Config().scoring.switch_margin, channel["name"]
    before = {channel.id: list(channel.stream_ids) for channel in product.library.channels}
    assert any(channel["streams"] != before[channel["id"]] for channel in channels.values())


def test_statistics_are_where_dispatcharrs_pages_look_for_them(product: Product, whole: dict[str, Any]) -> None:
    state = httpx.get(f"{product.provider.dispatcharr}/lab/dispatcharr").json()
    stats = {stream["name"]: stream["stream_stats"] for stream in state["streams"]}
    assert stats["Daily News FHD"]["resolution"] == "1920x1080"
    assert stats["Daily News FHD"]["video_codec"] == "h264"
    assert stats["Daily News FHD (old)"]["streamflow_reason"] == "http_404"


def test_airflow_shows_each_check_by_its_stream_and_account(product: Product, whole: dict[str, Any]) -> None:
    names = {task["rendered_map_index"] for task in product.tasks(whole["run_id"]) if task["task_id"] == "check_stream"}
    assert "Daily News FHD · South" in names
    assert len(names) == len(product.library.streams)


def test_the_summary_shows_the_outcome(product: Product, whole: dict[str, Any]) -> None:
    summary = whole["summary"]
    assert summary["streams"] == len(product.library.streams)
    assert summary["channels"] == len(product.library.channels)
    assert sum(summary["verdicts"].values()) == summary["streams"]
    assert summary["next_run_id"] is None


def test_a_run_for_one_channel_touches_no_other(product: Product, whole: dict[str, Any]) -> None:
    httpx.post(f"{product.provider.provider}/lab/reset").raise_for_status()
    run = product.check(channel_ids=[1], sample_seconds=1)
    channel = product.library.channels[0]
    assert run["channels"] == [1]
    record = httpx.get(f"{product.provider.provider}/lab/record?connections=1").json()
    assert {connection["stream"] for connection in record["connections"]} == set(channel.stream_ids)


def test_fresh_streams_are_not_checked_again(product: Product, whole: dict[str, Any]) -> None:
    run = product.check(force=False)
    assert run["total"] == 0
    assert set(run["skipped"].values()) == {"fresh"}


def test_an_unknown_channel_fails_the_plan_with_a_clear_reason(product: Product, whole: dict[str, Any]) -> None:
    run_id = product.api.trigger("check_streams", {"channel_ids": [4711]})
    assert product.api.wait("check_streams", run_id, timeout=60, poll=0.5) == "failed"
    logs = "".join(
        path.read_text() for path in (product.home / "airflow" / "logs").glob(f"**/run_id={run_id}/**/*.log")
    )
    assert "channel_ids: the UDI holds no 4711" in logs


def test_the_commands_print_what_the_api_returns(product: Product, whole: dict[str, Any]) -> None:
    checked = product.command("check", "--channel", "9", "--force", "--wait")
    assert checked.returncode == 0, checked.stderr
    assert "2 ok" in checked.stderr
    assert re.search(r"North\s+│\s+1 │", product.command("status").stdout)
    channel = product.api.request("GET", f"{API}/channels/1")
    places, name = channel["streams"], channel["name"]
    results = json.loads(product.command("results", "--channel", name, "--format", "json").stdout)
    assert [one["stream_id"] for one in results] == [one["stream_id"] for one in places]
    alive = list(csv.DictReader(product.command("results", "--format", "csv", "--no-dead").stdout.splitlines()))
    assert {row["verdict"] for row in alive} == {"ok", "degraded"}
    assert "Daily News FHD (old)" in product.command("results", "--channel", "1", "--format", "m3u", "--dead").stdout
    playlist = product.command("results", "--channel", name.lower(), "--format", "m3u").stdout
    assert playlist.startswith("#EXTM3U")
    assert "Daily News FHD (old)" not in playlist
    assert "Daily News FHD\nhttp" in playlist
    assert product.command("doctor").returncode == 0


def secrets(product: Product) -> list[bytes]:
    return [account.password.encode() for account in product.library.accounts]


def columns(database: Path) -> Iterator[bytes]:
    with sqlite3.connect(database) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in db.execute(f'SELECT * FROM "{table}"'):  # noqa: S608
                yield repr(row).encode()


def test_no_password_is_in_airflows_logs_or_database(product: Product, whole: dict[str, Any]) -> None:
    words = secrets(product)
    logs = [path for folder in ("airflow/logs", "logs") for path in (product.home / folder).glob("**/*.log")]
    assert len(logs) > len(product.library.streams)
    assert [path for path in logs if any(word in path.read_bytes() for word in words)] == []
    rows = list(columns(product.home / "airflow" / "airflow.db"))
    assert len(rows) > 100
    assert [row[:80] for row in rows if any(word in row for word in words)] == []


def test_a_killed_check_is_tried_again_and_its_slot_is_released(product: Product, whole: dict[str, Any]) -> None:
    httpx.post(f"{product.provider.provider}/lab/reset").raise_for_status()
    conf = {"channel_ids": [1], "force": True, "sample_seconds": 8}
    run_id = product.api.trigger("check_streams", conf)
    os.kill(eventually(lambda: probing(product))[0].pid, signal.SIGKILL)
    assert product.api.wait("check_streams", run_id, timeout=120, poll=0.5) == "success"
    run = product.run(run_id)
    assert "pending" not in run["verdicts"]
    assert run["verdicts"].get("unknown", 0) == 0
    assert within_limits(product)
    assert eventually(lambda: product.status()["global"]["active"] == 0)


def test_without_redis_a_run_goes_one_after_another_and_nothing_is_lost(
    product: Product, whole: dict[str, Any]
) -> None:
    httpx.post(f"{product.provider.provider}/lab/reset").raise_for_status()
    # A killed server would be started again within seconds; one that is stopped stays away.
    product.stack.processes.stop("redis")
    eventually(lambda: product.status()["redis"] == "down")
    assert product.status()["mode"] == "sequential"
    run = product.check(channel_ids=[1, 9], sample_seconds=1)
    assert run["mode"] == "sequential"
    assert "pending" not in run["verdicts"]
    assert sorted(change["channel_id"] for change in run["finished_channels"]) == [1, 9]
    assert product.provider.record()["global"]["peak"] == 1
    redis.launch(product.stack.processes, product.home)
    eventually(lambda: product.status()["redis"] == "up")
    eventually(lambda: product.run(run["run_id"])["verdicts"] == run["verdicts"])
    results = product.api.request("GET", "/api/stream-checker/results", params={"limit": 1000})["results"]
    assert {one["stream_id"] for one in results} == {stream.id for stream in product.library.streams}
    again = product.check(channel_ids=[9], sample_seconds=1)
    assert again["mode"] == "concurrent"

"""Pictures reach the API servers of other machines, within a bound of Redis' memory, and none is lost on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from redis import Redis

from streamflow import pictures, thumbnails
from streamflow.homes import Homes, home_id, known

JPEG = b"\xff\xd8"


@pytest.fixture
def worker(redis_client: Redis, tmp_path: Path) -> Path:
    """A worker's home that knows the API server's, ``tmp_path / "api"``."""
    api, worker = tmp_path / "api", tmp_path / "worker"
    Homes(redis_client, api).report(1, serves=True)
    Homes(redis_client, worker).report(2, serves=False)
    assert [report.serves for report in known(worker).values()] == [True, False]
    return worker


@pytest.fixture
def api(worker: Path) -> Path:
    return worker.with_name("api")


def test_a_picture_goes_from_a_worker_to_the_api_server(redis_client: Redis, worker: Path, api: Path) -> None:
    pictures.keep(worker, 7, JPEG + b"old")
    pictures.keep(worker, 7, JPEG + b"new")
    assert pictures.send(redis_client, worker) == 1
    assert pictures.receive(redis_client, api) == 1
    assert thumbnails.load(api, 7) == JPEG + b"new"
    assert (pictures.send(redis_client, worker), pictures.receive(redis_client, api)) == (0, 0)
    assert not redis_client.exists(pictures.PREFIX + home_id(api))


def test_a_home_from_which_an_api_server_shows_pictures_sends_none(
    redis_client: Redis, api: Path, worker: Path
) -> None:
    Homes(redis_client, api).report(3, serves=False)
    pictures.keep(api, 7, JPEG)
    assert pictures.send(redis_client, api) == 0
    assert not (api / "outbox").exists()


def test_every_api_server_with_a_home_of_its_own_gets_a_picture(
    redis_client: Redis, worker: Path, api: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    Homes(redis_client, second).report(3, serves=True)
    Homes(redis_client, worker).report(4, serves=False)
    pictures.keep(worker, 7, JPEG)
    pictures.send(redis_client, worker)
    assert [pictures.receive(redis_client, home) for home in (api, second)] == [1, 1]


def test_while_the_api_server_is_away_redis_holds_a_bounded_number_and_nothing_is_lost(
    redis_client: Redis, worker: Path, api: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "ROOM", 10)
    for stream in range(25):
        pictures.keep(worker, stream, JPEG)
        os.utime(worker / "outbox" / str(stream), (stream, stream))
    assert pictures.send(redis_client, worker) == 10
    assert pictures.send(redis_client, worker) == 0
    # A newer picture of a waiting one takes its place.
    pictures.keep(worker, 3, JPEG + b"new")
    os.utime(worker / "outbox" / "3", (0, 0))
    assert pictures.send(redis_client, worker) == 1
    assert redis_client.hlen(pictures.PREFIX + home_id(api)) == 10
    received = 0
    while taken := pictures.receive(redis_client, api):
        received += taken
        pictures.send(redis_client, worker)
    assert received == 25
    assert all(thumbnails.load(api, stream) for stream in range(25))
    assert thumbnails.load(api, 3) == JPEG + b"new"


def test_redis_needs_at_most_four_megabytes_for_an_api_server_that_is_away(
    redis_client: Redis, worker: Path, api: Path
) -> None:
    for stream in range(pictures.ROOM + 20):
        pictures.keep(worker, stream, os.urandom(thumbnails.MAX_BYTES))
    pictures.send(redis_client, worker)
    used = redis_client.memory_usage(pictures.PREFIX + home_id(api), samples=0)
    assert isinstance(used, int)
    assert used < 4_300_000

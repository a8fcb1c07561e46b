from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from airflow.configuration import conf
from redis import Redis

from stream_tasks import resources
from stream_tasks.upkeep import tidy
from streamflow import thumbnails

YEAR = 365 * 86_400


def aged(file: Path, seconds: float) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("a line")
    os.utime(file, (time.time() - seconds,) * 2)
    return file


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, redis_client: Redis) -> Path:
    """The folder of Airflow's logs, beside an empty UDI."""
    monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path / "logs"))
    assert conf.get("logging", "base_log_folder") == str(tmp_path / "logs")

    @contextmanager
    def the_tests_redis() -> Iterator[Redis]:
        yield redis_client

    monkeypatch.setattr(resources, "redis", the_tests_redis)
    return tmp_path / "logs"


def test_old_logs_are_removed_with_their_empty_folders(monkeypatch: pytest.MonkeyPatch, logs: Path) -> None:
    monkeypatch.setenv("STREAMFLOW_AIRFLOW_KEEP_DAYS", "30")
    old = aged(logs / "dag_id=check_streams" / "run_id=old" / "attempt=1.log", YEAR)
    parsing = aged(logs / "dag_processor" / "2025-01-01" / "dag.log", YEAR)
    new = aged(logs / "dag_id=check_streams" / "run_id=new" / "attempt=1.log", 86_400)
    assert tidy()["logs"] == 2
    assert not old.parent.exists()
    assert not parsing.parent.exists()
    assert new.exists()


def test_without_a_retention_only_logs_of_own_dags_are_removed(monkeypatch: pytest.MonkeyPatch, logs: Path) -> None:
    monkeypatch.delenv("STREAMFLOW_AIRFLOW_KEEP_DAYS", raising=False)
    own = aged(logs / "dag_id=refresh_udi" / "run_id=old" / "attempt=1.log", YEAR)
    other = aged(logs / "dag_id=billing" / "run_id=old" / "attempt=1.log", YEAR)
    assert tidy()["logs"] == 1
    assert not own.exists()
    assert other.exists()


def test_the_oldest_pictures_beyond_the_bound_are_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, logs: Path
) -> None:
    home = tmp_path / "state"
    for stream in range(1, 6):
        thumbnails.save(home, stream, b"\xff\xd8")
        os.utime(thumbnails.path(home, stream), (stream, stream))
    assert thumbnails.prune(home, kept=2) == 3
    assert [stream for stream in range(1, 6) if thumbnails.load(home, stream)] == [4, 5]
    assert tidy()["pictures"] == 0

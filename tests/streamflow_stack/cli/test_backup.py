"""``backup`` and ``restore`` as a user calls them, with the stack at rest and with a Redis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis

from streamflow import config, shared_settings
from streamflow.errors import BackupError
from streamflow.udi import open_udi
from streamflow_stack.cli import backup, restore
from support.udi_records import library, result, stream

Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in a home, and return its output."""
    for name in (
        "REDIS_HOST",
        "REDIS_SOCKET",
        "AIRFLOW_CONN_REDIS_DEFAULT",
        "STREAMFLOW_CONFIG",
        "STREAMFLOW_AIRFLOW_URL",
    ):
        monkeypatch.delenv(name, raising=False)

    def run(command: Any, home: Path, *arguments: str) -> str:
        monkeypatch.setenv("STREAMFLOW_HOME", str(home))
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A home with a library, two results and settings."""
    home = tmp_path / "full"
    udi = open_udi(None, home)
    udi.publish(library())
    for number in (10, 11):
        udi.runs.settle("run", result(number, url_hash=stream(number).url_hash))
    config.save(config.parse({"concurrent_streams": {"global_limit": 4}}), home / "stream_checker_config.json")
    return home


def test_a_backup_goes_from_one_home_to_another_without_a_running_stack(run: Run, full: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "all.backup", tmp_path / "new"
    assert run(backup.command, full, str(file)) == f"{file}: settings, and the results of 2 streams\n"
    open_udi(None, new).publish(library(stream(20, url="http://provider/10"), channels={}))
    output = run(restore.command, new, str(file))
    assert "restored the settings" in output
    assert "the pool stream_checks gets its 4 slots when the stack starts next" in output
    assert "restored 1 results of 1 streams" in output
    assert "left out: 1 streams that are not in the library now" in output
    assert config.load().concurrent_streams.global_limit == 4
    assert open_udi(None, new).results.last_checks().keys() == {20}


def test_results_alone_can_be_restored(run: Run, full: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "all.backup", tmp_path / "new"
    run(backup.command, full, str(file))
    open_udi(None, new).publish(library())
    output = run(restore.command, new, str(file), "--without-settings")
    assert "settings" not in output
    assert config.load().concurrent_streams.global_limit == 10
    with pytest.raises(BackupError, match="no backup"):
        run(restore.command, new, __file__)


def test_restored_settings_are_in_force_on_all_machines(
    run: Run, full: Path, tmp_path: Path, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, new = tmp_path / "all.backup", tmp_path / "new"
    run(backup.command, full, str(file))
    socket = redis_client.connection_pool.connection_kwargs["path"]
    monkeypatch.setenv("AIRFLOW_CONN_REDIS_DEFAULT", f'{{"conn_type": "redis", "host": "{socket}"}}')
    open_udi(redis_client, new).publish(library())
    run(restore.command, new, str(file))
    assert shared_settings.load(redis_client).concurrent_streams.global_limit == 4
    other = tmp_path / "other"
    monkeypatch.setenv("STREAMFLOW_HOME", str(other))
    assert shared_settings.load(redis_client).concurrent_streams.global_limit == 4
    assert open_udi(redis_client, new).results.last_checks().keys() == {10, 11}

"""The settings of several machines: each has a home and a settings file, and all share one Redis."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from conftest import RedisServer
from streamflow import config, shared_settings
from streamflow.config import Config
from streamflow.errors import ConfigError


class Machine:
    """A machine with a home of its own."""

    def __init__(self, redis: Redis, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.redis = redis
        self.home = home
        self.file = home / "stream_checker_config.json"
        self._monkeypatch = monkeypatch

    def check(self) -> Config:
        """Return the settings that a check of this machine uses."""
        self._monkeypatch.setenv("STREAMFLOW_HOME", str(self.home))
        shared_settings.reconcile(self.redis)
        return config.load()

    def edit(self, settings: dict[str, Any]) -> None:
        """Edit the file by hand."""
        self.home.mkdir(exist_ok=True)
        self.file.write_text(json.dumps(settings))

    def change(self, section: str, **fields: Any) -> None:
        """Change settings as the page does."""
        settings = self.check()
        shared_settings.save(self.redis, config.with_section(settings, section, fields))


@pytest.fixture
def machines(redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Machine]:
    monkeypatch.delenv("STREAMFLOW_CONFIG", raising=False)
    return [Machine(redis_client, tmp_path / name, monkeypatch) for name in ("one", "two", "three")]


def limits(machines: list[Machine]) -> list[int]:
    return [machine.check().concurrent_streams.global_limit for machine in machines]


def test_a_change_on_the_page_is_in_force_on_every_machine_at_its_next_check(machines: list[Machine]) -> None:
    assert limits(machines) == [10, 10, 10]
    machines[0].change("concurrent_streams", global_limit=6)
    assert limits(machines) == [6, 6, 6]
    machines[2].change("concurrent_streams", global_limit=7)
    assert limits(machines) == [7, 7, 7]


def test_an_edit_of_any_machines_file_is_in_force_on_every_machine(machines: list[Machine]) -> None:
    machines[0].change("concurrent_streams", global_limit=6)
    limits(machines)
    machines[1].edit({"concurrent_streams": {"global_limit": 5}, "probe": {"retries": 1}})
    assert machines[1].check().concurrent_streams.global_limit == 5
    assert limits(machines) == [5, 5, 5]
    assert machines[2].check().probe.retries == 1
    # The file that a person wrote keeps its form.
    assert json.loads(machines[1].file.read_text()).keys() == {"concurrent_streams", "probe"}


def test_a_new_machine_without_a_file_takes_the_shared_settings(machines: list[Machine]) -> None:
    assert machines[1].check() == Config()
    machines[0].edit({"max_streams_per_run": 50})
    assert [machine.check().max_streams_per_run for machine in machines] == [50, 50, 50]


def test_a_new_machine_with_an_old_file_takes_the_shared_settings(machines: list[Machine]) -> None:
    machines[1].edit({"max_streams_per_run": 99})
    os.utime(machines[1].file, (0, 0))
    machines[0].change("concurrent_streams", global_limit=6)
    assert machines[1].check().max_streams_per_run == 500
    assert machines[1].check().concurrent_streams.global_limit == 6


def test_a_file_that_was_edited_before_the_machines_first_check_counts_where_it_is_newer(
    machines: list[Machine],
) -> None:
    machines[0].change("concurrent_streams", global_limit=6)
    machines[1].edit({"max_streams_per_run": 99})
    assert machines[1].check().max_streams_per_run == 99
    assert machines[0].check().max_streams_per_run == 99


def test_changes_of_different_sections_on_two_machines_are_both_kept(machines: list[Machine]) -> None:
    machines[0].change("concurrent_streams", global_limit=6)
    limits(machines)
    machines[1].edit(json.loads(machines[1].file.read_text()) | {"max_streams_per_run": 77})
    machines[0].change("concurrent_streams", global_limit=8)
    machines[1].check()
    for machine in machines:
        settings = machine.check()
        assert (settings.concurrent_streams.global_limit, settings.max_streams_per_run) == (8, 77)


def test_of_two_changes_of_one_section_the_files_counts_and_the_log_says_so(
    machines: list[Machine], caplog: pytest.LogCaptureFixture
) -> None:
    machines[0].change("concurrent_streams", global_limit=6)
    limits(machines)
    machines[1].edit({"concurrent_streams": {"global_limit": 3}})
    machines[0].change("concurrent_streams", global_limit=8)
    with caplog.at_level(logging.WARNING):
        assert machines[1].check().concurrent_streams.global_limit == 3
    assert "concurrent_streams was changed on two machines" in caplog.text
    assert limits(machines) == [3, 3, 3]


def test_a_redis_that_lost_its_data_gets_the_newest_version_again(machines: list[Machine]) -> None:
    machines[0].change("concurrent_streams", global_limit=6)
    limits(machines)
    machines[1].change("concurrent_streams", global_limit=7)
    # The first machine has not seen the last version when Redis loses its data.
    machines[0].redis.flushall()
    assert machines[0].check().concurrent_streams.global_limit == 6
    assert machines[1].check().concurrent_streams.global_limit == 7
    assert limits(machines) == [7, 7, 7]


def test_a_version_with_a_number_that_was_used_before_the_loss_replaces_the_older_one(machines: list[Machine]) -> None:
    machines[0].change("concurrent_streams", global_limit=6)
    limits(machines)
    machines[1].change("concurrent_streams", global_limit=7)
    machines[0].redis.flushall()
    machines[0].change("concurrent_streams", global_limit=9)
    assert limits(machines) == [9, 9, 9]


def test_a_missing_file_resets_nothing(machines: list[Machine]) -> None:
    machines[0].change("concurrent_streams", global_limit=6)
    limits(machines)
    machines[1].file.unlink()
    assert limits(machines) == [6, 6, 6]
    machines[1].redis.flushall()
    machines[1].file.unlink()
    assert machines[1].check().concurrent_streams.global_limit == 6


def test_a_wrong_edit_is_reported_where_it_was_made_and_changes_no_other_machine(machines: list[Machine]) -> None:
    machines[0].change("concurrent_streams", global_limit=6)
    limits(machines)
    machines[1].edit({"concurrent_streams": {"global_limt": 3}})
    with pytest.raises(ConfigError, match="global_limit"):
        machines[1].check()
    assert limits([machines[0], machines[2]]) == [6, 6]


def test_settings_of_a_newer_streamflow_leave_the_file_in_force(
    machines: list[Machine], caplog: pytest.LogCaptureFixture
) -> None:
    machines[0].change("concurrent_streams", global_limit=6)
    limits(machines)
    version = json.loads(machines[0].redis.get(shared_settings.KEY))  # type: ignore[arg-type]
    version |= {"number": 9, "settings": version["settings"] | {"of_the_future": 1}}
    machines[0].redis.set(shared_settings.KEY, json.dumps(version))
    assert machines[1].check().concurrent_streams.global_limit == 6
    assert "of another StreamFlow" in caplog.text
    assert json.loads(machines[0].redis.get(shared_settings.KEY))["number"] == 9  # type: ignore[arg-type]


def test_while_redis_is_away_the_file_counts_and_is_shared_afterwards(
    own_redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STREAMFLOW_CONFIG", raising=False)
    one, two = (Machine(own_redis.client(), tmp_path / name, monkeypatch) for name in ("one", "two"))
    one.change("concurrent_streams", global_limit=6)
    assert limits([one, two]) == [6, 6]
    own_redis.kill()
    one.change("concurrent_streams", global_limit=5)
    assert limits([one, two]) == [5, 6]
    own_redis.start()
    assert limits([one, two]) == [5, 5]


def test_changes_of_many_machines_at_once_lose_no_section(redis_client: Redis, tmp_path: Path) -> None:
    homes = [tmp_path / str(number) for number in range(6)]
    config.save(Config(), homes[0] / "config.json")
    sections = [
        ("concurrent_streams", {"global_limit": 3}), ("dead_streams", {"after_failures": 7}),
        ("safety", {"approval_hours": 5}), ("probe", {"retries": 9}), ("scoring", {"switch_margin": 0.5}),
        ("freshness_hours", {"ok": 1}),
    ]  # fmt: skip
    barrier = threading.Barrier(len(homes))

    def on(home: Path, change: tuple[str, dict[str, Any]] | None = None) -> None:
        file = home / "config.json"
        if change:
            config.save(config.with_section(config.load(file), *change), file)
            barrier.wait()
        # The path of the settings file is the process's, so the machine is simulated below it.
        while not shared_settings._reconciled(redis_client, home, file):
            pass

    for home in homes:
        on(home)
    threads = [threading.Thread(target=on, args=pair) for pair in zip(homes, sections, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for home in homes:
        on(home)
        settings = config.load(home / "config.json").model_dump(mode="json")
        for section, fields in sections:
            assert settings[section] | fields == settings[section]

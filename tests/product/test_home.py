"""The running product takes care of its home: it reports it, shares the settings and makes the nightly backup."""

from __future__ import annotations

from datetime import datetime

import pytest
from redis import Redis

from account_limiter.airflow.connection import from_env
from streamflow import backup, homes, shared_settings
from support.running_product import Product, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420), pytest.mark.xdist_group("stack")]


def test_the_home_is_reported_as_the_one_that_serves(product: Product) -> None:
    known = eventually(lambda: homes.known(product.home))
    assert {home: report.serves for home, report in known.items()} == {homes.home_id(product.home): True}
    assert not homes.has_others(product.home)


def test_a_change_on_the_page_is_shared_and_in_the_file(product: Product) -> None:
    product.api.request("PUT", "/api/stream-checker/concurrency/config", json={"stagger_delay": 0.1})
    with Redis(**from_env(product.stack.env)) as redis:
        version = shared_settings.Version.model_validate_json(redis.get(shared_settings.KEY))  # type: ignore[arg-type]
    assert version.settings["concurrent_streams"]["stagger_delay"] == 0.1
    assert '"stagger_delay": 0.1' in (product.home / "stream_checker_config.json").read_text()


def test_the_commands_back_up_and_restore_the_running_stack(product: Product) -> None:
    product.check(channel_ids=[1], sample_seconds=1)
    file = product.home / "by hand.backup"
    assert "the results of" in product.command("backup", str(file)).stdout
    restored = product.command("restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert "restored the settings" in restored.stdout
    now = datetime.now().astimezone()
    if now.hour >= backup.HOUR:
        eventually(lambda: not backup.is_due(product.home, now))

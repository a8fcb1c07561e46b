"""A user controls the checks: by name, by a stop, and by an undo."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from support.running_product import API, Product, eventually, probing

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420), pytest.mark.xdist_group("stack")]


def test_a_channel_is_checked_by_its_name_and_put_back(product: Product) -> None:
    channel = product.library.channels[0]
    before = list(product.provider.channels()[channel.id]["streams"])
    checked = product.command("check", "--channel", channel.name, "--force", "--wait")
    assert checked.returncode == 0, checked.stderr
    run_id = checked.stdout.splitlines()[0]
    assert product.run(run_id)["channels"] == [channel.id]
    after = list(product.provider.channels()[channel.id]["streams"])
    assert after != before
    undone = product.command("undo", "--run", run_id)
    assert undone.returncode == 0, undone.stderr
    assert list(product.provider.channels()[channel.id]["streams"]) == before
    again = product.command("undo", "--run", run_id)
    assert again.returncode == 2
    assert "changed since" in again.stderr


def test_an_unknown_name_is_answered_with_the_nearest(product: Product) -> None:
    name = product.library.channels[0].name
    checked = product.command("check", "--channel", f"{name}s")
    assert checked.returncode == 2
    assert name in checked.stderr


def test_a_stopped_run_ends_soon_and_finishes_its_channels(product: Product) -> None:
    request: dict[str, Any] = {"force": True, "write_back": False}
    run_id = product.api.request("POST", f"{API}/checks", json=request)["run_id"]
    eventually(lambda: probing(product), seconds=90)
    stopped = product.api.request("POST", f"{API}/runs/{quote(run_id, safe='')}/stop")
    assert stopped["cancelled"] > 0
    assert product.api.wait("check_streams", run_id, timeout=90, poll=0.5) == "success"
    run = product.run(run_id)
    assert run["stopped"]
    assert run["finished_at"]
    assert "pending" not in run["verdicts"]
    assert len(run["finished_channels"]) == len(run["channels"])
    eventually(lambda: not probing(product), seconds=30)
    eventually(lambda: not product.status()["leases"], seconds=30)

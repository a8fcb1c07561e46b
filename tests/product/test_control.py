"""A user controls the checks from the command line: by name, and by an undo."""

from __future__ import annotations

import pytest

from support.running_product import Product

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

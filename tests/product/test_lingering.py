"""Providers that count a closed connection for a while: the delay is learned, and the limit is not doubted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from account_limiter import Limiter
from account_limiter.airflow.connection import connect, from_env
from support.running_product import Product

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420), pytest.mark.xdist_group("stack")]

# "South", with two connections and seven streams.
SOUTH, LIMIT = 2, 2
# Refusals until the delay is learned: the first ones come in pairs, because two checks end at the same time. The delay
# grows with each pair, from two seconds.
MOST_REFUSED = {0: 0, 3: 4, 30: 18}


@pytest.fixture(params=[0, 3, 30])
def linger(product: Product, request: pytest.FixtureRequest) -> Iterator[int]:
    """The seconds for which the provider counts a closed connection of the account."""

    def let_linger(seconds: int) -> None:
        httpx.post(f"{product.provider.provider}/lab/lingers", json={"lingers": {SOUTH: seconds}}).raise_for_status()
        httpx.post(f"{product.provider.provider}/lab/reset").raise_for_status()

    let_linger(request.param)
    yield request.param
    let_linger(0)
    with connect(**from_env(product.stack.env)) as redis:
        limiter = Limiter(redis)
        for budget in limiter.snapshot().budgets:
            if budget.release.seconds:
                limiter.set_release_delay(budget.budget_id, 0, "the test has ended")


def of_account(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    return next(row for row in rows if row[key] == SOUTH)


def test_every_check_gets_its_verdict_and_few_are_refused(product: Product, linger: int) -> None:
    run = product.check(account_ids=[SOUTH], sample_seconds=1, timeout=360)
    assert {one["state"] for one in run["streams"]} <= {"ok", "degraded", "dead"}
    record = of_account(product.provider.record()["accounts"], "id")
    assert record["peak"] <= LIMIT
    assert record["refused"] <= MOST_REFUSED[linger]
    account = of_account(product.status()["accounts"], "account_id")
    assert account["effective_limit"] == LIMIT
    if record["refused"]:
        # The reason is a refusal or, after the run, what the provider's panel counted.
        assert any("a closed connection counts for" in sentence for sentence in account["evidence"])

"""The library of functions: its prefix, and two projects on one server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import Redis

from account_limiter import AccountLimit, Granted, Limiter, Refused, Request
from account_limiter.redis.library import library

OTHER = "{reports}:limiter:"


def test_two_projects_that_share_a_redis_keep_their_own_accounts_and_leases(
    limiter: Limiter, redis_client: Redis, request_of: Callable[..., Request]
) -> None:
    other = Limiter(redis_client, OTHER)
    other.configure(accounts=[AccountLimit(1, "theirs", 1)])
    other.open_now()
    assert {account.name for account in limiter.snapshot().accounts} == {"one", "two", "endless"}
    assert [account.name for account in other.snapshot().accounts] == ["theirs"]
    for one in (limiter, other):
        assert isinstance(one.acquire(request_of(1), "h", enqueue=False), Granted)
        assert one.acquire(request_of(1), "h", enqueue=False) == Refused("full")
    assert other.reset().released == 1
    assert limiter.snapshot().active == 1


def test_every_key_of_a_project_begins_with_its_prefix(redis_client: Redis) -> None:
    redis_client.flushdb()
    limiter = Limiter(redis_client, OTHER)
    limiter.configure(accounts=[AccountLimit(1)])
    limiter.acquire(Request("a", 1), "h")
    keys = {key.decode() for key in redis_client.scan_iter()}
    assert keys
    assert keys <= set(library(OTHER).keys.values())
    assert all(key.startswith(OTHER) for key in keys)


@pytest.mark.parametrize("wrong", ["", "limiter:", "{}:", "{a}'b", "{a} :", "{a}\n", "{a}{b}"])
def test_a_prefix_without_one_tag_or_with_other_characters_is_refused(redis_client: Redis, wrong: str) -> None:
    with pytest.raises(ValueError, match="not a prefix"):
        Limiter(redis_client, wrong)

from __future__ import annotations

from redis import Redis

from streamflow.checking.slates import KEPT, RedisSlates


def test_the_latest_slates_of_an_account_are_known(redis_client: Redis) -> None:
    slates = RedisSlates(redis_client)
    for number in range(KEPT + 5):
        slates.learn(1, b"%d" % number)
    slates.learn(1, b"6")
    known = slates.known(1)
    assert len(known) == KEPT
    assert known[-1] == b"6"
    assert slates.known(2) == ()
    assert redis_client.ttl("{streamflow}:slates:1") > 0


def test_without_redis_no_slate_is_known() -> None:
    slates = RedisSlates(Redis(port=1))
    slates.learn(1, b"slate")
    assert slates.known(1) == ()

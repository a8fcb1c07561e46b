from __future__ import annotations

from redis import Redis

from stream_tasks import slates


def test_the_latest_slates_of_an_account_are_known(redis_client: Redis) -> None:
    for number in range(slates.KEPT + 5):
        slates.learn(redis_client, 1, b"%d" % number)
    slates.learn(redis_client, 1, b"6")
    found = slates.known(redis_client, 1)
    assert len(found) == slates.KEPT
    assert found[-1] == b"6"
    assert slates.known(redis_client, 2) == ()
    assert redis_client.ttl("{streamflow}:slates:1") > 0


def test_without_redis_none_is_known() -> None:
    gone = Redis(port=1)
    slates.learn(gone, 1, b"slate")
    assert slates.known(gone, 1) == ()

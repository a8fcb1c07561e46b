"""What only a Redis store can get wrong: others that write between its reading and its writing."""

from __future__ import annotations

import pytest
from redis import Redis

from streamflow.udi.redis_library import Changes
from streamflow.udi.redis_room import PREFIX
from streamflow.udi.redis_store import RedisStore
from udi.records import change, library, planned, result, stream


@pytest.mark.parametrize("moment", ["_compare", "_many"])
def test_an_order_written_back_during_a_refresh_leaves_channels_and_index_agreeing(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    store = RedisStore(redis_client)
    store.publish(library(channels={1: (10, 11), 2: (10,)}))
    finisher = RedisStore(redis_client)
    real = getattr(RedisStore, moment)
    calls = 0

    def interrupted(self: RedisStore, *given: object) -> Changes:
        nonlocal calls
        answer = real(self, *given)
        if self is store:
            calls += 1
            # For "_many" these are the last questions before the transaction, the second time without a change.
            if (moment == "_compare" and calls == 1) or (moment == "_many" and calls == 6):
                finisher.reorder(1, [12])
        return answer

    monkeypatch.setattr(RedisStore, moment, interrupted)
    store.publish(library(channels={1: (11, 10), 2: (11,)}))
    monkeypatch.undo()
    assert calls > (1 if moment == "_compare" else 6)
    assert store.channel(1).stream_ids == (11, 10)
    assert [store.channels_of_stream(i) for i in (10, 11, 12)] == [[1], [1, 2], []]


def test_all_keys_lie_under_the_prefix_of_one_cluster_slot(redis_client: Redis) -> None:
    store = RedisStore(redis_client)
    store.publish(library(stream(10), stream(11)))
    store.open_run(planned())
    store.settle("run", result(10, "dead"))
    store.finish_channel(change(1))
    store.progress(10, {"x": 1})
    store.mark_filled()
    assert PREFIX == "{streamflow}:udi:"
    assert all(key.startswith(PREFIX.encode()) for key in redis_client.scan_iter())


def test_clearing_leaves_what_others_keep_in_the_same_redis(redis_client: Redis) -> None:
    store = RedisStore(redis_client)
    store.publish(library())
    redis_client.set("{streamflow}:limiter:x", "1")
    store.clear()
    assert list(redis_client.scan_iter()) == [b"{streamflow}:limiter:x"]

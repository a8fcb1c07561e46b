"""What only a Redis store can get wrong: others that write between its reading and its writing."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from redis import Redis

from streamflow.errors import UdiUnavailable
from streamflow.udi.redis import library as redis_library
from streamflow.udi.redis.base import PREFIX
from streamflow.udi.redis.library import Changes
from streamflow.udi.redis.store import RedisStore
from support.udi_records import change, library, planned, result, stream


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


# -- one refresh at a time -------------------------------------------------------------------
HOLD = """
import sys, time
from redis import Redis
from streamflow.udi.redis import library as redis_library
from streamflow.udi.redis.store import RedisStore
redis_library.REFRESH_SECONDS = float(sys.argv[2])
with RedisStore(Redis.from_url(sys.argv[1]))._alone():
    print("alone", flush=True)
    time.sleep(60)
"""


def test_a_refresh_whose_process_was_killed_lets_the_next_begin_soon(redis_client: Redis, redis_url: str) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLD, redis_url, "1"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdout
        assert dying.stdout.readline() == "alone\n"
        dying.kill()
    store = RedisStore(redis_client)
    assert store.publish(library()).added["streams"] == 3


def test_a_long_refresh_keeps_others_out_until_its_end(redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_library, "REFRESH_SECONDS", 0.4)
    monkeypatch.setattr(redis_library, "REFRESH_WAITS_SECONDS", 0.1)
    first, second = RedisStore(redis_client), RedisStore(redis_client)
    with first._alone():
        time.sleep(1)
        with pytest.raises(UdiUnavailable, match="another refresh has not ended"):
            second.publish(library())
    assert second.publish(library()).added["streams"] == 3


def test_a_refresh_that_was_overtaken_publishes_nothing(redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RedisStore(redis_client)
    store.publish(library())
    real = RedisStore._compare

    def overtaken(self: RedisStore, *given: object) -> Changes:
        answer = real(self, *given)  # type: ignore[arg-type]
        # As if it had stood still here for as long as its right lasts.
        redis_client.delete(PREFIX + "refresh")
        with RedisStore(redis_client)._alone():
            return answer

    monkeypatch.setattr(RedisStore, "_compare", overtaken)
    with pytest.raises(UdiUnavailable, match="overtaken"):
        store.publish(library(stream(10), channels={1: (10,)}), force=True)
    assert store.stream_ids() == [10, 11, 12]

"""Publishing in Redis while other processes write, and the keys in Redis."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from redis import Redis

from streamflow.errors import UdiUnavailable
from streamflow.udi.redis import publishing
from streamflow.udi.redis.connection import Connection
from streamflow.udi.redis.keys import PREFIX
from streamflow.udi.redis.publishing import Changes, Publishing
from streamflow.udi.redis.store import RedisStore
from support.udi_records import change, library, planned, result, stream


@pytest.mark.parametrize("moment", ["comparing", "reading again"])
def test_channels_and_index_agree_after_a_reorder_during_a_refresh(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    store, other = RedisStore(redis_client), RedisStore(redis_client)
    store.publish(library(channels={1: (10, 11), 2: (10,)}))
    # The sixth reading of blocks is the last before the transaction, and finds no change.
    owner, method, when = (Publishing, "_compare", 1) if moment == "comparing" else (Connection, "get_many", 6)
    real = getattr(owner, method)
    calls = 0

    def interrupted(self: Publishing | Connection, *given: object) -> object:
        nonlocal calls
        value = real(self, *given)
        if self in (store.publishing, store._connection):
            calls += 1
            if calls == when:
                other.library.reorder(1, [12])
        return value

    monkeypatch.setattr(owner, method, interrupted)
    store.publish(library(channels={1: (11, 10), 2: (11,)}))
    monkeypatch.undo()
    assert calls > when
    assert store.library.channel(1).stream_ids == (11, 10)
    assert [store.library.channels_of_stream(i) for i in (10, 11, 12)] == [[1], [1, 2], []]


def test_all_keys_begin_with_the_prefix_of_one_cluster_slot(redis_client: Redis) -> None:
    store = RedisStore(redis_client)
    store.mark_filled()
    store.publish(library(stream(10), stream(11)))
    store.runs.open(planned())
    store.runs.settle("run", result(10, "dead"))
    store.runs.finish_channel(change(1))
    store.progress.publish(10, {"x": 1})
    assert PREFIX == "{streamflow}:udi:"
    assert all(key.startswith(PREFIX.encode()) for key in redis_client.scan_iter())


def test_clearing_leaves_keys_of_other_prefixes(redis_client: Redis) -> None:
    store = RedisStore(redis_client)
    store.publish(library())
    redis_client.set("{streamflow}:limiter:x", "1")
    store.clear()
    assert list(redis_client.scan_iter()) == [b"{streamflow}:limiter:x"]


HOLD = """
import sys, time
from redis import Redis
from streamflow.udi.redis import publishing
from streamflow.udi.redis.store import RedisStore
publishing.REFRESH_SECONDS = float(sys.argv[2])
with RedisStore(Redis.from_url(sys.argv[1])).publishing.alone():
    print("alone", flush=True)
    time.sleep(60)
"""


def test_a_refresh_begins_soon_after_an_earlier_one_was_killed(redis_client: Redis, redis_url: str) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLD, redis_url, "1"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdout
        assert dying.stdout.readline() == "alone\n"
        dying.kill()
    store = RedisStore(redis_client)
    assert store.publish(library()).added["streams"] == 3


def test_a_long_refresh_excludes_others_until_its_end(redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "REFRESH_SECONDS", 0.4)
    monkeypatch.setattr(publishing, "REFRESH_WAITS_SECONDS", 0.1)
    first, second = RedisStore(redis_client), RedisStore(redis_client)
    with first.publishing.alone():
        time.sleep(1)
        with pytest.raises(UdiUnavailable, match="another refresh has not ended"):
            second.publish(library())
    assert second.publish(library()).added["streams"] == 3


def test_a_refresh_that_was_overtaken_publishes_nothing(redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RedisStore(redis_client)
    store.publish(library())
    real = Publishing._compare

    def overtaken(self: Publishing, *given: object) -> Changes:
        answer = real(self, *given)  # type: ignore[arg-type]
        # The lock expires as if the process had been stopped here.
        redis_client.delete(PREFIX + "refresh")
        with RedisStore(redis_client).publishing.alone():
            return answer

    monkeypatch.setattr(Publishing, "_compare", overtaken)
    with pytest.raises(UdiUnavailable, match="overtaken"):
        store.publish(library(stream(10), channels={1: (10,)}), force=True)
    assert store.library.stream_ids() == [10, 11, 12]

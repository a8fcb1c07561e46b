"""Benchmark of the UDI: times and memory beside a straightforward store, with the same library in the same run.

The straightforward store has one JSON value for each stream and a hash from URL to id. Its other look-ups scan all
streams. Each store has a Redis of its own on a socket, without persistence. Times are in seconds or milliseconds,
memory is that reported by Redis.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from redis import Redis

from streamflow.config import Config
from streamflow.planning.params import CheckParams
from streamflow.planning.plan import Request, plan
from streamflow.records import Account, Channel, Group, Result, Stream
from streamflow.udi import open_udi
from streamflow.udi.ports import Store
from streamflow.udi.redis.keys import EVENTS
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.snapshot import Snapshot
from streamflow.udi.sqlite.store import FileStore
from streamflow_stack.redis import temporary_server

SIZES = (1_000, 10_000, 100_000)
LOOKUPS = 2_000
SCANS = 3
# The number of streams of an account, and of a channel.
ACCOUNT_STREAMS, CHANNEL_STREAMS = 5_000, 10


def library(streams: int, seed: int = 1) -> Snapshot:
    """Return a library like those of providers: long names, URLs with a login, groups, channels of ten streams."""
    chance = random.Random(seed)  # noqa: S311
    accounts, groups, channels = max(2, streams // ACCOUNT_STREAMS), max(4, streams // 250), streams // CHANNEL_STREAMS
    countries = ("DE", "UK", "US", "FR", "ES", "IT", "TR", "NL")
    # The ids have gaps, like those of a database after some refreshes.
    ids = sorted(chance.sample(range(1, streams * 2), streams))
    return Snapshot(
        accounts=[Account(id=i, name=f"Provider {i}", max_streams=i % 5, account_type="XC") for i in range(accounts)],
        groups=[Group(id=i, name=f"{countries[i % 8]} | Group {i}") for i in range(groups)],
        streams=[
            Stream(
                id=i,
                name=f"{countries[i % 8]}: Channel number {i} {('SD', 'HD', 'FHD', '4K')[i % 4]}",
                url=f"http://line{i % accounts}.provider.example:8080/live/user{i % accounts}/pa55word/{i + 70_000}.ts",
                account_id=i % accounts,
                group_id=chance.randrange(groups),
                provider_id=str(i + 70_000),
                tvg_id=f"channel{i}.{countries[i % 8].lower()}",
            )
            for i in ids
        ],
        channels=[
            Channel(
                id=i,
                name=f"Channel number {i}",
                number=float(i),
                group_id=i % groups,
                uuid=f"00000000-0000-4000-8000-{i:012}",
                stream_ids=tuple(chance.sample(ids, CHANNEL_STREAMS)),
            )
            for i in range(1, channels + 1)
        ],
    )


def refreshed(before: Snapshot) -> Snapshot:
    """Return the library with one in a hundred streams changed: renamed, replaced or with another URL."""
    last = max(stream.id for stream in before.streams)
    streams = []
    for place, stream in enumerate(before.streams):
        match place % 300:
            case 7:
                streams.append(stream.model_copy(update={"name": stream.name + " (backup)"}))
            case 107:
                update = {"id": last + place, "url": f"{stream.url}?new", "provider_id": f"n{place}"}
                streams.append(stream.model_copy(update=update))
            case 207:
                streams.append(stream.model_copy(update={"url": f"{stream.url}?token=1"}))
            case _:
                streams.append(stream)
    return replace(before, streams=streams)


class Plain(Protocol):
    """A store that can only publish."""

    def publish(self, snapshot: Snapshot) -> object:
        """Replace the library by a snapshot."""


class Straightforward:
    """A store with one JSON value for each stream, and a hash from URL to id."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def publish(self, snapshot: Snapshot) -> None:
        """Write all streams."""
        with self._client.pipeline(transaction=False) as batch:
            for place, stream in enumerate(snapshot.streams, 1):
                batch.set(f"stream:{stream.id}", stream.model_dump_json())
                batch.hset("urls", sha256((stream.url or "").encode()).hexdigest(), stream.id)
                if place % 10_000 == 0:
                    batch.execute()
            batch.execute()

    def stream(self, stream_id: int) -> Stream:
        """Return one stream."""
        return Stream.model_validate_json(self._client.get(f"stream:{stream_id}") or b"")

    def streams_of_url(self, url_hash: str) -> list[int]:
        """Return the id of the stream that has a URL."""
        return [int(self._client.hget("urls", url_hash) or 0)]

    def streams_of_account(self, account_id: int) -> list[int]:
        """Return the ids of an account's streams, by a scan."""
        keys = list(self._client.scan_iter(match="stream:*", count=1000))
        texts = (self._client.mget(keys[start : start + 1000]) for start in range(0, len(keys), 1000))
        records = (json.loads(text) for chunk in texts for text in chunk)
        return [record["id"] for record in records if record["account_id"] == account_id]


@contextmanager
def server() -> Iterator[Redis]:
    """Run an empty Redis until the end of the block, and yield a client."""
    with temporary_server() as running, Redis(unix_socket_path=str(running.socket)) as client:
        yield client


def run(sizes: Iterable[int] = SIZES, *, lookups: int = LOOKUPS) -> Iterator[dict[str, Any]]:
    """Yield one JSON object for each store and size."""
    for streams in sizes:
        snapshot = library(streams)
        changed = refreshed(snapshot)
        with server() as client, tempfile.TemporaryDirectory() as folder:
            udi = open_udi(client, Path(folder))
            yield _measure("fallback", udi, client, snapshot, changed, lookups)
        with server() as client:
            alone = RedisStore(client)
            alone.mark_filled()
            yield _measure("redis", alone, client, snapshot, changed, lookups)
        with tempfile.TemporaryDirectory() as folder:
            yield _measure("file", FileStore(Path(folder) / "udi.db"), None, snapshot, changed, lookups)
        with server() as client:
            plain = Straightforward(client)
            row = _load(plain, client, snapshot, changed)
            chance = random.Random(2)  # noqa: S311
            some = chance.sample(list(snapshot.streams), min(lookups, streams))
            yield {
                "bench": "udi",
                "store": "straightforward",
                "streams": streams,
                **row,
                "lookup_ms": {
                    "id": _took(plain.stream, [each.id for each in some]),
                    "url": _took(plain.streams_of_url, [each.url_hash for each in some]),
                    "account": _took(plain.streams_of_account, range(SCANS)),
                },
            }


def _measure(
    name: str, store: Store, client: Redis | None, snapshot: Snapshot, changed: Snapshot, lookups: int
) -> dict[str, Any]:
    row = _load(store, client, snapshot, changed)
    chance = random.Random(2)  # noqa: S311
    some = chance.choices(list(changed.streams), k=lookups)
    now = datetime.now(UTC)
    checked = chance.sample(list(changed.streams), min(1_000, len(changed.streams)))
    empty = _used(client)
    started = time.perf_counter()
    for place, stream in enumerate(checked):
        store.runs.settle("no run", _result(stream, now - timedelta(seconds=place)))
    recorded = (time.perf_counter() - started) / len(checked)
    size = _used(client) - empty
    asked: dict[str, tuple[Callable[[Any], object], Iterable[Any]]] = {
        "id": (store.library.stream, [each.id for each in some]),
        "account": (store.library.streams_of_account, [each.account_id or 0 for each in some]),
        "group": (store.library.streams_of_group, [each.group_id or 0 for each in some]),
        "url": (store.library.streams_of_url, [each.url_hash for each in some]),
        "channel": (store.library.channel, [each.id for each in chance.choices(list(changed.channels), k=lookups)]),
        "channels_of_stream": (store.library.channels_of_stream, [each.id for each in some]),
        "channels_of_group": (store.library.channels_of_group, [each.group_id or 0 for each in some]),
        "verdict": (store.results.streams_of_verdict, ["dead"] * lookups),
        "checked_since": (store.results.checked_since, [now - timedelta(seconds=100)] * lookups),
        "result": (store.results.latest, [each.id for each in chance.choices(checked, k=lookups)]),
    }
    looked_up = {index: _took(ask, keys) for index, (ask, keys) in asked.items()}
    plans = {"first": _planned(store, now)}
    if _check_all(store, changed.streams, now - timedelta(days=2)):
        plans["all_checked_before"] = _planned(store, now)
    return {
        "bench": "udi",
        "store": name,
        "streams": len(snapshot.streams),
        **row,
        "lookup_ms": looked_up,
        "record_ms": round(recorded * 1000, 3),
        "plan_s": plans,
        **({"bytes_a_first_result": size // len(checked)} if client else {}),
    }


def _load(store: Plain, client: Redis | None, snapshot: Snapshot, changed: Snapshot) -> dict[str, Any]:
    """Return the time of the first publication and of a refresh with 1 % changes, by wall clock and processor time."""
    empty = _used(client)
    load, load_cpu = _publish(store, snapshot)
    size = _used(client) - empty
    refresh, refresh_cpu = _publish(store, changed)
    times = {"load_s": load, "load_cpu_s": load_cpu, "refresh_1_percent_s": refresh, "refresh_cpu_s": refresh_cpu}
    return times | (
        {"memory_mb": round(size / 1e6, 1), "bytes_a_stream": size // len(snapshot.streams)} if client else {}
    )


def _used(client: Any) -> int:
    """Return the bytes in use, without the events, whose number is bounded."""
    if client is None:
        return 0
    return int(client.info("memory")["used_memory"] - (client.memory_usage(EVENTS, samples=0) or 0))


def _publish(store: Plain, snapshot: Snapshot) -> tuple[float, float]:
    gc.collect()
    begun, used = time.perf_counter(), time.process_time()
    store.publish(snapshot)
    return round(time.perf_counter() - begun, 3), round(time.process_time() - used, 3)


def _took(ask: Callable[[Any], object], keys: Iterable[Any]) -> dict[str, float]:
    """Return the median and the 99th percentile in milliseconds, or the maximum of fewer than 100 values."""
    took = []
    for key in keys:
        begun = time.perf_counter()
        ask(key)
        took.append((time.perf_counter() - begun) * 1000)
    worst = statistics.quantiles(took, n=100)[98] if len(took) >= 100 else max(took)
    return {"median": round(statistics.median(took), 3), "p99": round(worst, 3)}


def _planned(store: Store, now: datetime) -> float:
    """Return the seconds that a plan over all channels takes."""
    begun = time.perf_counter()
    plan(store, Config(), Request("bench", CheckParams(), now))
    return round(time.perf_counter() - begun, 3)


def _check_all(store: Store, streams: Iterable[Stream], at: datetime) -> bool:
    """Store a result of every stream. Return False for a store that only takes single results."""
    results = (_result(stream, at) for stream in streams)
    match store:
        case RedisStore():
            store.results.refill(results, ())
        case FileStore():
            with store.writing():
                for result in results:
                    store.runs.settle("no run", result)
        case _:
            return False
    return True


def _result(stream: Stream, at: datetime) -> Result:
    return Result(
        stream_id=stream.id,
        account_id=stream.account_id,
        url_hash=stream.url_hash,
        checked_at=at,
        run_id="bench",
        verdict="dead" if stream.id % 10 == 0 else "ok",
        width=1920,
        height=1080,
        fps=25.0,
        video_codec="h264",
        bitrate_kbps=6120,
    )


if __name__ == "__main__":
    for found in run(tuple(map(int, sys.argv[1:])) or SIZES):
        print(json.dumps(found), flush=True)

"""The Redis store: the UDI in hashes of small buckets, with an index for every look-up.

Buckets of 64 records stay below Redis' listpack bound, which keeps a record near its own size. All keys carry one hash
tag: in a cluster they live in one slot, and scripts and transactions may touch them together.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from typing import Any, TypeVar

from pydantic import BaseModel
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError, RedisError, TimeoutError

from streamflow.errors import UdiUnavailable
from streamflow.udi.models import Account, Channel, Group, Result, Stream, Verdict
from streamflow.udi.publication import Difference, difference, guard
from streamflow.udi.store import ChannelChange, DeadMemory, RefreshReport, Run, RunState, Snapshot

PREFIX = "{streamflow}:udi:"
EVENTS = PREFIX + "events"
BUCKET = 64
HISTORY = 50
PROGRESS_SECONDS = 30
REFRESH_SECONDS = 120
RUN_DAYS = 30

R = TypeVar("R", bound=BaseModel)


class RedisStore:
    """Implements :class:`~streamflow.udi.store.Store` over a pooled client."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._settle = client.register_script(resources.files("streamflow.udi").joinpath("settle.lua").read_text())

    @contextmanager
    def _redis(self) -> Iterator[Redis]:
        try:
            yield self._client
        except (ConnectionError, TimeoutError) as error:
            raise UdiUnavailable(f"Redis does not answer: {error}") from error
        except RedisError as error:
            raise UdiUnavailable(f"Redis refused: {error}") from error

    def ping(self) -> None:
        with self._redis() as redis:
            redis.ping()

    # -- the library -------------------------------------------------------------------------
    def publish(self, snapshot: Snapshot, *, max_drop: float = 0.5, force: bool = False) -> RefreshReport:
        started = time.monotonic()
        with self._redis() as redis, redis.lock(PREFIX + "refresh", timeout=REFRESH_SECONDS, blocking_timeout=60):
            old = self._library("stream", Stream)
            accounts = difference(self._table("account", Account), {a.id: a for a in snapshot.accounts})
            groups = difference(self._table("group", Group), {g.id: g for g in snapshot.groups})
            streams = difference(old, {s.id: s for s in snapshot.streams})
            guard(len(old), len(streams.removed), max_drop, force)
            before = self._library("channel", Channel)
            channels = difference(before, {c.id: c for c in snapshot.channels})
            with redis.pipeline(transaction=True) as batch:
                _write_table(batch, "account", accounts)
                _write_table(batch, "group", groups)
                _write_streams(batch, streams, old)
                _write_channels(batch, channels, before)
                batch.set(PREFIX + "refreshed_at", datetime.now(UTC).isoformat())
                batch.execute()
            self._carry_history(old, streams.added)
        kinds = {"accounts": accounts, "groups": groups, "streams": streams, "channels": channels}
        return RefreshReport(
            added={name: len(kind.added) for name, kind in kinds.items()},
            changed={name: len(kind.changed) for name, kind in kinds.items()},
            removed={name: len(kind.removed) for name, kind in kinds.items()},
            broken=snapshot.broken,
            elapsed_s=round(time.monotonic() - started, 3),
        )

    def refreshed_at(self) -> datetime | None:
        with self._redis() as redis:
            text = redis.get(PREFIX + "refreshed_at")
        return datetime.fromisoformat(text.decode()) if text else None

    def accounts(self) -> list[Account]:
        return sorted(self._table("account", Account).values(), key=lambda account: account.id)

    def account(self, account_id: int) -> Account | None:
        with self._redis() as redis:
            text = redis.hget(PREFIX + "account", str(account_id))
        return Account.model_validate_json(text) if text else None

    def groups(self) -> list[Group]:
        return sorted(self._table("group", Group).values(), key=lambda group: group.id)

    def stream(self, stream_id: int) -> Stream | None:
        return self.streams([stream_id]).get(stream_id)

    def streams(self, stream_ids: Iterable[int]) -> dict[int, Stream]:
        return self._bucketed("stream", Stream, stream_ids)

    def stream_ids(self) -> list[int]:
        return self._members("streams")

    def streams_of_account(self, account_id: int) -> list[int]:
        return self._members(f"account:{account_id}:streams")

    def streams_of_group(self, group_id: int) -> list[int]:
        return self._members(f"group:{group_id}:streams")

    def streams_of_url(self, url_hash: str) -> list[int]:
        with self._redis() as redis:
            text = redis.hget(*_url_field(url_hash))
        return [] if text is None else sorted(map(int, text.decode().split(",")))

    def channel(self, channel_id: int) -> Channel | None:
        return next(iter(self.channels([channel_id])), None)

    def channels(self, channel_ids: Iterable[int] | None = None) -> list[Channel]:
        found = (
            self._library("channel", Channel)
            if channel_ids is None
            else self._bucketed("channel", Channel, channel_ids)
        )
        return [found[key] for key in sorted(found)]

    def channels_of_group(self, group_id: int) -> list[int]:
        return self._members(f"group:{group_id}:channels")

    def channels_of_stream(self, stream_id: int) -> list[int]:
        return self._members(f"stream:{stream_id}:channels")

    def reorder(self, channel_id: int, stream_ids: Sequence[int]) -> None:
        channel = self.channel(channel_id)
        if channel is None:
            return
        change = Difference(changed=[channel.model_copy(update={"stream_ids": tuple(stream_ids)})])
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            _write_channels(batch, change, {channel_id: channel})
            batch.execute()

    # -- results -----------------------------------------------------------------------------
    def record(self, result: Result) -> None:
        self._keep(result, "", ())

    def _keep(self, result: Result, run_id: str, channels: Iterable[int]) -> list[int]:
        run = f"{PREFIX}run:{run_id}"
        keys = [
            _bucket("result", result.stream_id),
            PREFIX + "checked",
            f"{PREFIX}history:{result.stream_id}",
            run,
            f"{run}:streams",
            f"{run}:waits",
            EVENTS,
        ]
        arguments = [
            result.stream_id,
            result.checked_at.timestamp(),
            result.verdict,
            result.model_dump_json(exclude_defaults=False),
            result.reason or "",
            run_id,
            HISTORY,
            PREFIX + "verdict:",
            ",".join(map(str, channels)),
        ]
        with self._redis():
            return sorted(self._settle(keys, arguments))

    def result(self, stream_id: int) -> Result | None:
        return self.results([stream_id]).get(stream_id)

    def results(self, stream_ids: Iterable[int]) -> dict[int, Result]:
        return self._bucketed("result", Result, stream_ids)

    def history(self, stream_id: int, limit: int = 50) -> list[Result]:
        with self._redis() as redis:
            texts = redis.lrange(f"{PREFIX}history:{stream_id}", 0, limit - 1)
        found = [Result.model_validate_json(text) for text in texts]
        return sorted(found, key=lambda result: result.checked_at, reverse=True)

    def streams_of_verdict(self, verdict: Verdict) -> list[int]:
        return self._members(f"verdict:{verdict}")

    def checked_since(self, since: datetime) -> list[int]:
        with self._redis() as redis:
            return sorted(map(int, redis.zrangebyscore(PREFIX + "checked", since.timestamp(), "+inf")))

    def dead_memory(self, stream_ids: Iterable[int]) -> dict[int, DeadMemory]:
        return self._bucketed("dead", DeadMemory, stream_ids)

    def remember_dead(self, stream_id: int, memory: DeadMemory) -> None:
        former = self.dead_memory([stream_id]).get(stream_id, DeadMemory())
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            batch.hset(_bucket("dead", stream_id), str(stream_id), memory.model_dump_json())
            for channel in former.removed_from:
                batch.hdel(f"{PREFIX}channel:{channel}:removed", str(stream_id))
            for channel, position in memory.removed_from.items():
                batch.hset(f"{PREFIX}channel:{channel}:removed", str(stream_id), position)
            batch.execute()

    def removed_streams(self, channel_id: int) -> dict[int, int]:
        with self._redis() as redis:
            found = redis.hgetall(f"{PREFIX}channel:{channel_id}:removed")
        return {int(stream): int(position) for stream, position in found.items()}

    # -- runs --------------------------------------------------------------------------------
    def open_run(self, run: Run) -> None:
        key = f"{PREFIX}run:{run.run_id}"
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            batch.delete(key, f"{key}:streams", f"{key}:waits", f"{key}:channels")
            left = {f"left:{channel}": len(streams) for channel, streams in run.channels.items()}
            batch.hset(key, mapping={"json": run.model_dump_json(), **left})
            if run.stream_ids:
                batch.hset(f"{key}:streams", mapping={str(stream): "" for stream in run.stream_ids})
            if waits := [f"{channel}:{stream}" for channel, streams in run.channels.items() for stream in streams]:
                batch.sadd(f"{key}:waits", *waits)
            if run.channels:
                batch.hset(f"{key}:channels", mapping={str(channel): "" for channel in run.channels})
            batch.zadd(PREFIX + "runs", {run.run_id: run.started_at.timestamp()})
            batch.xadd(EVENTS, _event("run", {"run_id": run.run_id}), maxlen=2000)
            for part in ("", ":streams", ":waits", ":channels"):
                batch.expire(key + part, RUN_DAYS * 86_400)
            batch.execute()

    def settle(self, run_id: str, result: Result) -> list[int]:
        return self._keep(result, run_id, self.channels_of_stream(result.stream_id))

    def unfinished_channels(self, run_id: str) -> list[int]:
        return self._empty_fields(f"{PREFIX}run:{run_id}:channels")

    def unsettled_streams(self, run_id: str) -> list[int]:
        return self._empty_fields(f"{PREFIX}run:{run_id}:streams")

    def _empty_fields(self, key: str) -> list[int]:
        with self._redis() as redis:
            return sorted(int(field) for field, text in redis.hgetall(key).items() if not text)

    def finish_channel(self, change: ChannelChange) -> None:
        text = change.model_dump_json()
        channels = f"{PREFIX}run:{change.run_id}:channels"
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            batch.hset(PREFIX + "change", str(change.channel_id), text)
            batch.lpush(f"{PREFIX}channel:{change.channel_id}:changes", text)
            batch.ltrim(f"{PREFIX}channel:{change.channel_id}:changes", 0, HISTORY - 1)
            if change.run_id:
                batch.hset(channels, str(change.channel_id), text)
                batch.expire(channels, RUN_DAYS * 86_400)
            batch.xadd(EVENTS, _event("channel", {"channel_id": change.channel_id}), maxlen=2000)
            batch.execute()

    def close_run(self, run_id: str, summary: dict[str, Any], at: datetime) -> None:
        end = {"summary": json.dumps(summary), "finished_at": at.isoformat()}
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            batch.hset(f"{PREFIX}run:{run_id}", mapping=end)
            batch.xadd(EVENTS, _event("run", {"run_id": run_id, "summary": summary}), maxlen=2000)
            batch.execute()

    def run(self, run_id: str) -> RunState | None:
        key = f"{PREFIX}run:{run_id}"
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            batch.hmget(key, "json", "finished_at", "summary").hgetall(f"{key}:streams").hgetall(f"{key}:channels")
            (text, finished, summary), streams, channels = batch.execute()
        if text is None:
            return None
        settled = {int(stream): state.decode().partition("|") for stream, state in streams.items()}
        return RunState(
            run=Run.model_validate_json(text),
            streams={stream: verdict or "pending" for stream, (verdict, _, _) in settled.items()},
            verdicts=dict(Counter(verdict for verdict, _, _ in settled.values() if verdict)),
            reasons=dict(Counter(reason for _, _, reason in settled.values() if reason)),
            finished_channels={int(c): ChannelChange.model_validate_json(t) for c, t in channels.items() if t},
            finished_at=datetime.fromisoformat(finished.decode()) if finished else None,
            summary=json.loads(summary) if summary else None,
        )

    def runs(self, limit: int = 20) -> list[str]:
        with self._redis() as redis:
            return [run.decode() for run in redis.zrevrange(PREFIX + "runs", 0, limit - 1)]

    def last_change(self, channel_id: int) -> ChannelChange | None:
        with self._redis() as redis:
            text = redis.hget(PREFIX + "change", str(channel_id))
        return ChannelChange.model_validate_json(text) if text else None

    def prune(self, *, history_per_stream: int = 50, runs: int = 200) -> dict[str, int]:
        with self._redis() as redis:
            gone = [run.decode() for run in redis.zrevrange(PREFIX + "runs", runs, -1)]
            with redis.pipeline(transaction=True) as batch:
                for run in gone:
                    key = f"{PREFIX}run:{run}"
                    batch.delete(key, f"{key}:streams", f"{key}:waits", f"{key}:channels")
                    batch.zrem(PREFIX + "runs", run)
                batch.execute()
        return {"history": 0, "runs": len(gone)}

    # -- live progress -----------------------------------------------------------------------
    def progress(self, stream_id: int, state: dict[str, Any] | None) -> None:
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            if state is None:
                batch.hdel(PREFIX + "progress", str(stream_id))
            else:
                kept = json.dumps(state | {"until": time.time() + PROGRESS_SECONDS})
                batch.hset(PREFIX + "progress", str(stream_id), kept)
            batch.xadd(EVENTS, _event("progress", {"stream_id": stream_id, "state": state}), maxlen=2000)
            batch.execute()

    def running(self) -> dict[int, dict[str, Any]]:
        with self._redis() as redis:
            found = {int(key): json.loads(text) for key, text in redis.hgetall(PREFIX + "progress").items()}
        return {stream: state for stream, state in found.items() if state.pop("until") >= time.time()}

    # -- reading -----------------------------------------------------------------------------
    def _members(self, name: str) -> list[int]:
        with self._redis() as redis:
            return sorted(map(int, redis.smembers(PREFIX + name)))

    def _table(self, name: str, kind: type[R]) -> dict[int, R]:
        with self._redis() as redis:
            return {int(key): kind.model_validate_json(text) for key, text in redis.hgetall(PREFIX + name).items()}

    def _bucketed(self, name: str, kind: type[R], ids: Iterable[int]) -> dict[int, R]:
        buckets: dict[str, list[int]] = defaultdict(list)
        for key in ids:
            buckets[_bucket(name, key)].append(key)
        with self._redis() as redis, redis.pipeline(transaction=False) as batch:
            for bucket, keys in buckets.items():
                batch.hmget(bucket, [str(key) for key in keys])
            texts = batch.execute()
        return {
            key: kind.model_validate_json(text)
            for keys, found in zip(buckets.values(), texts, strict=True)
            for key, text in zip(keys, found, strict=True)
            if text is not None
        }

    def _library(self, name: str, kind: type[R]) -> dict[int, R]:
        return self._bucketed(name, kind, self._members(f"{name}s"))

    def _carry_history(self, old: dict[int, Stream], added: list[Stream]) -> None:
        """A stream that came back under another id keeps its results, found by the URL's hash."""
        by_hash = {stream.url_hash: stream.id for stream in old.values() if stream.url} if added else {}
        for stream in added:
            former = by_hash.get(stream.url_hash) if stream.url else None
            if former is not None and former != stream.id:
                for result in reversed(self.history(former)):
                    self.record(result.model_copy(update={"stream_id": stream.id}))
                if memory := self.dead_memory([former]).get(former):
                    self.remember_dead(stream.id, memory.model_copy(update={"removed_from": {}}))


def _bucket(name: str, key: int) -> str:
    return f"{PREFIX}{name}:{key // BUCKET}"


def _url_field(url_hash: str) -> tuple[str, str]:
    return f"{PREFIX}url:{url_hash[:3]}", url_hash[3:19]


def _event(kind: str, record: dict[str, Any]) -> dict[Any, Any]:
    return {"type": kind, "json": json.dumps(record)}


def _text(record: BaseModel) -> str:
    return record.model_dump_json(exclude_defaults=True)


def _write_table(batch: Pipeline, name: str, change: Difference[R]) -> None:
    for key in change.removed:
        batch.hdel(PREFIX + name, str(key))
    for record in change.written:
        batch.hset(PREFIX + name, str(record.id), _text(record))  # type: ignore[attr-defined]


def _write_streams(batch: Pipeline, change: Difference[Stream], old: dict[int, Stream]) -> None:
    sets: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    urls: dict[str, set[int]] = defaultdict(set)
    touched: set[str] = set()

    def index(stream: Stream, side: int) -> None:
        sets[f"account:{stream.account_id}:streams"][side].append(stream.id)
        sets[f"group:{stream.group_id}:streams"][side].append(stream.id)
        touched.add(stream.url_hash)

    gone = [old[key] for key in change.removed]
    for stream in gone + [old[stream.id] for stream in change.changed]:
        index(stream, 1)
    for stream in change.written:
        index(stream, 0)
    removed = set(change.removed)
    after = {stream.id: stream for stream in change.written}
    for stream in old.values():
        if stream.id not in removed and stream.id not in after and stream.url_hash in touched:
            urls[stream.url_hash].add(stream.id)
    for stream in change.written:
        urls[stream.url_hash].add(stream.id)
    for name, (added, dropped) in sets.items():
        if dropped:
            batch.srem(PREFIX + name, *dropped)
        if added:
            batch.sadd(PREFIX + name, *added)
    for url_hash in touched:
        if urls[url_hash]:
            batch.hset(*_url_field(url_hash), ",".join(map(str, sorted(urls[url_hash]))))
        else:
            batch.hdel(*_url_field(url_hash))
    buckets: dict[str, dict[str, str]] = defaultdict(dict)
    for stream in change.written:
        buckets[_bucket("stream", stream.id)][str(stream.id)] = _text(stream)
    for bucket, fields in buckets.items():
        batch.hset(bucket, mapping=fields)
    for key in change.removed:
        batch.hdel(_bucket("stream", key), str(key))
    if change.removed:
        batch.srem(PREFIX + "streams", *change.removed)
    if change.added:
        batch.sadd(PREFIX + "streams", *(stream.id for stream in change.added))


def _write_channels(batch: Pipeline, change: Difference[Channel], old: dict[int, Channel]) -> None:
    gone = [old[key] for key in change.removed]
    for channel in gone + [old[channel.id] for channel in change.changed]:
        batch.srem(f"{PREFIX}group:{channel.group_id}:channels", channel.id)
        for stream in channel.stream_ids:
            batch.srem(f"{PREFIX}stream:{stream}:channels", channel.id)
    for channel in gone:
        batch.hdel(_bucket("channel", channel.id), str(channel.id))
        batch.srem(PREFIX + "channels", channel.id)
    for channel in change.written:
        batch.hset(_bucket("channel", channel.id), str(channel.id), _text(channel))
        batch.sadd(PREFIX + "channels", channel.id)
        batch.sadd(f"{PREFIX}group:{channel.group_id}:channels", channel.id)
        for stream in channel.stream_ids:
            batch.sadd(f"{PREFIX}stream:{stream}:channels", channel.id)

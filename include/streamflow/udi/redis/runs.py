"""Runs in Redis: what each planned, how far it is, and what it did to channels."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline

from streamflow.records import ChannelChange, Result, Run, RunState, as_twin
from streamflow.udi.library import text
from streamflow.udi.redis.base import EVENTS, EVENTS_KEPT, PREFIX, chunks, event
from streamflow.udi.redis.results import RedisResults

CHANGES = 50
RUN_DAYS = 30
PARTS = ("", ":streams", ":channels", ":twins")


class RedisRuns(RedisResults):
    """Runs; a settled stream of a run is a result too."""

    def __init__(self, client: Redis) -> None:
        super().__init__(client)
        self._finish = self._script("finish")

    def open_run(self, run: Run) -> None:
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            self._open(batch, run, {}, {})
            batch.execute()

    @staticmethod
    def _open(
        batch: Pipeline, run: Run, settled: Mapping[int, tuple[str, str]], finished: Mapping[int, ChannelChange]
    ) -> None:
        key = f"{PREFIX}run:{run.run_id}"
        channels: dict[int, list[int]] = defaultdict(list)
        waited_for = run.waits
        for channel, streams in waited_for.items():
            for stream in streams:
                channels[stream].append(channel)
        states = {}
        for stream in run.stream_ids:
            verdict, reason = settled.get(stream, ("", ""))
            states[str(stream)] = "|".join((verdict, ",".join(map(str, channels[stream])), reason))
        waits = {
            str(channel): text(finished[channel]) if channel in finished else ",".join(map(str, streams))
            for channel, streams in waited_for.items()
        }
        twins = {str(stream): ",".join(map(str, others)) for stream, others in run.twins.items()}
        batch.unlink(*(key + part for part in PARTS))
        batch.hset(key, mapping={"json": text(run)})
        for part, fields in ((":streams", states), (":channels", waits), (":twins", twins)):
            for chunk in chunks(fields.items()):
                batch.hset(key + part, mapping=dict(chunk))
        for part in PARTS:
            batch.expire(key + part, RUN_DAYS * 86_400)
        batch.zadd(PREFIX + "runs", {run.run_id: run.started_at.timestamp()})
        batch.xadd(EVENTS, event("run", {"run_id": run.run_id}), maxlen=EVENTS_KEPT)

    def settle(self, run_id: str, result: Result) -> list[int]:
        with self._redis() as redis:
            twins = redis.hget(f"{PREFIX}run:{run_id}:twins", str(result.stream_id))
            if not twins:
                return self._keep(result, run_id)
            with redis.pipeline(transaction=True) as batch:
                for twin in twins.split(b","):
                    self._keep(as_twin(result, int(twin)), batch=batch)
                self._keep(result, run_id, batch)
                return sorted(batch.execute()[-1])

    def unfinished_channels(self, run_id: str) -> list[int]:
        with self._redis() as redis:
            channels = redis.hgetall(f"{PREFIX}run:{run_id}:channels")
        return sorted(int(channel) for channel, state in channels.items() if not state.startswith(b"{"))

    def unsettled_streams(self, run_id: str) -> list[int]:
        with self._redis() as redis:
            streams = redis.hgetall(f"{PREFIX}run:{run_id}:streams")
        return sorted(int(stream) for stream, state in streams.items() if state.startswith(b"|"))

    def finish_channel(self, change: ChannelChange) -> None:
        keys = [
            f"{PREFIX}channel:{change.channel_id}:changes",
            f"{PREFIX}run:{change.run_id}:channels",
            EVENTS,
        ]
        told = json.dumps({"channel_id": change.channel_id, "run_id": change.run_id})
        is_news = int(change.is_news)
        with self._redis():
            self._finish(keys, [change.channel_id, change.at.timestamp(), text(change), CHANGES, told, is_news])

    def close_run(self, run_id: str, summary: dict[str, Any], at: datetime) -> None:
        key = f"{PREFIX}run:{run_id}"
        end = {"summary": json.dumps(summary), "finished_at": at.isoformat()}

        def close(batch: Any) -> None:
            known = batch.exists(key)
            batch.multi()
            if known:
                batch.hset(key, mapping=end)
                batch.xadd(EVENTS, event("run", {"run_id": run_id, "summary": summary}), maxlen=EVENTS_KEPT)

        with self._redis() as redis:
            redis.transaction(close, key)

    def run(self, run_id: str) -> RunState | None:
        key = f"{PREFIX}run:{run_id}"
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            batch.hmget(key, "json", "finished_at", "summary").hgetall(f"{key}:streams").hgetall(f"{key}:channels")
            (found, finished, summary), streams, channels = batch.execute()
        if found is None:
            return None
        states = {int(stream): state.decode().split("|", 2) for stream, state in streams.items()}
        return RunState(
            run=Run.model_validate_json(found),
            streams={stream: verdict or "pending" for stream, (verdict, _, _) in states.items()},
            verdicts=dict(Counter(verdict for verdict, _, _ in states.values() if verdict)),
            reasons=dict(Counter(reason for _, _, reason in states.values() if reason)),
            finished_channels={
                int(channel): ChannelChange.model_validate_json(state)
                for channel, state in channels.items()
                if state.startswith(b"{")
            },
            finished_at=datetime.fromisoformat(finished.decode()) if finished else None,
            summary=json.loads(summary) if summary else None,
        )

    def runs(self, limit: int = 20) -> list[str]:
        with self._redis() as redis:
            return [run.decode() for run in redis.zrevrange(PREFIX + "runs", 0, limit - 1)] if limit > 0 else []

    def last_change(self, channel_id: int) -> ChannelChange | None:
        with self._redis() as redis:
            found = redis.zrevrange(f"{PREFIX}channel:{channel_id}:changes", 0, 0)
        return ChannelChange.model_validate_json(found[0]) if found else None

    def changes(self, channel_id: int, limit: int = 50) -> list[ChannelChange]:
        key = f"{PREFIX}channel:{channel_id}:changes"
        with self._redis() as redis:
            found = redis.zrevrange(key, 0, limit - 1) if limit > 0 else []
        return [ChannelChange.model_validate_json(record) for record in found]

    def take_over(self, state: RunState, settled: Mapping[int, tuple[str, str]]) -> None:
        """Keep a run as it stands elsewhere; ``settled`` has verdict and reason of its streams that are done."""
        key = f"{PREFIX}run:{state.run.run_id}"
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            self._open(batch, state.run, settled, state.finished_channels)
            if state.finished_at:
                end = {"summary": json.dumps(state.summary or {}), "finished_at": state.finished_at.isoformat()}
                batch.hset(key, mapping=end)
            batch.execute()

    def forget_runs(self, kept: int) -> int:
        """Drop all but the newest runs, and those whose time is over; answers how many."""
        key = PREFIX + "runs"
        oldest = (datetime.now(UTC) - timedelta(days=RUN_DAYS)).timestamp()
        with self._redis() as redis:
            gone = {*redis.zrevrange(key, kept, -1), *redis.zrangebyscore(key, "-inf", oldest)}
            for chunk in chunks(run.decode() for run in gone):
                with redis.pipeline(transaction=True) as batch:
                    batch.unlink(*(f"{PREFIX}run:{run}{part}" for run in chunk for part in PARTS))
                    batch.zrem(key, *chunk)
                    batch.execute()
        return len(gone)

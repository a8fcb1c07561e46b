"""Results in Redis: the latest of each stream, its past, its failures, and what its probe does now."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.client import Pipeline

from streamflow.records import DeadMemory, Result, Verdict
from streamflow.udi.library import text
from streamflow.udi.redis.base import EVENTS, EVENTS_KEPT, GONE, PREFIX, RedisRoom, chunks, event
from streamflow.udi.redis.packing import packed, unpacked, url_hash

HISTORY = 50
PROGRESS_SECONDS = 30


class RedisResults(RedisRoom):
    """What checks found out."""

    def __init__(self, client: Redis) -> None:
        super().__init__(client)
        self._settle = self._script("settle")

    def record(self, result: Result) -> None:
        self._keep(result)

    def _keep(self, result: Result, run_id: str | None = None, batch: Pipeline | None = None) -> list[int]:
        """Keep a result, as a part of ``batch`` if there is one; answers the channels of the run that are ready."""
        keys = [
            PREFIX + "result",
            PREFIX + "checked",
            f"{PREFIX}history:{result.stream_id}",
            EVENTS,
            f"{PREFIX}run:{run_id}:streams",
            f"{PREFIX}run:{run_id}:channels",
        ]
        arguments = [
            result.stream_id,
            result.checked_at.timestamp(),
            result.verdict,
            result.reason or "",
            packed(result),
            result.model_dump_json(exclude={"extra"}),
            HISTORY,
            PREFIX + "verdict:",
            int(run_id is not None),
        ]
        if batch is not None:
            self._settle(keys, arguments, client=batch)
            return []
        with self._redis():
            return sorted(self._settle(keys, arguments))

    def result(self, stream_id: int) -> Result | None:
        return self.results([stream_id]).get(stream_id)

    def results(self, stream_ids: Iterable[int]) -> dict[int, Result]:
        return self._of_hash("result", _after_word, stream_ids)

    def url_hashes(self, stream_ids: Iterable[int]) -> dict[int, bytes]:
        """The hash of the URL that each stream's latest result is of."""
        return self._of_hash("result", lambda value: url_hash(value.partition(b" ")[2]), stream_ids)

    def history(self, stream_id: int, limit: int = 50) -> list[Result]:
        with self._redis() as redis:
            found = redis.lrange(f"{PREFIX}history:{stream_id}", 0, limit - 1) if limit > 0 else []
        return [_after_word(past) for past in found]

    def streams_of_verdict(self, verdict: Verdict) -> list[int]:
        return self._ids("SMEMBERS", f"verdict:{verdict}")

    def checked_since(self, since: datetime) -> list[int]:
        return self._ids("ZRANGEBYSCORE", "checked", since.timestamp(), "+inf")

    def last_checks(self) -> dict[int, datetime]:
        with self._redis():
            answer = self._joined([PREFIX + "checked"], ["ZRANGE", 0, -1, "WITHSCORES"])
        flat = answer.split(b",") if answer else []
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return {int(stream): datetime.fromtimestamp(float(at), UTC) for stream, at in pairs}

    def checked_of(self, stream_ids: Iterable[int]) -> set[int]:
        """Those of the streams that have a result."""
        found: set[int] = set()
        with self._redis() as redis:
            for chunk in chunks(stream_ids):
                times = redis.zmscore(PREFIX + "checked", [str(stream) for stream in chunk])
                found.update(stream for stream, at in zip(chunk, times, strict=True) if at is not None)
        return found

    def dead_memory(self, stream_ids: Iterable[int]) -> dict[int, DeadMemory]:
        return self._of_hash("dead", DeadMemory.model_validate_json, stream_ids)

    def remember_dead(self, stream_id: int, memory: DeadMemory) -> None:
        former = self.dead_memory([stream_id]).get(stream_id, DeadMemory())
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            _remember(batch, stream_id, memory, former)
            batch.execute()

    def removed_streams(self, channel_id: int) -> dict[int, int]:
        with self._redis() as redis:
            found = redis.hgetall(f"{PREFIX}channel:{channel_id}:removed")
        return {int(stream): int(position) for stream, position in found.items()}

    def removed_of_channels(self, channel_ids: Iterable[int]) -> dict[int, dict[int, int]]:
        found: dict[int, dict[int, int]] = {}
        with self._redis() as redis:
            for chunk in chunks(channel_ids):
                with redis.pipeline(transaction=False) as batch:
                    for channel in chunk:
                        batch.hgetall(f"{PREFIX}channel:{channel}:removed")
                    for channel, removed in zip(chunk, batch.execute(), strict=True):
                        if removed:
                            found[channel] = {int(stream): int(position) for stream, position in removed.items()}
        return found

    def progress(self, stream_id: int, state: dict[str, Any] | None) -> None:
        with self._redis() as redis, redis.pipeline(transaction=True) as batch:
            if state is None:
                batch.hdel(PREFIX + "progress", str(stream_id))
            else:
                kept = json.dumps(state | {"until": time.time() + PROGRESS_SECONDS})
                batch.hset(PREFIX + "progress", str(stream_id), kept)
            batch.xadd(EVENTS, event("progress", {"stream_id": stream_id, "state": state}), maxlen=EVENTS_KEPT)
            batch.execute()

    def running(self) -> dict[int, dict[str, Any]]:
        with self._redis() as redis:
            found = {int(key): json.loads(kept) for key, kept in redis.hgetall(PREFIX + "progress").items()}
        return {stream: state for stream, state in found.items() if state.pop("until") >= time.time()}

    def carrying(self, ids: dict[int, int]) -> Callable[[Pipeline], None]:
        """What gives the results of old ids to new ones (new id to old id), to be made a part of a transaction."""
        memories = self.dead_memory(ids.values())
        pasts = {new: self.history(old) for new, old in ids.items()}

        def carry(batch: Pipeline) -> None:
            for new, past in pasts.items():
                for result in reversed(past):
                    self._keep(result.model_copy(update={"stream_id": new}), batch=batch)
                if memory := memories.get(ids[new]):
                    _remember(batch, new, memory.model_copy(update={"removed_from": {}}), DeadMemory())

        return carry

    def refill(self, pasts: Iterable[Result], memories: Iterable[tuple[int, DeadMemory]]) -> None:
        """Take over many results, each stream's in the order of their times, and memories."""
        with self._redis() as redis:
            for results in chunks(pasts):
                with redis.pipeline(transaction=False) as batch:
                    for result in results:
                        self._keep(result, batch=batch)
                    batch.execute()
            for remembered in chunks(memories):
                with redis.pipeline(transaction=False) as batch:
                    for stream_id, memory in remembered:
                        _remember(batch, stream_id, memory, DeadMemory())
                    batch.execute()

    def forget_streams(self, known: set[int], before: datetime) -> int:
        """Drop what belongs to streams that are not ``known`` and were last checked ``before``; answers how many."""
        with self._redis() as redis:
            old = self._ids("ZRANGEBYSCORE", "checked", "-inf", before.timestamp())
            gone = [stream for stream in old if stream not in known]
            for chunk in chunks(gone):
                results, memories = self.results(chunk), self.dead_memory(chunk)
                with redis.pipeline(transaction=True) as batch:
                    fields = [str(stream) for stream in chunk]
                    batch.hdel(PREFIX + "result", *fields)
                    batch.hdel(PREFIX + "dead", *fields)
                    batch.zrem(PREFIX + "checked", *fields)
                    batch.unlink(*(f"{PREFIX}history:{stream}" for stream in chunk))
                    for stream, result in results.items():
                        batch.srem(f"{PREFIX}verdict:{result.verdict}", stream)
                    for stream, memory in memories.items():
                        for channel in memory.removed_from:
                            batch.hdel(f"{PREFIX}channel:{channel}:removed", str(stream))
                    batch.execute()
            if gone:
                forgotten = set(gone)
                marks = redis.hscan_iter(GONE, count=1000)
                for chunk in chunks(mark for mark, stream in marks if int(stream) in forgotten):
                    redis.hdel(GONE, *chunk)
        return len(gone)

    def trim_history(self, bound: int) -> int:
        """Keep at most ``bound`` past results a stream; answers how many were dropped."""
        if bound >= HISTORY:
            return 0
        dropped = 0
        with self._redis() as redis:
            for chunk in chunks(self._ids("ZRANGE", "checked", 0, -1)):
                with redis.pipeline(transaction=False) as batch:
                    for stream in chunk:
                        batch.llen(f"{PREFIX}history:{stream}")
                        batch.ltrim(f"{PREFIX}history:{stream}", 0, bound - 1)
                    dropped += sum(max(0, length - bound) for length in batch.execute()[::2])
        return dropped


def _after_word(value: bytes) -> Result:
    """A result of the hash or of a history: a word for the script goes before it."""
    return unpacked(value.partition(b" ")[2])


def _remember(batch: Pipeline, stream_id: int, memory: DeadMemory, former: DeadMemory) -> None:
    batch.hset(PREFIX + "dead", str(stream_id), text(memory))
    for channel in former.removed_from.keys() - memory.removed_from.keys():
        batch.hdel(f"{PREFIX}channel:{channel}:removed", str(stream_id))
    for channel, position in memory.removed_from.items():
        batch.hset(f"{PREFIX}channel:{channel}:removed", str(stream_id), position)

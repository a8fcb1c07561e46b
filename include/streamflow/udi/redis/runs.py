"""Runs in Redis: their plans, their progress and the changes that they made to channels."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, cast

from redis.client import Pipeline

from streamflow.records import AccountShare, ChannelChange, Result, Run, RunState
from streamflow.udi import bounds
from streamflow.udi.redis import blocks
from streamflow.udi.redis.connection import Connection, add_event, chunks
from streamflow.udi.redis.keys import EVENTS, PREFIX
from streamflow.udi.redis.settling import Settling
from streamflow.udi.snapshot import to_json

# A run's keys: its plan, the states of its streams and of its channels, its twins, and its streams by account.
PARTS = ("", ":streams", ":channels", ":twins", ":accounts")
RUNS = PREFIX + "runs"


class RedisRuns:
    """Implements :class:`~streamflow.udi.ports.Runs`."""

    def __init__(self, connection: Connection, settling: Settling) -> None:
        self._connection = connection
        self._settling = settling
        self._finish = connection.script("finish")
        self._skip = connection.script("skip")

    def open(self, run: Run) -> None:
        """Store a planned run, with no stream settled and no channel finished."""
        with self._connection.batch() as batch:
            _open(batch, run, {}, {})
            batch.execute()

    def settle(self, run_id: str, result: Result) -> list[int]:
        """Store a result and settle its stream in the run; return the ids of the channels that are ready."""
        return self._settling.settle(result, run_id)

    def unfinished_channels(self, run_id: str) -> list[int]:
        """Return the ids of the run's channels that are not finished."""
        channels = self._connection.hash(f"run:{run_id}:channels")
        return sorted(int(channel) for channel, state in channels.items() if not state.startswith(b"{"))

    def unsettled_streams(self, run_id: str) -> list[int]:
        """Return the ids of the run's streams that have no result in it yet."""
        streams = self._connection.hash(f"run:{run_id}:streams")
        return sorted(int(stream) for stream, state in streams.items() if state.startswith(b"|"))

    def skip(self, run_id: str, reason: str) -> None:
        """Settle the streams of a run that have no result yet as skipped."""
        with self._connection.commands():
            self._skip([f"{PREFIX}run:{run_id}:streams"], [reason])

    def share_of(self, run_id: str, account_ids: Iterable[int]) -> AccountShare | None:
        """Return the streams of some accounts in a run."""
        shares = self._connection.records(f"run:{run_id}:accounts", _share, account_ids).values()
        if not shares:
            return None
        return AccountShare(
            stream_ids=tuple(chain.from_iterable(share.stream_ids for share in shares)),
            alive=tuple(chain.from_iterable(share.alive for share in shares)),
        )

    def finish_channel(self, change: ChannelChange) -> None:
        """Mark a channel as finished in its run, and log its change if that is news."""
        keys = [
            f"{PREFIX}channel:{change.channel_id}:changes",
            f"{PREFIX}run:{change.run_id}:channels",
            EVENTS,
        ]
        arguments: list[str | float] = [
            change.channel_id,
            change.at.timestamp(),
            to_json(change),
            bounds.CHANGES,
            json.dumps({"channel_id": change.channel_id, "run_id": change.run_id}),
            int(change.is_news),
        ]
        with self._connection.commands():
            self._finish(keys, arguments)

    def close(self, run_id: str, summary: Mapping[str, Any], at: datetime) -> None:
        """Store the end and the summary of a run."""
        key = f"{PREFIX}run:{run_id}"

        def close(batch: Pipeline) -> None:
            is_known = batch.exists(key)
            batch.multi()
            if is_known:
                _end(batch, key, summary, at)
                add_event(batch, "run", {"run_id": run_id, "summary": summary})

        with self._connection.commands() as redis:
            redis.transaction(close, key)

    def state(self, run_id: str) -> RunState | None:
        """Return the progress of a run."""
        key = f"{PREFIX}run:{run_id}"
        with self._connection.batch() as batch:
            batch.hmget(key, ["json", "finished_at", "summary"])
            batch.hgetall(f"{key}:streams")
            batch.hgetall(f"{key}:channels")
            (plan, finished, summary), streams, channels = batch.execute()
        if plan is None:
            return None
        states = {int(stream): state.decode().split("|", 2) for stream, state in streams.items()}
        return RunState.of(
            Run.model_validate_json(plan),
            streams={stream: (verdict, reason) for stream, (verdict, _, reason) in states.items()},
            finished_channels=(
                ChannelChange.model_validate_json(state) for state in channels.values() if state.startswith(b"{")
            ),
            finished_at=datetime.fromisoformat(finished.decode()) if finished else None,
            summary=json.loads(summary) if summary else None,
        )

    def settled(self, run_id: str) -> dict[int, tuple[str, str]]:
        """Return verdict and reason of the run's settled streams."""
        streams = self._connection.hash(f"run:{run_id}:streams")
        states = {int(stream): state.decode().split("|", 2) for stream, state in streams.items()}
        return {stream: (verdict, reason) for stream, (verdict, _, reason) in states.items() if verdict}

    def newest(self, limit: int = 20) -> list[str]:
        """Return run ids, newest first."""
        return [run.decode() for run in self._connection.highest("runs", limit)]

    def changes(self, channel_id: int, limit: int = 50) -> list[ChannelChange]:
        """Return the log of a channel's changes, newest first."""
        log = self._connection.highest(f"channel:{channel_id}:changes", limit)
        return [ChannelChange.model_validate_json(change) for change in log]

    def take_over(self, state: RunState, settled: Mapping[int, tuple[str, str]]) -> None:
        """Store a run in the state that it has in another store.

        :param settled: verdict and reason of the settled streams.
        """
        with self._connection.batch() as batch:
            _open(batch, state.run, settled, state.finished_channels)
            if state.finished_at:
                _end(batch, f"{PREFIX}run:{state.run.run_id}", state.summary or {}, state.finished_at)
            batch.execute()

    def forget(self, kept: int) -> int:
        """Delete all runs but the newest, and those that are too old; return their number."""
        oldest = (datetime.now(UTC) - timedelta(days=bounds.RUN_DAYS)).timestamp()
        with self._connection.commands() as redis:
            surplus = cast("list[bytes]", redis.zrevrange(RUNS, kept, -1))
            expired = cast("list[bytes]", redis.zrangebyscore(RUNS, "-inf", oldest))
        gone = {*surplus, *expired}
        for chunk in chunks(run.decode() for run in gone):
            with self._connection.batch() as batch:
                batch.unlink(*(f"{PREFIX}run:{run}{part}" for run in chunk for part in PARTS))
                batch.zrem(RUNS, *chunk)
                batch.execute()
        return len(gone)


def _open(
    batch: Pipeline, run: Run, settled: Mapping[int, tuple[str, str]], finished: Mapping[int, ChannelChange]
) -> None:
    key = f"{PREFIX}run:{run.run_id}"
    waits = run.waits
    channels_of_stream: dict[int, list[int]] = defaultdict(list)
    for channel, streams in waits.items():
        for stream in streams:
            channels_of_stream[stream].append(channel)
    stream_states = {}
    for stream in run.stream_ids:
        verdict, reason = settled.get(stream, ("", ""))
        stream_states[str(stream)] = "|".join((verdict, _listed(channels_of_stream[stream]), reason))
    channel_states = {
        str(channel): to_json(finished[channel]) if channel in finished else _listed(streams)
        for channel, streams in waits.items()
    }
    twins = {str(stream): _listed(others) for stream, others in run.twins.items()}
    accounts = {
        str(account): f"{_listed(streams)}|{_listed(run.alive.get(account, ()))}"
        for account, streams in run.accounts.items()
    }
    batch.unlink(*(key + part for part in PARTS))
    batch.hset(key, mapping={"json": to_json(run)})
    for part, fields in zip(PARTS[1:], (stream_states, channel_states, twins, accounts), strict=True):
        for chunk in chunks(fields.items()):
            batch.hset(key + part, mapping=dict(chunk))
    for part in PARTS:
        batch.expire(key + part, bounds.RUN_DAYS * 86_400)
    batch.zadd(RUNS, {run.run_id: run.started_at.timestamp()})
    add_event(batch, "run", {"run_id": run.run_id})


def _end(batch: Pipeline, key: str, summary: Mapping[str, Any], at: datetime) -> None:
    batch.hset(key, mapping={"summary": json.dumps(summary), "finished_at": at.isoformat()})


def _share(text: bytes) -> AccountShare:
    """Return an account's streams in a run from their two lists of ids."""
    streams, _, alive = text.partition(b"|")
    return AccountShare(stream_ids=tuple(blocks.unlisted(streams)), alive=tuple(blocks.unlisted(alive)))


def _listed(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids))

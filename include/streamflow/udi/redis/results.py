"""Results in Redis: the latest of each stream, its history and its failures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast, get_args

from redis.client import Pipeline

from streamflow.records import DeadMemory, Playback, Result, Verdict
from streamflow.records.stream import NO_URL_HASH
from streamflow.udi import bounds
from streamflow.udi.redis import blocks
from streamflow.udi.redis.connection import Connection, chunks
from streamflow.udi.redis.keys import GONE, PREFIX
from streamflow.udi.redis.packing import unpacked, url_hash
from streamflow.udi.redis.settling import Settling
from streamflow.udi.snapshot import to_json

# A history takes up to 50 KB in a reply.
HISTORIES_AT_ONCE = 100
# The set of the streams with a decision about a channel.
DECIDED = "decided"


class RedisResults:
    """Implements :class:`~streamflow.udi.ports.Results`."""

    def __init__(self, connection: Connection, settling: Settling) -> None:
        self._connection = connection
        self._settling = settling

    def latest(self, stream_id: int) -> Result | None:
        """Return the result of a stream's last check."""
        return self.latest_of([stream_id]).get(stream_id)

    def latest_of(self, stream_ids: Iterable[int]) -> dict[int, Result]:
        """Return the results of the last checks by stream."""
        return self._connection.records("result", _without_prefix, stream_ids)

    def history(self, stream_id: int, limit: int = 50) -> list[Result]:
        """Return the past results of a stream, newest first."""
        return [_without_prefix(past) for past in self._connection.first(f"history:{stream_id}", limit)]

    def histories(self, stream_ids: Iterable[int], limit: int = bounds.HISTORY) -> dict[int, list[Result]]:
        """Return the past results of streams, each newest first."""
        found: dict[int, list[Result]] = {}
        for streams in chunks(stream_ids, HISTORIES_AT_ONCE):
            with self._connection.batch(transaction=False) as batch:
                for stream in streams:
                    batch.lrange(f"{PREFIX}history:{stream}", 0, limit - 1)
                replies = zip(streams, batch.execute(), strict=True)
            found.update((stream, [_without_prefix(past) for past in pasts]) for stream, pasts in replies if pasts)
        return found

    def streams_of_verdict(self, verdict: Verdict) -> list[int]:
        """Return the ids of the streams whose latest result has a verdict."""
        return self._connection.ids("SMEMBERS", f"verdict:{verdict}")

    def checked_since(self, since: datetime) -> list[int]:
        """Return the ids of the streams whose latest result is not older than ``since``."""
        return self._connection.ids("ZRANGEBYSCORE", "checked", since.timestamp(), "+inf")

    def last_checks(self, since: datetime | None = None) -> dict[int, datetime]:
        """Return the time of every stream's latest result, by stream."""
        oldest = since.timestamp() if since else "-inf"
        flat = self._connection.joined("ZRANGEBYSCORE", "checked", oldest, "+inf", "WITHSCORES")
        checks = zip(flat[::2], flat[1::2], strict=True)
        return {int(stream): datetime.fromtimestamp(float(at), UTC) for stream, at in checks}

    def checks(self) -> dict[int, tuple[float, str]]:
        """Return the time (s) and the verdict of every stream's latest result, by stream."""
        verdicts = {stream: verdict for verdict in get_args(Verdict) for stream in self.streams_of_verdict(verdict)}
        return {stream: (at.timestamp(), verdicts.get(stream, "")) for stream, at in self.last_checks().items()}

    def memories(self) -> dict[int, DeadMemory]:
        """Return the memory of failures of every stream that has one."""
        texts = self._connection.hash("dead")
        return {int(stream): DeadMemory.model_validate_json(text) for stream, text in texts.items()}

    def changed_urls(self, stream_ids: Iterable[int]) -> set[int]:
        """Return those of the streams whose URL differs from the URL of their latest result."""
        checked = self._connection.records("result", lambda text: url_hash(text.partition(b" ")[2]), stream_ids)
        current = dict.fromkeys(checked, NO_URL_HASH.encode()[: blocks.URL_LINE])
        for names in chunks(blocks.url_blocks()):
            for name, block in self._connection.get_many(names).items():
                for digits, streams in blocks.url_lines(name, block):
                    current.update((stream, digits) for stream in streams if stream in checked)
        return {stream for stream, digits in checked.items() if current[stream] != digits[: blocks.URL_LINE]}

    def dead_memory(self, stream_ids: Iterable[int]) -> dict[int, DeadMemory]:
        """Return the memory of failures by stream."""
        return self._connection.records("dead", DeadMemory.model_validate_json, stream_ids)

    def remember_dead(self, memories: Mapping[int, DeadMemory]) -> None:
        """Replace the memory of failures of streams, in one step."""
        former = self.dead_memory(memories)
        with self._connection.batch() as batch:
            for stream_id, memory in memories.items():
                _remember(batch, stream_id, memory, former.get(stream_id, DeadMemory()))
            batch.execute()

    def decided(self) -> dict[int, DeadMemory]:
        """Return the memory of the streams with a decision about a channel."""
        return self.dead_memory(self._connection.ids("SMEMBERS", DECIDED))

    def add_playbacks(self, playbacks: Iterable[Playback]) -> None:
        """Store playbacks, by their streams and starts."""
        playbacks = list(playbacks)
        for chunk in chunks(playbacks):
            with self._connection.batch() as batch:
                for one in chunk:
                    name = f"{PREFIX}playback:{one.stream_id}"
                    batch.hset(name, str(one.begun_at.timestamp()), to_json(one))
                    batch.expire(name, timedelta(days=bounds.PLAYBACK_DAYS))
                    batch.zadd(PREFIX + "played", {str(one.stream_id): one.ended_at.timestamp()}, gt=True)
                oldest = max(one.begun_at for one in chunk) - timedelta(days=bounds.PLAYBACK_DAYS)
                batch.zremrangebyscore(PREFIX + "played", "-inf", f"({oldest.timestamp()}")
                batch.execute()
        for stream, past in self.playbacks({one.stream_id for one in playbacks}, most=None).items():
            surplus = [str(one.begun_at.timestamp()) for one in past[bounds.PLAYBACKS :]]
            if surplus:
                with self._connection.commands() as redis:
                    redis.hdel(f"{PREFIX}playback:{stream}", *surplus)

    def playbacks(self, stream_ids: Iterable[int], most: int | None = bounds.PLAYBACKS) -> dict[int, list[Playback]]:
        """Return the last playbacks by stream, newest first."""
        played = self._connection.ids("ZRANGE", "played", 0, -1)
        wanted = set(stream_ids).intersection(played) if played else ()
        found: dict[int, list[Playback]] = {}
        for chunk in chunks(wanted, HISTORIES_AT_ONCE):
            with self._connection.batch(transaction=False) as batch:
                for stream in chunk:
                    batch.hvals(f"{PREFIX}playback:{stream}")
                replies = zip(chunk, cast("list[list[bytes]]", batch.execute()), strict=True)
            for stream, texts in replies:
                past = sorted(map(Playback.model_validate_json, texts), key=lambda one: one.begun_at, reverse=True)
                if past:
                    found[stream] = past[:most]
        return found

    def removed_streams(self, channel_id: int) -> dict[int, int]:
        """Return the streams that the policy removed from a channel, with the position that each had."""
        return _positions(self._connection.hash(f"channel:{channel_id}:removed"))

    def removed_of_channels(self, channel_ids: Iterable[int]) -> dict[int, dict[int, int]]:
        """Return the removed streams by channel, without the channels that have none."""
        removed: dict[int, dict[int, int]] = {}
        for chunk in chunks(channel_ids):
            with self._connection.batch(transaction=False) as batch:
                for channel in chunk:
                    batch.hgetall(f"{PREFIX}channel:{channel}:removed")
                replies = cast("list[dict[bytes, bytes]]", batch.execute())
            removed.update((channel, _positions(reply)) for channel, reply in zip(chunk, replies, strict=True) if reply)
        return removed

    def checked_of(self, stream_ids: Iterable[int]) -> set[int]:
        """Return those of the streams that have a result."""
        checked: set[int] = set()
        with self._connection.commands() as redis:
            for chunk in chunks(stream_ids):
                times = redis.zmscore(PREFIX + "checked", [str(stream) for stream in chunk])
                checked.update(stream for stream, at in zip(chunk, times, strict=True) if at is not None)
        return checked

    def carrying(self, ids: dict[int, int], returned: Collection[int]) -> Callable[[Pipeline], None]:
        """Return a function that copies the results of streams to their new ids, as a part of a transaction.

        :param ids: the old id by new id.
        :param returned: streams that have come back; the time is noted for those that were dead.
        """
        now, dead_ids = datetime.now(UTC), set(self.streams_of_verdict("dead")) if returned else set[int]()
        returned = {stream for stream in returned if ids.get(stream, stream) in dead_ids}
        former = self.dead_memory({*ids.values(), *returned})
        memories = {
            new: former[old].model_copy(update={"removed_from": {}}) for new, old in ids.items() if old in former
        }
        for stream in returned:
            memory = memories.get(stream) or former.get(stream, DeadMemory())
            memories[stream] = memory.model_copy(update={"returned_at": now})
        pasts = {new: self.history(old) for new, old in ids.items()}

        def carry(batch: Pipeline) -> None:
            for new, past in pasts.items():
                for result in reversed(past):
                    self._settling.store(batch, result.model_copy(update={"stream_id": new}))
            for stream, memory in memories.items():
                _remember(batch, stream, memory, former.get(stream, DeadMemory()))

        return carry

    def add(self, results: Iterable[Result]) -> None:
        """Store many results, those of each stream in the order of their times."""
        self.refill(results, ())

    def refill(self, pasts: Iterable[Result], memories: Iterable[tuple[int, DeadMemory]]) -> None:
        """Store many results and memories.

        :param pasts: the results of each stream in the order of their times.
        """
        for results in chunks(pasts):
            with self._connection.batch(transaction=False) as batch:
                for result in results:
                    self._settling.store(batch, result)
                batch.execute()
        for some in chunks(memories):
            with self._connection.batch(transaction=False) as batch:
                for stream_id, memory in some:
                    _remember(batch, stream_id, memory, DeadMemory())
                batch.execute()

    def forget_streams(self, library_ids: set[int], before: datetime) -> int:
        """Delete the data of the streams that are not in the library and were last checked ``before`` a time.

        :returns: the number of these streams.
        """
        old = self._connection.ids("ZRANGEBYSCORE", "checked", "-inf", before.timestamp())
        gone = [stream for stream in old if stream not in library_ids]
        for chunk in chunks(gone):
            self._forget(chunk)
        if gone:
            forgotten = set(gone)
            with self._connection.commands() as redis:
                identities = redis.hscan_iter(GONE, count=1000)
                for marks in chunks(mark for mark, stream in identities if int(stream) in forgotten):
                    redis.hdel(GONE, *marks)
        return len(gone)

    def _forget(self, stream_ids: list[int]) -> None:
        results, memories = self.latest_of(stream_ids), self.dead_memory(stream_ids)
        fields = [str(stream) for stream in stream_ids]
        with self._connection.batch() as batch:
            batch.hdel(PREFIX + "result", *fields)
            batch.hdel(PREFIX + "dead", *fields)
            batch.zrem(PREFIX + "checked", *fields)
            batch.srem(PREFIX + DECIDED, *fields)
            batch.unlink(*(f"{PREFIX}{kind}:{stream}" for kind in ("history", "playback") for stream in stream_ids))
            batch.zrem(PREFIX + "played", *fields)
            for stream, result in results.items():
                batch.srem(f"{PREFIX}verdict:{result.verdict}", stream)
            for stream, memory in memories.items():
                for channel in memory.removed_from:
                    batch.hdel(f"{PREFIX}channel:{channel}:removed", str(stream))
            batch.execute()


def _without_prefix(text: bytes) -> Result:
    """Parse a result of the hash or of a history, where a word for the script precedes it."""
    return unpacked(text.partition(b" ")[2])


def _positions(removed: dict[bytes, bytes]) -> dict[int, int]:
    return {int(stream): int(position) for stream, position in removed.items()}


def _remember(batch: Pipeline, stream_id: int, memory: DeadMemory, former: DeadMemory) -> None:
    batch.hset(PREFIX + "dead", str(stream_id), to_json(memory))
    if memory.decisions:
        batch.sadd(PREFIX + DECIDED, str(stream_id))
    elif former.decisions:
        batch.srem(PREFIX + DECIDED, str(stream_id))
    for channel in former.removed_from.keys() - memory.removed_from.keys():
        batch.hdel(f"{PREFIX}channel:{channel}:removed", str(stream_id))
    for channel, position in memory.removed_from.items():
        batch.hset(f"{PREFIX}channel:{channel}:removed", str(stream_id), str(position))

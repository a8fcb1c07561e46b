"""The journaled writes: the entry of each, and how to repeat it on Redis.

Finished channels and ended runs are facts: the entry holds them, and Redis stores each once, however often the write is
repeated. Any other entry says only what changed, and its present state is copied from the file store. So an entry that
waited long cannot restore an older state. The file store is locked while a state is copied, so that no newer state can
reach Redis before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field

from streamflow.records import ChannelChange, Playback, Result
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.sqlite.store import FileStore


class Entry(BaseModel, ABC):
    """An entry of the journal.

    ``is_alone`` excludes refreshes during the write. ``is_rejected_when_empty`` says that Redis itself rejects the
    write when it has lost its data. ``may_wait`` lets the entry of an acknowledged write wait for the next write.
    """

    kind: ClassVar[str]
    is_alone: ClassVar[bool] = False
    is_rejected_when_empty: ClassVar[bool] = False
    may_wait: ClassVar[bool] = False

    @abstractmethod
    def replay(self, redis: RedisStore, file: FileStore) -> None:
        """Repeat the write on Redis."""


class Published(Entry):
    """A library was published."""

    kind = "library"

    def replay(self, redis: RedisStore, file: FileStore) -> None:
        """Publish the present library, unless another machine has published a later one."""
        mine, theirs = file.library.refreshed_at(), redis.library.refreshed_at()
        if mine and (theirs is None or theirs <= mine):
            redis.publishing.publish(file.publishing.texts(), at=mine)


class Reordered(Entry):
    """The streams of a channel were reordered."""

    kind = "reorder"
    is_alone = True
    may_wait = True

    channel_id: int
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    def replay(self, redis: RedisStore, file: FileStore) -> None:
        """Copy the present order, unless another machine has changed it later."""
        refreshed_at = redis.library.refreshed_at()
        changes = redis.runs.changes(self.channel_id, 1)
        with file.writing():
            channel = file.library.channel(self.channel_id)
            is_latest = not changes or changes[0].at <= self.at or file.runs.changes(self.channel_id, 1) == changes
            if channel and is_latest and not (refreshed_at and refreshed_at > self.at):
                redis.library.reorder(channel.id, channel.stream_ids)


class Remembered(Entry):
    """The memory of failures of streams was replaced."""

    kind = "dead"
    may_wait = True

    # StreamFlow 0.1 wrote an entry for each stream, with its id as ``stream_id``.
    stream_ids: Annotated[tuple[int, ...], BeforeValidator(lambda ids: (ids,) if isinstance(ids, int) else ids)] = (
        Field(validation_alias=AliasChoices("stream_ids", "stream_id"))
    )

    def replay(self, redis: RedisStore, file: FileStore) -> None:
        """Copy the present memory, except of streams that another machine has checked later."""
        later = redis.results.latest_of(self.stream_ids)
        with file.writing():
            mine = file.results.latest_of(self.stream_ids)
            ids = [
                i
                for i in self.stream_ids
                if i not in later or (i in mine and mine[i].checked_at >= later[i].checked_at)
            ]
            redis.results.remember_dead(file.results.dead_memory(ids))


class Opened(Entry):
    """A run was opened."""

    kind = "run"

    run_id: str

    def replay(self, redis: RedisStore, file: FileStore) -> None:
        """Copy the present state of the run."""
        with file.writing():
            copy_run(redis, file, self.run_id)


class Settled(Entry):
    """A stream was settled in a run."""

    kind = "settle"
    is_rejected_when_empty = True
    may_wait = True

    run_id: str
    result: Result

    def replay(self, redis: RedisStore, file: FileStore) -> None:
        """Settle it again, by the present version of the result."""
        with file.writing():
            redis.runs.settle(self.run_id, file.results.present(self.result))
            # The run was opened again meanwhile.
            if file.runs.is_pending(self.run_id, self.result.stream_id):
                copy_run(redis, file, self.run_id)


class Added(Entry):
    """Results were added without a run."""

    kind = "results"

    stream_ids: tuple[int, ...]

    def replay(self, redis: RedisStore, file: FileStore) -> None:
        """Add the present results of the streams, which Redis stores once."""
        redis.results.add(result for stream in self.stream_ids for result in reversed(file.results.history(stream)))


class Played(Entry):
    """Playbacks were added."""

    kind = "playback"

    playbacks: tuple[Playback, ...]

    def replay(self, redis: RedisStore, file: FileStore) -> None:  # noqa: ARG002
        """Add them again, by their streams and starts."""
        redis.results.add_playbacks(self.playbacks)


class Skipped(Entry):
    """The rest of a run's streams was skipped."""

    kind = "skip"

    run_id: str
    reason: str

    def replay(self, redis: RedisStore, file: FileStore) -> None:
        """Skip it again, if it is the rest in both stores."""
        with file.writing():
            file.runs.skip(self.run_id, self.reason)
            redis.runs.skip(self.run_id, self.reason)


class Finished(Entry):
    """A channel was finished."""

    kind = "channel"
    may_wait = True

    change: ChannelChange

    def replay(self, redis: RedisStore, file: FileStore) -> None:  # noqa: ARG002
        """Finish it again."""
        redis.runs.finish_channel(self.change)


class Closed(Entry):
    """A run was closed."""

    kind = "close"

    run_id: str
    summary: dict[str, Any]
    at: datetime

    def replay(self, redis: RedisStore, file: FileStore) -> None:  # noqa: ARG002
        """Close it again."""
        redis.runs.close(self.run_id, self.summary, self.at)


# The entry of each write, made from the arguments of the method.
WRITES: dict[str, Callable[..., Entry]] = {
    "library.reorder": lambda channel_id, *_, **__: Reordered(channel_id=channel_id),
    "results.remember_dead": lambda memories: Remembered(stream_ids=tuple(memories)),
    "results.add": lambda results: Added(stream_ids=tuple(dict.fromkeys(result.stream_id for result in results))),
    "results.add_playbacks": lambda playbacks: Played(playbacks=tuple(playbacks)),
    "runs.open": lambda run: Opened(run_id=run.run_id),
    "runs.skip": lambda run_id, reason: Skipped(run_id=run_id, reason=reason),
    "runs.settle": lambda run_id, result: Settled(run_id=run_id, result=result),
    "runs.finish_channel": lambda change: Finished(change=change),
    "runs.close": lambda run_id, summary, at: Closed(run_id=run_id, summary=summary, at=at),
}
KINDS: dict[str, type[Entry]] = {
    entry.kind: entry
    for entry in (Published, Reordered, Remembered, Played, Opened, Settled, Added, Skipped, Finished, Closed)
}


def replay(redis: RedisStore, file: FileStore, kind: str, text: str) -> None:
    """Repeat the write of an entry, given by its kind and its record as JSON."""
    KINDS[kind].model_validate_json(text).replay(redis, file)


def copy_run(redis: RedisStore, file: FileStore, run_id: str) -> None:
    """Copy the state of a run to Redis."""
    state = file.runs.state(run_id)
    if state:
        redis.runs.take_over(state, file.runs.settled(run_id))

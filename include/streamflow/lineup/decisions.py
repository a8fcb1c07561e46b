"""The memory of decisions: what was proposed, rejected, or taken out of a channel by hand.

A stream that a person rejected or took out stays out, also under another id, until a person adds it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from streamflow.records import Channel, DeadMemory, Decision
from streamflow.udi import bounds
from streamflow.udi.ports import Store

Pair: TypeAlias = tuple[int, int]
"""A channel and a stream, by their ids."""


def decisions(store: Store) -> dict[Pair, Decision]:
    """Return every decision, by channel and stream."""
    return {
        (channel, stream): decision
        for stream, memory in store.results.decided().items()
        for channel, decision in memory.decisions.items()
    }


def decide(store: Store, changes: Mapping[Pair, Decision | None], *, forget_removal: bool = False) -> None:
    """Store decisions; None deletes one.

    :param forget_removal: the policy for dead streams restores these streams no more.
    """
    memories = store.results.dead_memory({stream for _, stream in changes})
    changed: dict[int, DeadMemory] = {}
    for (channel, stream), decision in changes.items():
        memory = changed.get(stream) or memories.get(stream, DeadMemory())
        own = {key: value for key, value in memory.decisions.items() if key != channel}
        update: dict[str, object] = {"decisions": own | {channel: decision} if decision else own}
        if forget_removal:
            update["removed_from"] = {key: at for key, at in memory.removed_from.items() if key != channel}
        changed[stream] = memory.model_copy(update=update)
    changed = {stream: memory for stream, memory in changed.items() if memory != memories.get(stream, DeadMemory())}
    if changed:
        store.results.remember_dead(changed)


def note_edits(store: Store, former: Iterable[Channel], present: Mapping[int, Sequence[int]]) -> dict[Pair, Decision]:
    """Store which streams a person has taken out of channels, and forget it of those that a person has put back.

    :param former: the channels as StreamFlow knew them, with its own changes.
    :param present: the streams of channels as their source lists them now.
    :returns: the new decisions.
    """
    missing: set[Pair] = set()
    for channel in former:
        streams = present.get(channel.id)
        if streams is not None and streams != channel.stream_ids:
            missing.update((channel.id, stream) for stream in set(channel.stream_ids).difference(streams))
    ids = {stream for _, stream in missing}
    memories, existing = store.results.dead_memory(ids), store.library.streams(ids)
    # A stream that left the library has left its channels by that, and a removed one by the policy for dead streams.
    taken_out = {
        (channel, stream): Decision(state="taken_out", at=datetime.now(UTC))
        for channel, stream in missing
        if stream in existing and channel not in memories.get(stream, DeadMemory()).removed_from
    }
    returned = _returned(store, present)
    decide(store, {**dict.fromkeys(returned), **taken_out})
    return taken_out


def _returned(store: Store, present: Mapping[int, Collection[int]]) -> list[Pair]:
    """Return the decisions about streams that are in their channel, and those about streams that are gone for long."""
    decided = decisions(store)
    known = store.library.streams({stream for _, stream in decided})
    before = datetime.now(UTC) - timedelta(days=bounds.GONE_DAYS)
    return [
        (channel, stream)
        for (channel, stream), decision in decided.items()
        if (decision.state != "added" and stream in present.get(channel, ()))
        or (stream not in known and decision.at < before)
    ]

"""The undo of changes: the streams of a channel as they were before checks changed them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from streamflow.errors import SourceConflict, UnknownRecord
from streamflow.records import ChannelChange, DeadMemory, Decision, Move
from streamflow.sources.source import ChannelEditor, Destination
from streamflow.udi.ports import Store


def undo(store: Store, destination: Destination, changes: Sequence[ChannelChange], why: str) -> ChannelChange:
    """Put the order of a channel, and the streams that left it, back as they were before some changes.

    :param changes: changes of one channel that follow each other, newest first.
    :param why: the reason that the recorded change names.
    :returns: the change that was made, which the channel's log holds too.
    :raises SourceConflict: the channel is no longer as the newest change left it; nothing was written.
    :raises SourceError: the destination cannot be written now.
    """
    channel_id, target = changes[0].channel_id, changes[-1].before
    if reason := conflict(destination, changes):
        raise SourceConflict(reason)
    present = changes[0].after
    if present != target:
        destination.write_order(channel_id, present, target)
    hidden = _hidden_before(changes)
    if hidden is not None and isinstance(destination, ChannelEditor):
        destination.hide(channel_id, hidden)
    store.library.reorder(channel_id, target)
    _remember_places(store, channel_id, present, target)
    undone = ChannelChange(
        channel_id=channel_id,
        at=datetime.now(UTC),
        before=present,
        after=target,
        moves=_moves(present, target, why),
        hidden=hidden,
        written=True,
    )
    store.runs.finish_channel(undone)
    return undone


def conflict(destination: Destination, changes: Sequence[ChannelChange]) -> str | None:
    """Return why changes of a channel, newest first, cannot be undone; None if they can.

    :raises SourceError: the destination cannot be read now.
    """
    if not changes[0].written:
        return "the change was not written, so that there is nothing to undo"
    if any(later.before != earlier.after for later, earlier in pairwise(changes)):
        return "somebody changed the channel between two changes of the run"
    try:
        present = destination.order(changes[0].channel_id)
    except UnknownRecord:
        return "the channel does not exist any more"
    if present != changes[0].after:
        return "the streams of the channel were changed since"
    return None


def last_of_run(log: Sequence[ChannelChange], run_id: str) -> list[ChannelChange]:
    """Return the changes of a run that changed streams, from a channel's log; both newest first."""
    return [
        change
        for change in log
        if change.run_id == run_id and change.written and (change.before != change.after or change.hidden is not None)
    ]


def _remember_places(store: Store, channel_id: int, present: Sequence[int], target: Sequence[int]) -> None:
    """Keep the memory of removed streams in step: streams that are back are removed no more, and the other way.

    A stream that matching had added is taken out: neither the policy for dead streams nor matching brings it back.
    """
    changed = set(present) ^ set(target)
    memories, new = store.results.dead_memory(changed), {}
    for stream in changed:
        memory = memories.get(stream, DeadMemory())
        places = {channel: place for channel, place in memory.removed_from.items() if channel != channel_id}
        decided = dict(memory.decisions)
        former = decided.pop(channel_id, None)
        if stream in target:
            pass
        elif former and former.state == "added":
            decided[channel_id] = Decision(state="taken_out", at=datetime.now(UTC), why=former.why)
        else:
            places[channel_id] = present.index(stream)
        new[stream] = memory.model_copy(update={"removed_from": places, "decisions": decided})
    store.results.remember_dead(new)


def _hidden_before(changes: Sequence[ChannelChange]) -> bool | None:
    """Return whether the channel was hidden before changes, newest first; None where none of them hid or showed it."""
    oldest = next((change.hidden for change in reversed(changes) if change.hidden is not None), None)
    return None if oldest is None else not oldest


def _moves(before: Sequence[int], after: Sequence[int], why: str) -> tuple[Move, ...]:
    old = {stream: place for place, stream in enumerate(before)}
    new = {stream: place for place, stream in enumerate(after)}
    return tuple(
        Move(stream_id=stream, before=old.get(stream), after=new.get(stream), why=why)
        for stream in dict.fromkeys((*after, *before))
        if old.get(stream) != new.get(stream)
    )

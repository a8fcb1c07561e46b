"""Finishing a channel: its streams ordered best first, dead ones handled by policy, and the outcome written back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from streamflow.config import Config, DeadStreams
from streamflow.errors import SourceConflict, UnknownRecord
from streamflow.records import ChannelChange, DeadMemory, Move, Result
from streamflow.scoring import score
from streamflow.sources.dispatcharr.stream_stats import stream_stats
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

# Somebody who edits a channel while it is finished is given way to, but not for ever.
CONFLICT_TRIES = 3


class Target(Protocol):
    """Where finished channels are written to. All raise SourceError."""

    def order(self, channel_id: int) -> tuple[int, ...]:
        """The channel's streams as they are now; raises UnknownRecord when the channel is gone."""

    def write_order(self, channel_id: int, before: Sequence[int], after: Sequence[int]) -> None:
        """Replace the order ``before``; raises SourceConflict when it is another one by now."""

    def write_stats(self, channel_id: int, stats: Mapping[int, Mapping[str, Any]], at: Mapping[int, datetime]) -> None:
        """Lay statistics over those that the channel's streams have, and note when each was measured."""


@dataclass(frozen=True)
class Standing:
    """What is known of one stream for ordering: its last decided result, the score, and its failures in a row."""

    result: Result | None
    score: float | None
    memory: DeadMemory

    @property
    def is_dead(self) -> bool:
        return self.result is not None and self.result.verdict == "dead"

    @property
    def why(self) -> str:
        if self.result is None:
            return "not decided yet"
        if self.is_dead:
            times = f", {self.memory.failures} times in a row" if self.memory.failures > 1 else ""
            return f"dead: {self.result.reason}{times}"
        reason = f", {self.result.reason}" if self.result.reason else ""
        return f"score {self.score:.2f}{reason}"


@dataclass(frozen=True)
class Placing:
    """A new order, and the streams that the policy took out."""

    order: tuple[int, ...]
    removed: tuple[int, ...]


def finish(store: Store, target: Target | None, channel_id: int, run_id: str, settings: Config) -> ChannelChange:
    """Order a channel by what is known of its streams and write it back; doing it again changes nothing.

    Without a ``target`` the change is only planned. Raises SourceError when the target cannot be written now.
    """
    now = datetime.now(UTC)
    channel = store.channel(channel_id)
    known = channel.stream_ids if channel else ()
    complaint: str | None = None
    try:
        for _ in range(CONFLICT_TRIES):
            before = target.order(channel_id) if target else known
            removed = {i: at for i, at in store.removed_streams(channel_id).items() if i not in before}
            standing = standings(store, [*before, *removed], settings)
            placing = placed(before, removed, standing, settings.dead_streams)
            try:
                if target and placing.order != before:
                    target.write_order(channel_id, before, placing.order)
            except SourceConflict as conflict:
                log.info("channel %s: %s; planning it anew", channel_id, conflict)
                complaint = str(conflict)
            else:
                complaint = None
                break
    except UnknownRecord as gone:
        before, placing, standing, complaint = known, Placing(known, ()), {}, str(gone)
    written = target is not None and complaint is None
    if target and written:
        _write_stats(target, channel_id, run_id, standing)
        store.reorder(channel_id, placing.order)
    if complaint is None:
        _remember(store, channel_id, before, placing, standing, written=written)
    change = ChannelChange(
        channel_id=channel_id,
        run_id=run_id,
        at=now,
        before=before,
        after=placing.order,
        moves=() if complaint else moves(before, placing.order, standing),
        written=written,
        conflict=complaint,
    )
    store.finish_channel(change)
    return change


def standings(store: Store, stream_ids: Sequence[int], settings: Config) -> dict[int, Standing]:
    """How each stream stands, by its last result that decided anything."""
    latest, memories = store.results(stream_ids), store.dead_memory(stream_ids)
    names = {account.id: account.name for account in store.accounts()}
    found = {}
    for stream_id in stream_ids:
        result, memory = latest.get(stream_id), memories.get(stream_id, DeadMemory())
        history = [result] if result else []
        if result and result.verdict not in ("ok", "degraded"):
            # How often it failed in a row, or what it was before it could not be decided, stands in its past.
            history = store.history(stream_id)
        decided = next((past for past in history if past.verdict in ("ok", "degraded", "dead")), None)
        if decided:
            memory = remembered(memory, history)
        account = names.get(decided.account_id) if decided and decided.account_id is not None else None
        points = score(decided, settings.scoring, account) if decided else None
        found[stream_id] = Standing(decided, points, memory)
    return found


def remembered(memory: DeadMemory, history: Sequence[Result]) -> DeadMemory:
    """The memory after a history (newest first): counted anew from it, so that no repetition counts twice."""
    decided = [past for past in history if past.verdict in ("ok", "degraded", "dead")]
    failed = []
    for past in decided:
        if past.verdict != "dead":
            break
        failed.append(past)
    alive = decided[len(failed)].checked_at if len(failed) < len(decided) else None
    last_alive = max(filter(None, (alive, memory.last_alive)), default=None)
    if not failed:
        return memory.model_copy(update={"failures": 0, "first_dead": None, "last_alive": last_alive})
    # A history is bounded: failures from before its beginning stay remembered.
    ongoing = memory.first_dead if memory.failures and alive is None else None
    first = min(filter(None, (failed[-1].checked_at, ongoing)))
    failures = max(len(failed), memory.failures if ongoing else 0)
    return memory.model_copy(update={"failures": failures, "first_dead": first, "last_alive": last_alive})


def placed(
    before: Sequence[int], removed: Mapping[int, int], standing: Mapping[int, Standing], policy: DeadStreams
) -> Placing:
    """The new order: best first, ties as they are; streams that nothing is known of keep their place.

    :param removed: streams that the policy took out earlier; those alive again come back.
    """
    back = [i for i in removed if standing[i].score]
    alive = [i for i in (*before, *back) if not standing[i].is_dead]
    dead = [i for i in before if standing[i].is_dead]
    out: list[int] = []
    if policy.action == "remove":
        worst = [i for i in reversed(dead) if standing[i].memory.failures >= policy.after_failures]
        out = worst[: max(0, len(alive) + len(dead) - policy.keep_at_least)]
    stays = {i for i in before if standing[i].result is None}
    if policy.action == "none":
        stays.update(dead)
    ranked = sorted(
        (i for i in (*alive, *dead) if i not in stays and i not in out), key=lambda i: -_points(standing[i])
    )
    order: list[int] = []
    fixed = {place: i for place, i in enumerate(before) if i in stays}
    queue = iter(ranked)
    for place in range(len(ranked) + len(fixed)):
        following = fixed.pop(place, None) or next(queue, None)
        if following is not None:
            order.append(following)
    return Placing((*order, *fixed.values()), tuple(out))


def _points(standing: Standing) -> float:
    return standing.score or 0.0


def moves(before: Sequence[int], after: Sequence[int], standing: Mapping[int, Standing]) -> tuple[Move, ...]:
    """Who changed places, and why, in the new order; streams taken out come last."""
    was = {stream: place for place, stream in enumerate(before)}
    found = [
        Move(stream_id=stream, before=was.get(stream), after=place, why=standing[stream].why)
        for place, stream in enumerate(after)
        if was.get(stream) != place
    ]
    gone = [stream for stream in before if stream not in after]
    found += [Move(stream_id=i, before=was[i], after=None, why=f"removed, {standing[i].why}") for i in gone]
    return tuple(found)


def explain(change: ChannelChange, names: Mapping[int, str]) -> list[str]:
    """A sentence for each move, by the streams' names; of a change that could not be made, why."""
    if change.conflict:
        return [f"Nothing was changed: {change.conflict}."]
    if not change.moves:
        return ["The order was right already."]
    return [_sentence(move, names.get(move.stream_id) or f"stream {move.stream_id}") for move in change.moves]


def _sentence(move: Move, name: str) -> str:
    match move.before, move.after:
        case None, int(after):
            return f"{name} comes in at place {after + 1}: {move.why}."
        case int(before), None:
            return f"{name} leaves place {before + 1}: {move.why}."
        case int(before), int(after):
            way = "up" if after < before else "down"
            return f"{name} goes {way} from place {before + 1} to {after + 1}: {move.why}."
        case _:
            return f"{name} stays out: {move.why}."


def _write_stats(target: Target, channel_id: int, run_id: str, standing: Mapping[int, Standing]) -> None:
    checked = {
        stream: one for stream, one in standing.items() if one.result is not None and one.result.run_id == run_id
    }
    stats = {stream: stream_stats(one.result, one.score) for stream, one in checked.items() if one.result}
    target.write_stats(
        channel_id, stats, {stream: one.result.checked_at for stream, one in checked.items() if one.result}
    )


def _remember(
    store: Store,
    channel_id: int,
    before: Sequence[int],
    placing: Placing,
    standing: Mapping[int, Standing],
    *,
    written: bool,
) -> None:
    """Keep what changed of the streams' failures and of where the policy took them from."""
    former = store.dead_memory(standing)
    for stream, one in standing.items():
        places = dict(one.memory.removed_from)
        if written and stream in placing.removed:
            places[channel_id] = before.index(stream)
        elif stream in placing.order:
            places.pop(channel_id, None)
        memory = one.memory.model_copy(update={"removed_from": places})
        if memory != former.get(stream, DeadMemory()):
            store.remember_dead(stream, memory)

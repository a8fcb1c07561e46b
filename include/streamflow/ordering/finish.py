"""The finish of a channel: its new order is written back, and the change is recorded."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from streamflow.config import Config
from streamflow.errors import SourceConflict, UnknownRecord
from streamflow.ordering.moves import moves
from streamflow.ordering.order import Order, ordered
from streamflow.ordering.standing import Standing, standings
from streamflow.records import ChannelChange, DeadMemory, Result
from streamflow.sources.source import Destination
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

# A concurrent edit by a user wins; after this many conflicts the channel is left as it is.
CONFLICT_TRIES = 3


@dataclass(frozen=True)
class Plan:
    """A channel's present order, its new one, and the standings that led to it."""

    before: tuple[int, ...]
    order: Order
    standings: Mapping[int, Standing]


def finish(
    store: Store, destination: Destination | None, channel_id: int, run_id: str, settings: Config
) -> ChannelChange:
    """Order a channel by the standings of its streams, write the order back, and record the change.

    Finishing a channel again changes nothing.

    :param destination: None to plan and record the change without writing it.
    :raises SourceError: the destination cannot be written now.
    :raises UdiUnavailable: the store cannot be reached.
    """
    channel = store.library.channel(channel_id)
    present = channel.stream_ids if channel else ()
    change = ChannelChange(
        channel_id=channel_id, run_id=run_id, at=datetime.now(UTC), before=present, after=present, written=False
    )
    try:
        if destination:
            plan = _write_order(store, destination, channel_id, settings)
        else:
            plan = _plan(store, channel_id, present, settings)
    except (SourceConflict, UnknownRecord) as problem:
        change = change.model_copy(update={"conflict": str(problem)})
    else:
        if destination:
            destination.write_results(channel_id, _results(plan.standings, run_id))
            store.library.reorder(channel_id, plan.order.stream_ids)
        _remember(store, channel_id, plan, written=destination is not None)
        change = change.model_copy(
            update={
                "before": plan.before,
                "after": plan.order.stream_ids,
                "moves": moves(plan.before, plan.order.stream_ids, plan.standings),
                "written": destination is not None,
            }
        )
    store.runs.finish_channel(change)
    return change


def _plan(store: Store, channel_id: int, before: tuple[int, ...], settings: Config) -> Plan:
    removed = [i for i in store.results.removed_streams(channel_id) if i not in before]
    known = standings(store, [*before, *removed], settings)
    return Plan(before, ordered(before, removed, known, settings.dead_streams), known)


def _write_order(store: Store, destination: Destination, channel_id: int, settings: Config) -> Plan:
    """Write the new order and return it; plan it again after a concurrent edit.

    :raises SourceConflict: the channel was edited during each try.
    :raises UnknownRecord: the channel does not exist any more.
    """
    tries = 0
    while True:
        plan = _plan(store, channel_id, destination.order(channel_id), settings)
        try:
            if plan.order.stream_ids != plan.before:
                destination.write_order(channel_id, plan.before, plan.order.stream_ids)
        except SourceConflict as conflict:
            tries += 1
            if tries == CONFLICT_TRIES:
                raise
            log.info("channel %s: %s; its order is planned again", channel_id, conflict)
        else:
            return plan


def _results(known: Mapping[int, Standing], run_id: str) -> list[Result]:
    """Return the run's own results, each with its present score."""
    return [
        one.result.model_copy(update={"score": one.score})
        for one in known.values()
        if one.result is not None and one.result.run_id == run_id
    ]


def _remember(store: Store, channel_id: int, plan: Plan, *, written: bool) -> None:
    """Store the changed failures of the streams, and the places that the policy removed them from."""
    former = store.results.dead_memory(plan.standings)
    for stream, standing in plan.standings.items():
        places = dict(standing.memory.removed_from)
        if written and stream in plan.order.removed:
            places[channel_id] = plan.before.index(stream)
        elif stream in plan.order.stream_ids:
            places.pop(channel_id, None)
        memory = standing.memory.model_copy(update={"removed_from": places})
        if memory != former.get(stream, DeadMemory()):
            store.results.remember_dead(stream, memory)

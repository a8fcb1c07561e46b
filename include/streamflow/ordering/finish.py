"""The finish of a channel: its new order is written back, and the change is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from streamflow.config import Config
from streamflow.errors import SourceConflict, UnknownRecord
from streamflow.lineup.decisions import note_edits
from streamflow.ordering.moves import Arrangement
from streamflow.ordering.order import ordered
from streamflow.ordering.rules_of_policy import rules_of
from streamflow.ordering.standing import Standing, standings
from streamflow.policies.fitting import GENERAL, policy_of
from streamflow.policies.policy import Policy
from streamflow.records import ChannelChange, DeadMemory, Result
from streamflow.sources.rewriting import rewrite_order
from streamflow.sources.source import Destination
from streamflow.udi.ports import Store


def finish(
    store: Store,
    destination: Destination | None,
    channel_id: int,
    run_id: str,
    settings: Config,
    *,
    may_remove: bool = True,
) -> ChannelChange:
    """Order a channel by the standings of its streams, write the order back, and record the change.

    Finishing a channel again changes nothing.

    :param destination: None to plan and record the change without writing it.
    :param may_remove: False to keep dead streams that the policy would remove; the change lists them as ``held``.
    :raises SourceError: the destination cannot be written now.
    :raises UdiUnavailable: the store cannot be reached.
    """
    channel = store.library.channel(channel_id)
    present = channel.stream_ids if channel else ()
    change = ChannelChange(channel_id=channel_id, run_id=run_id, at=datetime.now(UTC), before=present, after=present)
    try:
        if destination:
            new = rewrite_order(
                destination,
                channel_id,
                lambda before: arrange(store, channel_id, before, settings, may_remove=may_remove),
                lambda arrangement: arrangement.order.stream_ids,
            )
            if channel and not set(channel.stream_ids) <= set(new.before):
                note_edits(store, [channel], {channel_id: new.before})
        else:
            new = arrange(store, channel_id, present, settings, may_remove=may_remove)
    except (SourceConflict, UnknownRecord) as problem:
        change = change.model_copy(update={"conflict": str(problem)})
    else:
        if destination:
            destination.write_results(channel_id, _results(new.standings, run_id))
            store.library.reorder(channel_id, new.order.stream_ids)
        _remember(store, channel_id, new, written=destination is not None)
        change = change.model_copy(
            update={
                "before": tuple(new.before),
                "after": new.order.stream_ids,
                "moves": new.moves(),
                "stays": new.stays(),
                "held": new.order.held,
                "written": destination is not None,
            }
        )
    store.runs.finish_channel(change)
    return change


def arrange(
    store: Store, channel_id: int, before: tuple[int, ...], settings: Config, *, may_remove: bool = True
) -> Arrangement:
    """Return the new order of a channel by the stored results and the channel's policy.

    :param before: the channel's streams in their present order.
    :raises UdiUnavailable: the store cannot be reached.
    """
    policy = _policy(store, channel_id, settings)
    removed = [i for i in store.results.removed_streams(channel_id) if i not in before] if policy.check else []
    known = standings(store, [*before, *removed], settings, policy.dead_like or ())
    rules = rules_of(policy, settings, store.library.streams(before), known, may_remove=may_remove)
    return Arrangement(before, ordered(before, removed, known, rules), known, rules)


def _policy(store: Store, channel_id: int, settings: Config) -> Policy:
    channel = store.library.channel(channel_id) if settings.policies else None
    if channel is None:
        return GENERAL
    return policy_of(settings.policies, channel, {group.id: group.name for group in store.library.groups()})


def _results(known: Mapping[int, Standing], run_id: str) -> list[Result]:
    """Return the run's own results, each with its present score."""
    return [
        one.result.model_copy(update={"score": one.score})
        for one in known.values()
        if one.result is not None and one.result.run_id == run_id
    ]


def _remember(store: Store, channel_id: int, new: Arrangement, *, written: bool) -> None:
    """Store the changed failures of the streams, and the places that the policy removed them from."""
    former = store.results.dead_memory(new.standings)
    changed = {}
    for stream, standing in new.standings.items():
        places = dict(standing.memory.removed_from)
        if written and stream in new.order.removed:
            places[channel_id] = new.before.index(stream)
        elif stream in new.order.stream_ids:
            places.pop(channel_id, None)
        memory = standing.memory.model_copy(update={"removed_from": places})
        if memory != former.get(stream, DeadMemory()):
            changed[stream] = memory
    if changed:
        store.results.remember_dead(changed)

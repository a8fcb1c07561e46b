"""The rules of one channel's order, from its policy and the general settings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamflow.config import Config, DeadStreams, Safety
from streamflow.ordering.order import Rules
from streamflow.ordering.standing import Standing
from streamflow.policies import fitting
from streamflow.policies.policy import Policy
from streamflow.policies.ranking import Candidate, beyond, ranks, turns
from streamflow.records import Stream


def rules_of(
    policy: Policy,
    settings: Config,
    streams: Mapping[int, Stream],
    standings: Mapping[int, Standing],
    *,
    may_remove: bool = True,
) -> Rules:
    """Return the rules for the order of a channel.

    :param policy: the policy that applies to the channel.
    :param streams: the channel's streams that the library holds.
    :param standings: of the channel's streams, and of those removed from it earlier.
    """
    candidates = [
        Candidate(stream, one.result, one.account, one.score or 0.0, one.reliability)
        for stream, one in standings.items()
        if one.result is not None and one.is_working
    ]
    removes = policy.check and policy.remove is not False
    unfit = {one.stream_id: reason for one in candidates if (reason := beyond(policy.limits, one.result))}
    return Rules(
        _dead_streams(policy, settings.dead_streams),
        settings.scoring.switch_margin,
        _placed_by_hand(streams.values(), settings.safety) | fitting.pinned(policy, streams.values()),
        may_remove=may_remove,
        reorder=policy.check and policy.reorder,
        ranks=ranks(policy, candidates),
        turns=turns(policy, candidates),
        unfit=unfit if removes and policy.remove else {},
        max_streams=policy.max_streams if removes else None,
    )


def _dead_streams(policy: Policy, general: DeadStreams) -> DeadStreams:
    """Return the treatment of dead streams: ``remove`` of the policy, if it is given, decides whether they leave."""
    if policy.check and policy.remove:
        return general.model_copy(update={"action": "remove"})
    if general.action == "remove" and (policy.remove is False or not policy.check):
        return general.model_copy(update={"action": "move_last"})
    return general


def _placed_by_hand(streams: Iterable[Stream], safety: Safety) -> frozenset[int]:
    """Return the streams that a person placed: those without an account, and web pages, which are never checked."""
    pins_custom = safety.custom_streams == "pin"
    return frozenset(
        one.id for one in streams if one.is_page or (pins_custom and (one.is_custom or one.account_id is None))
    )

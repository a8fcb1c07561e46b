"""The policy of a channel: the first one whose match fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from streamflow.policies.patterns import matches
from streamflow.policies.policy import Policy
from streamflow.records import Channel, Stream

GENERAL = Policy()


def fits(policy: Policy, channel: Channel, group_names: Mapping[int, str]) -> bool:
    """Return whether the match of a policy fits a channel.

    :param group_names: the names of all channel groups by id.
    """
    match, group = policy.match, channel.group_id
    group_name = group_names.get(group) if group is not None else None
    return (match.groups is None or any(matches(one, group, group_name) for one in match.groups)) and (
        match.channels is None or any(matches(one, channel.id, channel.name) for one in match.channels)
    )


def place_of(policies: Sequence[Policy], channel: Channel, group_names: Mapping[int, str]) -> int | None:
    """Return the place, from 0, of the policy that applies to a channel; None when none does.

    A policy that only pins streams adds its pins and does not end the search.
    """
    places = (place for place, one in enumerate(policies) if not one.only_pins and fits(one, channel, group_names))
    return next(places, None)


def policy_of(policies: Sequence[Policy], channel: Channel, group_names: Mapping[int, str]) -> Policy:
    """Return the policy that applies to a channel, with the pins of the fitting policies that only pin streams."""
    place = place_of(policies, channel, group_names)
    policy = GENERAL if place is None else policies[place]
    pins = [pin for one in policies if one.only_pins and fits(one, channel, group_names) for pin in one.pin or ()]
    return policy.model_copy(update={"pin": (*pins, *(policy.pin or ()))}) if pins else policy


def pinned(policy: Policy, streams: Iterable[Stream]) -> frozenset[int]:
    """Return the ids of the streams that a policy pins."""
    pins = policy.pin or ()
    return frozenset(one.id for one in streams if any(matches(pin, one.id, one.name) for pin in pins))

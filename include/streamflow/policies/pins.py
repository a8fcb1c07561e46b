"""Pins that are set one by one: the policy of its own that a channel's pins are kept in."""

from __future__ import annotations

from collections.abc import Sequence

from streamflow.policies.policy import Match, Policy
from streamflow.records import Channel

NAME_LENGTH = 100


def with_pin(policies: Sequence[Policy], channel: Channel, stream_id: int, *, pinned: bool) -> tuple[Policy, ...]:
    """Return the policies with a stream of a channel pinned to its place, or released.

    The pins of a channel are a policy that names the channel and nothing else, so that they do not replace the policy
    that applies to the channel. It is removed with its last pin.
    """
    match = Match(channels=(channel.id,))
    own = next((place for place, one in enumerate(policies) if one.only_pins and one.match == match), None)
    former = policies[own].pin or () if own is not None else ()
    pins = tuple(pin for pin in former if pin != stream_id) + ((stream_id,) if pinned else ())
    if own is None:
        new = Policy(name=f"Pins of {channel.name}"[:NAME_LENGTH], match=match, pin=pins)
        return (new, *policies) if pins else tuple(policies)
    kept = (policies[own].model_copy(update={"pin": pins}),) if pins else ()
    return (*policies[:own], *kept, *policies[own + 1 :])

"""The pins of a channel are a policy of their own."""

from __future__ import annotations

from streamflow.policies.pins import with_pin
from streamflow.policies.policy import Policy
from streamflow.records import Channel

CHANNEL = Channel(id=12, name="Das Erste")
GENERAL = Policy.model_validate({"name": "All", "match": {}, "pin": [5]})


def test_a_first_pin_makes_a_policy_and_the_last_release_removes_it() -> None:
    one = with_pin([GENERAL], CHANNEL, 5, pinned=True)
    assert [policy.model_dump() for policy in one] == [
        {"name": "Pins of Das Erste", "match": {"channels": (12,)}, "pin": (5,)},
        GENERAL.model_dump(),
    ]
    two = with_pin(one, CHANNEL, 6, pinned=True)
    assert two[0].pin == (5, 6)
    assert with_pin(two, CHANNEL, 5, pinned=True)[0].pin == (6, 5)
    assert with_pin(with_pin(two, CHANNEL, 5, pinned=False), CHANNEL, 6, pinned=False) == (GENERAL,)


def test_a_release_leaves_other_policies_alone() -> None:
    assert with_pin([GENERAL], CHANNEL, 5, pinned=False) == (GENERAL,)

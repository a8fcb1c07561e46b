"""The policy that applies to a channel."""

from __future__ import annotations

from typing import Any

import pytest

from streamflow.config import parse
from streamflow.policies.fitting import fits, place_of, policy_of
from streamflow.policies.policy import Policy
from streamflow.records import Channel

GROUPS = {1: "UK | Sports", 2: "24-7 Films"}
SPORT = Channel(id=12, name="Das Erste", group_id=1)
LOOSE = Channel(id=13, name="Loose")


def policies(*listed: dict[str, Any]) -> tuple[Policy, ...]:
    return parse({"policies": list(listed)}).policies


@pytest.mark.parametrize(
    ("match", "sport", "loose"),
    [
        ({}, True, True),
        ({"groups": ["UK*"]}, True, False),
        ({"groups": [1]}, True, False),
        ({"groups": ["*"]}, True, False),
        ({"channels": [13, "Das*"]}, True, True),
        ({"groups": ["UK*"], "channels": ["Loose"]}, False, False),
        ({"groups": []}, False, False),
    ],
)
def test_all_conditions_of_a_match_must_hold(match: dict[str, Any], sport: bool, loose: bool) -> None:
    [policy] = policies({"match": match})
    assert (fits(policy, SPORT, GROUPS), fits(policy, LOOSE, GROUPS)) == (sport, loose)


def test_the_first_policy_that_fits_applies_alone() -> None:
    listed = policies(
        {"match": {"groups": ["24-7*"]}, "check": False},
        {"match": {"channels": [12]}, "order": "quality"},
        {"match": {}, "max_streams": 3},
    )
    assert place_of(listed, SPORT, GROUPS) == 1
    assert policy_of(listed, SPORT, GROUPS).max_streams is None
    assert policy_of(listed, LOOSE, GROUPS).max_streams == 3
    assert place_of(listed[:2], LOOSE, GROUPS) is None


def test_a_policy_with_pins_alone_adds_them_and_does_not_end_the_search() -> None:
    listed = policies(
        {"match": {"channels": [12]}, "pin": [5]}, {"match": {}, "order": "quality", "pin": ["Antenna *"]}
    )
    assert policy_of(listed, SPORT, GROUPS).pin == (5, "Antenna *")
    assert policy_of(listed, SPORT, GROUPS).order == "quality"
    assert policy_of(listed, LOOSE, GROUPS).pin == ("Antenna *",)

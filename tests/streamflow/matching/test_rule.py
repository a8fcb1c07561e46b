"""Rules as users write them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import ValidationError

from streamflow.matching.decision import Candidate
from streamflow.matching.matcher import match
from streamflow.matching.records import ChannelName, StreamName
from streamflow.matching.rule import Rule


def test_a_rule_has_the_defaults_of_the_contract() -> None:
    assert Rule().model_dump(mode="json") == {
        "channels": ["*"], "by": ["tvg_id", "name"], "accounts": None, "exclude": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": ["title"]}, {"by": []}, {"by": ["re:("]}, {"channels": []}, {"exclude": ["re:(?<=a)b"]}, {"unknown": 1},
        {"by": ["re:" + "a" * 300]}, {"by": ["re:(?:(?:a{100}){100}){100}"]}, {"exclude": ["x"] * 201},
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(wrong)


@pytest.mark.parametrize("expression", ["re:(a+)+$", "re:(a|a)*b", "re:(.*a){20}", "re:([a-z]+)*[0-9]{5}x"])
def test_an_expression_cannot_take_exponential_time(expression: str) -> None:
    streams = [StreamName(number, "a" * 254 + "!") for number in range(200)]
    started = time.process_time()
    list(match([ChannelName(1, "A")], streams, [Rule(by=(expression,))]))
    assert time.process_time() - started < 2


def test_accounts_and_excluded_names_are_left_out_with_the_reason() -> None:
    rule = Rule(accounts=("North*", 7), exclude=("re:(?i)\\btest\\b", 5))
    streams = [
        StreamName(1, "ZDF", account_id=3, account="North 2"),
        StreamName(2, "ZDF HD", account_id=7, account="South"),
        StreamName(3, "ZDF", account_id=8, account="South"),
        StreamName(4, "ZDF Test", account_id=7),
        StreamName(5, "ZDF", account_id=7),
        StreamName(6, "ZDF [HD]", account_id=None),
    ]
    outcomes = list(match([ChannelName(1, "ZDF")], streams, [rule]))
    assert {one.stream_id for one in outcomes if isinstance(one, Candidate)} == {1, 2}
    reasons = {one.stream_id: one.reason for one in outcomes if not isinstance(one, Candidate)}
    assert reasons[3] == reasons[6] == "the rule takes no stream of its account"
    assert reasons[5] == "the rule excludes 5"
    assert set(reasons) == {3, 4, 5, 6}

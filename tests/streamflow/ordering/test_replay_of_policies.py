"""A replay of stored nights by a policy."""

from __future__ import annotations

from datetime import date, timedelta

from streamflow.config import Config
from streamflow.ordering.replay import NightFigures, PastChannel, replay
from streamflow.policies.policy import Policy
from streamflow.records import Account, Result
from support.library import NOW, result, stream

ACCOUNTS = {1: Account(id=1, name="A"), 2: Account(id=2, name="B")}
FIRST = NOW.date()


def past(*nights: tuple[Result, ...]) -> PastChannel:
    """Return the channel of streams 1 and 2 with results of each night, the oldest first."""
    dated = [
        one.model_copy(update={"checked_at": NOW + timedelta(days=night)})
        for night, results in enumerate(nights)
        for one in results
    ]
    histories = {i: [one for one in reversed(dated) if one.stream_id == i] for i in (1, 2)}
    return PastChannel((1, 2), {i: stream(i, account_id=i) for i in (1, 2)}, histories)


def night(number: int) -> date:
    return FIRST + timedelta(days=number)


GOOD = {"width": 1920, "height": 1080, "bitrate_kbps": 8000}
ALIVE = (result(1), result(2, account_id=2, **GOOD))
SECOND_DEAD = (result(1), result(2, "dead", account_id=2, reason="no_data"))


def test_each_night_is_ordered_by_what_was_known_then() -> None:
    figures = replay(past(ALIVE, SECOND_DEAD, SECOND_DEAD), Config(), Policy(), ACCOUNTS)
    assert figures == {
        night(0): NightFigures(2, first_dead=False),
        night(1): NightFigures(2, first_dead=True),
        night(2): NightFigures(0, first_dead=False),
    }


def test_another_policy_gives_other_figures() -> None:
    policy = Policy.model_validate({"accounts": ["A"]})
    figures = replay(past(ALIVE, SECOND_DEAD), Config(), policy, ACCOUNTS)
    assert figures == {night(0): NightFigures(0, first_dead=False), night(1): NightFigures(0, first_dead=False)}


def test_a_removed_stream_leaves_and_returns() -> None:
    policy = Policy.model_validate({"remove": True})
    figures = replay(past(ALIVE, SECOND_DEAD, SECOND_DEAD, ALIVE), Config(), policy, ACCOUNTS)
    assert [one.moves for one in figures.values()] == [2, 2, 1, 2]


def test_a_channel_without_results_has_no_nights() -> None:
    assert replay(past(), Config(), Policy(), ACCOUNTS) == {}

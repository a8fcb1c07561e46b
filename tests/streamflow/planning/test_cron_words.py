"""Cron expressions in words, as people say them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamflow.config import CheckSchedule
from streamflow.planning.cron_words import cron_words


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 3 * * *", "Every night at 03:00"),
        ("30 14 * * *", "Every day at 14:30"),
        ("0 5 * * 6,0", "At 05:00 on Saturday and Sunday"),
        ("0 12 * * 1-5", "At 12:00, Monday through Friday"),
        ("0 3,15 * * *", "At 03:00 and 15:00"),
        ("*/30 * * * *", "Every 30 minutes"),
        ("30 2 1 * *", "At 02:30, on day 1 of the month"),
        ("0 3 * * fri#1", "At 03:00, on the first Friday of the month"),
        ("0 3 * * R", "0 3 * * R"),
    ],
)
def test_an_expression_is_said_in_words(expression: str, words: str) -> None:
    assert cron_words(expression) == words


def field(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    ranges = st.lists(number, min_size=2, max_size=2, unique=True).map(lambda pair: "{}-{}".format(*sorted(pair)))
    return st.sampled_from(["*", "*/2", "*/5"]) | number.map(str) | ranges


@settings(deadline=None)
@given(st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)).map(" ".join))
def test_every_expression_that_the_settings_take_has_words(expression: str) -> None:
    try:
        entry = CheckSchedule(name="some", cron=expression)
    except ValueError:
        return
    assert cron_words(entry.cron) != expression


def test_an_expression_that_is_never_due_is_refused() -> None:
    with pytest.raises(ValueError, match="no day has this date"):
        CheckSchedule(name="never", cron="0 3 30 2 *")


@pytest.mark.parametrize("expression", ["R 3 * * *", "0 r * * *", "R(0-10) 3 * * *", "5,R/5 3 * * *", "0 3 * * R"])
def test_an_expression_with_another_time_at_each_look_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"R stands for another time|not a cron expression"):
        CheckSchedule(name="random", cron=expression)


@pytest.mark.parametrize("expression", ["0 3 * mar,apr fri", "0 3 * * FRI#2"])
def test_names_of_months_and_days_with_an_r_are_accepted(expression: str) -> None:
    assert CheckSchedule(name="named", cron=expression).cron == expression

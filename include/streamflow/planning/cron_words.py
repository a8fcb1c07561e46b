"""Cron expressions in words."""

from __future__ import annotations

import re

from cron_descriptor import FormatException, MissingFieldException, Options, WrongArgumentException, get_description

# Daily starts before this hour are at night.
MORNING_HOUR = 6
_DAILY = re.compile(r"At (?P<hour>\d\d):\d\d")


def cron_words(expression: str) -> str:
    """Return when a cron expression is due, such as "Every night at 03:00"; itself when it has no words."""
    try:
        words: str = get_description(expression, Options(use_24hour_time_format=True, locale_code="en_US"))
    except (FormatException, MissingFieldException, WrongArgumentException):
        return expression
    if daily := _DAILY.fullmatch(words):
        time_of_day = "night" if int(daily["hour"]) < MORNING_HOUR else "day"
        return f"Every {time_of_day} at {words.removeprefix('At ')}"
    return words.replace(", only on ", " on ").replace(", only in ", " in ")

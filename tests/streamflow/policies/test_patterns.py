"""Patterns for names, as users write them in policies."""

from __future__ import annotations

import time

import pytest
from pydantic import TypeAdapter, ValidationError

from streamflow.policies.patterns import NamePattern, matches

VALID = TypeAdapter(NamePattern)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("Das Erste", "Das Erste", True),
        ("Das Erste", "Das Erste HD", False),
        ("Das Erste", "das erste", False),
        ("UK | Sports*", "UK | Sports", True),
        ("UK | Sports*", "UK | Sports HD", True),
        ("UK | Sports*", "DE UK | Sports", False),
        ("*Sport*", "UK | Sports", True),
        ("a*a", "a", False),
        ("a*b*c", "a-c-b-c", True),
        ("a*b*c", "abc", True),
        ("[HD] *", "[HD] One", True),
        ("[HD] *", "H One", False),
        ("re:(?i)sport", "UK | SPORTS", True),
        ("re:^Das Erste( HD)?$", "Das Erste HD", True),
        ("re:^Das Erste( HD)?$", "Das Erste UHD", False),
        ("12", "12", True),
        (7, "12", True),
        (12, "12", False),
        ("*", None, False),
        (7, None, True),
    ],
)
def test_names_match_exactly_by_glob_or_by_expression_and_ids_by_number(
    pattern: int | str, name: str | None, expected: bool
) -> None:
    assert matches(VALID.validate_python(pattern), 7, name) is expected


@pytest.mark.parametrize("pattern", ["re:(", "re:(?=a)", "re:" + "(a{1,1000}){1,1000}", "", "x" * 256, True, -1, 1.5])
def test_patterns_that_cannot_be_searched_in_bounds_are_rejected(pattern: object) -> None:
    with pytest.raises(ValidationError):
        VALID.validate_python(pattern)


def test_no_expression_takes_exponential_time() -> None:
    began = time.monotonic()
    assert not matches("re:^(a+)+$", None, "a" * 254 + "b")
    assert not matches("*a" * 100, None, "a" * 99 + "b" * 156)
    assert time.monotonic() - began < 0.5

"""Checks by name: names are resolved, and unknown ones are answered with the nearest."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from stream_checker.queries.name_index import NameIndex
from stream_checker.queries.named_records import NamedRecords, nearest_names
from streamflow.udi import Udi


@pytest.mark.parametrize(
    ("field", "references", "ids"),
    [
        ("channels", ["Das Erste", 2], [1, 2]),
        ("channels", ["das erste ", "Das Erste"], [1]),
        ("groups", ["News"], [1]),
        ("accounts", ["Provider B", 1], [2, 1]),
        ("streams", ["Channel 1 HD"], [1, 11, 21]),
        ("channels", None, None),
        ("channels", [], []),
    ],
)
def test_records_are_named_by_id_or_name(
    udi: Udi, field: str, references: list[int | str] | None, ids: list[int] | None
) -> None:
    assert NamedRecords(udi, NameIndex()).ids(field, references) == (ids, [])


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (
            {"channels": ["Das Erste", "Das Zweite", 99]},
            {
                "channels.1": "there is no channel of this name; the nearest names are: Das Erste",
                "channels.2": "there is no channel with the id 99",
            },
        ),
        ({"groups": ["Sports"]}, {"groups.0": "there is no group of this name"}),
        (
            {"accounts": ["Provider C"]},
            {"accounts.0": "there is no account of this name; the nearest names are: Provider B, Provider A"},
        ),
    ],
)
def test_an_unknown_name_is_a_422_with_the_nearest_ones(
    admin: httpx.Client, body: dict[str, Any], faults: dict[str, str]
) -> None:
    refused = admin.post("/checks", json=body)
    assert refused.status_code == 422
    assert {fault["field"]: fault["message"] for fault in refused.json()["errors"]} == faults


@pytest.mark.parametrize("body", [{"channel": [1]}, {"mode": "fast"}, {"channels": [True]}, {"channels": [-1]}])
def test_a_wrong_field_is_a_422(admin: httpx.Client, body: dict[str, Any]) -> None:
    assert admin.post("/checks", json=body).status_code == 422


def test_a_check_waits_for_the_dag(admin: httpx.Client) -> None:
    # The server of these tests has no DAGs.
    refused = admin.post("/checks", json={"channels": ["Das Erste"]})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")


def test_names_of_a_large_library_are_compared_in_bounded_time() -> None:
    names = [f"uk {number} sports" for number in range(100_000)]
    assert nearest_names("uk 99999 sport", names)
    assert nearest_names("nothing like it", names) == []

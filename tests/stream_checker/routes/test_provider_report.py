"""The report card of an account over HTTP: as JSON and as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx

from ..library import SECRET

CARD = "/accounts/1/report"


def test_a_card_compares_the_limit_with_what_the_provider_gives(admin: httpx.Client) -> None:
    card = admin.get(CARD).raise_for_status().json()
    assert (card["name"], card["limits"]["sold"], card["limits"]["believed"]) == ("Provider A", 3, 3)
    assert card["total"]["checks"] > 0
    assert [one["name"] for one in card["rivals"]] == ["Provider B", "Endless"]
    assert SECRET not in str(card)
    assert admin.get("/accounts/77/report").status_code == 404


def test_a_card_needs_no_redis(admin: httpx.Client, redis_away: Callable[[], AbstractContextManager[None]]) -> None:
    with redis_away():
        card = admin.get(CARD).raise_for_status().json()
    assert card["limits"]["believed"] is None
    assert card["total"]["checks"] > 0


def test_a_card_is_a_csv_and_an_html_file(admin: httpx.Client) -> None:
    response = admin.get(CARD, params={"format": "csv"})
    assert response.headers["content-disposition"] == 'attachment; filename="provider-report.csv"'
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert sum(row["section"] == "by_hour" for row in rows) == 24
    page = admin.get(CARD, params={"format": "html"})
    assert "sandbox" in page.headers["content-security-policy"]
    assert "Report card of Provider A" in page.text

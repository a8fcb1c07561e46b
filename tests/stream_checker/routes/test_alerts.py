"""The test of the recipients of alerts over HTTP."""

from __future__ import annotations

import httpx


def test_a_test_without_a_recipient_reports_none(admin: httpx.Client) -> None:
    response = admin.post("/alerts/test")
    assert response.status_code == 200
    assert response.json() == {"deliveries": []}

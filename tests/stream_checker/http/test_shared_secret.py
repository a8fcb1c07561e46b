"""A secret of its own opens one route, and guessing it is throttled."""

from __future__ import annotations

import pytest

from stream_checker.http.problems import Problem
from stream_checker.http.shared_secret import MAX_FAILURES, SharedSecret

VARIABLE = "STREAMFLOW_TEST_SECRET"


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> SharedSecret:
    monkeypatch.setenv(VARIABLE, "right")
    return SharedSecret(VARIABLE, "Tests are", "The test's secret")


def refusal(secret: SharedSecret, given: str) -> Problem:
    with pytest.raises(Problem) as refused:
        secret.require(given)
    return refused.value


def test_the_right_secret_passes_also_after_many_wrong_ones(secret: SharedSecret) -> None:
    statuses = [refusal(secret, "wrong").status_code for _ in range(MAX_FAILURES + 2)]
    assert statuses == [401] * MAX_FAILURES + [429] * 2
    headers = refusal(secret, "wrong").headers
    assert headers is not None
    assert 0 < int(headers["Retry-After"]) <= 60
    secret.require("right")


@pytest.mark.parametrize("given", ["", "Right", "right ", "ri\u00e9"])
def test_a_secret_that_differs_is_refused(secret: SharedSecret, given: str) -> None:
    assert refusal(secret, given).status_code == 401


@pytest.mark.parametrize("given", ["", "right"])
def test_without_a_configured_secret_the_route_is_off(
    secret: SharedSecret, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv(VARIABLE)
        else:
            monkeypatch.setenv(VARIABLE, value)
        problem = refusal(secret, given)
        assert problem.status_code == 404
        assert VARIABLE in str(problem.detail)

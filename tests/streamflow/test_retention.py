from __future__ import annotations

import pytest

from streamflow import retention
from streamflow.errors import ConfigError


@pytest.mark.parametrize("value", ["soon", "0", "-3", "nan", "4000"])
def test_a_wrong_number_of_days_is_refused_with_the_variable_s_name(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(retention.VARIABLE, value)
    with pytest.raises(ConfigError, match=f"STREAMFLOW_AIRFLOW_KEEP_DAYS: '{value}' is not a number of days"):
        retention.keep_days()


@pytest.mark.parametrize(("value", "days"), [("", None), ("1", 1.0), ("0365", 365.0)])
def test_days_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, value: str, days: float | None) -> None:
    monkeypatch.setenv(retention.VARIABLE, value)
    assert retention.keep_days() == days

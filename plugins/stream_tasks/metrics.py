"""What checks tell Airflow's own metrics, which go to StatsD or OpenTelemetry as Airflow is configured.

A verdict is a part of its metric's name, since plain StatsD knows no tags; where tags are known, they tell the rest.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk.observability import stats

from streamflow.records import Result


def admitted(started_at: datetime) -> None:
    """A check has its slot: how long it has waited for it since it first started."""
    stats.timing("streamflow.slot_wait", datetime.now(UTC) - started_at)


def checked(result: Result) -> None:
    """A check has its verdict: one more of that, and how long the probe took."""
    tags = {"account_id": str(result.account_id), "reason": result.reason or "none"}
    stats.incr(f"streamflow.checks.{result.verdict}", tags=tags)
    if result.elapsed_s:
        stats.timing("streamflow.probe", timedelta(seconds=result.elapsed_s), tags=tags)

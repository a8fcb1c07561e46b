"""Metrics of checks, sent as Airflow's own metrics are: to StatsD or OpenTelemetry.

The verdict is a part of the metric's name, because plain StatsD has no tags; the tags carry account and reason.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk.observability import stats

from streamflow.records import Result


def admitted(started_at: datetime) -> None:
    """Send the time that a check waited for its slot.

    :param started_at: when the task first started.
    """
    stats.timing("streamflow.slot_wait", datetime.now(UTC) - started_at)


def checked(result: Result) -> None:
    """Count a check by its verdict, and send the time that the probe took."""
    tags = {"account_id": str(result.account_id), "reason": result.reason or "none"}
    stats.incr(f"streamflow.checks.{result.verdict}", tags=tags)
    if result.elapsed_s:
        stats.timing("streamflow.probe", timedelta(seconds=result.elapsed_s), tags=tags)

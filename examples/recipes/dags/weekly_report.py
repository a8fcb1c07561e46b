"""Send the outcome of the last week's checks every Monday.

The summaries come from the events of the asset that each run of `check_streams` updates. They go out through the
Airflow connection `apprise_default`, for example to a mailbox: docs/use/recipes.md.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, dag, task

RESULTS = Asset("streamflow://results")


def report(summaries: list[dict[str, Any]]) -> str:
    """Return the summaries of runs as a text of a few lines."""
    verdicts: Counter[str] = Counter()
    for summary in summaries:
        verdicts.update(summary["verdicts"])
    changed = sum(summary["channels_changed"] for summary in summaries)
    lines = [f"{len(summaries)} runs, {verdicts.total()} checks, {changed} channels reordered"]
    return "\n".join(lines + [f"{verdict}: {number}" for verdict, number in verdicts.most_common()])


@dag(schedule="0 8 * * 1", tags=["streamflow"])
def weekly_report() -> None:
    """Read the summaries, and send them."""

    @task(inlets=[RESULTS])
    def send(inlet_events: Any = None) -> str:
        """Send the report, and return its text."""
        from airflow.providers.apprise.hooks.apprise import AppriseHook

        week_ago = (datetime.now(UTC) - timedelta(days=7)).isoformat()
        text = report([event.extra for event in inlet_events[RESULTS].after(week_ago)])
        AppriseHook().notify(body=text, title="StreamFlow: the last week")
        return text

    send()


weekly_report()

"""Let a Jellyfin server read its channels and guide again after each night of checks.

The Airflow connection `jellyfin` holds the server's address and, as its password, an API key.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, Connection, dag, task

RESULTS = Asset("streamflow://results")
SECONDS = 30.0


def start_refresh(address: str, key: str) -> bool:
    """Start Jellyfin's task that reads the guide, and return whether the server has such a task."""
    import httpx

    headers = {"Authorization": f'MediaBrowser Token="{key}"'}
    with httpx.Client(base_url=address, headers=headers, timeout=SECONDS) as client:
        tasks = client.get("/ScheduledTasks").raise_for_status().json()
        found = next((one["Id"] for one in tasks if one["Key"] == "RefreshGuide"), None)
        if found:
            client.post(f"/ScheduledTasks/Running/{found}").raise_for_status()
    return found is not None


@dag(schedule=[RESULTS], tags=["streamflow"])
def refresh_guide() -> None:
    """Refresh the guide when the last run of a chain changed a channel."""

    @task
    def refresh(triggering_asset_events: Any = None) -> bool:
        """Return whether a refresh was started."""
        summaries = [event.extra for event in triggering_asset_events[RESULTS]]
        if not any(one["channels_changed"] for one in summaries) or any(one["next_run_id"] for one in summaries):
            return False
        server = Connection.get("jellyfin")
        return start_refresh(f"{server.schema or 'http'}://{server.host}:{server.port or 8096}", server.password)

    refresh()


refresh_guide()

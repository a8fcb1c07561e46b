"""The link from a mapped check in Airflow's UI to its stream on the page. The API server computes it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

from streamflow import names
from streamflow.records import Run


class StreamLink(BaseOperatorLink):
    """Links a task to the stream that it checks, or to the run if the stream is not known."""

    name = "Stream in the stream checker"

    @property
    def operators(self) -> list[Any]:  # type: ignore[override]
        """The operators with this link. Imported here, because tasks never read this property."""
        from stream_tasks.check import CheckStream

        return [CheckStream]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the address of the page."""
        from stream_checker import resources

        state = resources.store().runs.state(ti_key.run_id)
        base_url = conf.get("api", "base_url", fallback="").rstrip("/")
        fragment = page_fragment(state.run if state else None, ti_key.run_id, ti_key.task_id, ti_key.map_index)
        return f"{base_url}/api/stream-checker/page/#{fragment}"


def page_fragment(run: Run | None, run_id: str, task_id: str, map_index: int) -> str:
    """Return the URL fragment of the page's view for a task.

    Concurrent checks are mapped over the streams of the run in their order, so the map index identifies the stream.
    """
    mapped_ids = run.stream_ids if run and run.mode == "concurrent" and task_id == names.CHECK_TASK else ()
    if 0 <= map_index < len(mapped_ids):
        return f"stream/{mapped_ids[map_index]}"
    return f"run/{quote(run_id, safe='')}"

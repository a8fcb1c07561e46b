"""The link from a mapped check to its stream in the page. The API server makes it; no task has to tell anything."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

from streamflow import names
from streamflow.records import Run


class StreamLink(BaseOperatorLink):
    """To the stream that a task checks; to the run where the task does not tell."""

    name = "Stream in the stream checker"

    @property
    def operators(self) -> list[Any]:  # type: ignore[override]
        """The operators that have the link. Imported only by who asks, which no task does."""
        from stream_tasks.check import CheckStream

        return [CheckStream]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002
        from stream_checker import resources

        state = resources.store().runs.state(ti_key.run_id)
        base = conf.get("api", "base_url", fallback="").rstrip("/")
        place = place_of(state.run if state else None, ti_key.run_id, ti_key.task_id, ti_key.map_index)
        return f"{base}/api/stream-checker/page/#{place}"


def place_of(run: Run | None, run_id: str, task_id: str, map_index: int) -> str:
    """Where in the page a task's subject is: concurrent checks are mapped over the run's streams in their order."""
    mapped = run.stream_ids if run and run.mode == "concurrent" and task_id == names.CHECK_TASK else ()
    if 0 <= map_index < len(mapped):
        return f"stream/{mapped[map_index]}"
    return f"run/{quote(run_id, safe='')}"

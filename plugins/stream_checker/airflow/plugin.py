"""The Airflow plugin. Every Airflow process loads it, tasks too, so it imports nothing but the base class."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin


class StreamCheckerPlugin(AirflowPlugin):
    """The routes under ``/api/stream-checker``, the page in the navigation and the tab on a run.

    The links are relative to the UI's base address, and so hold behind a proxy's path prefix.
    """

    name = "stream_checker"
    external_views = [  # noqa: RUF012
        {
            "name": "Stream checker",
            "href": "api/stream-checker/page/",
            "destination": "nav",
            "url_route": "stream-checker",
            "nav_top_level": True,
            "icon": "api/stream-checker/page/icon.svg",
        },
        {
            "name": "Stream checks",
            "href": "api/stream-checker/page/?dag_id={DAG_ID}&run_id={RUN_ID}#run",
            "destination": "dag_run",
            "url_route": "stream-checks",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        # Only the API server asks for it.
        from stream_checker.app import create_app

        return [{"app": create_app(), "url_prefix": "/api/stream-checker", "name": "Stream checker"}]

    @cached_property
    def listeners(self) -> list[Any]:  # type: ignore[override]
        from stream_checker.airflow import run_note

        return [run_note]

    @cached_property
    def operator_extra_links(self) -> list[Any]:  # type: ignore[override]
        from stream_checker.airflow.task_link import StreamLink

        return [StreamLink()]

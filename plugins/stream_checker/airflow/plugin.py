"""The Airflow plugin.

Every Airflow process loads this module, including each task, so it imports only the base class.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin


class StreamCheckerPlugin(AirflowPlugin):
    """Adds the routes under ``/api/stream-checker``, the page in the navigation and the tab of a run.

    The links are relative to the UI's base address, so they also work behind a proxy's path prefix.
    """

    name = "stream_checker"
    external_views = [  # noqa: RUF012
        {
            # Airflow's navigation cuts longer names.
            "name": "Streams",
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
        """The web application. Only the API server reads this property."""
        from stream_checker.app import create_app

        if sys.argv[1:2] == ["api-server"]:
            from stream_checker import resources
            from stream_tasks import caretaker

            caretaker.start(serves=True)
            resources.lease_book().watch()
        return [{"app": create_app(), "url_prefix": "/api/stream-checker", "name": "Stream checker"}]

    @cached_property
    def listeners(self) -> list[Any]:  # type: ignore[override]
        """The listener that writes the note of a run."""
        from stream_checker.airflow import run_note

        return [run_note]

    @cached_property
    def operator_extra_links(self) -> list[Any]:  # type: ignore[override]
        """The link from a task to its stream."""
        from stream_checker.airflow.task_link import StreamLink

        return [StreamLink()]


if sys.argv[1:2] == ["api-server"]:
    # Before Airflow defines its routes, in the one process that has some.
    from stream_checker.airflow import audit_log

    audit_log.install()

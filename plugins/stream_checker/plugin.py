"""The Airflow plugin. Every Airflow process loads it, tasks too, so it imports nothing but the base class."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin


class StreamCheckerPlugin(AirflowPlugin):
    """The routes under ``/api/stream-checker``."""

    name = "stream_checker"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        # Only the API server asks for it.
        from stream_checker.app import create_app

        return [{"app": create_app(), "url_prefix": "/api/stream-checker", "name": "Stream checker"}]

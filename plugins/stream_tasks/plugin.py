"""Loads what every check needs into the processes that fork the tasks: a task then starts with it already there.

Airflow loads plugins in those processes at their start when ``core.lazy_load_plugins`` is off.
"""

from __future__ import annotations

import sys
from importlib import import_module

from airflow.plugins_manager import AirflowPlugin

FORKING = {"scheduler", "celery"}
NEEDED = ("airflow.sdk.execution_time.task_runner", "stream_tasks.check", "stream_tasks.plan")


class StreamTasksPlugin(AirflowPlugin):
    """Adds nothing to Airflow."""

    name = "stream_tasks"


if FORKING.intersection(sys.argv[1:2]):
    for module in NEEDED:
        import_module(module)
